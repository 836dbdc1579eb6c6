//! `onsale user ...`: accounts, beside a server that may be running.

use std::io::{BufRead, Read, Write, stdin, stdout};

use onsale_domain::ids::UserId;
use onsale_engine::{
    accounts::{AccountChange, Accounts, OnTheWordOf},
    ports::{User, UserQuery},
};

use crate::{
    cli::{AddUser, ListUsers, ResetPassword, User as Command},
    compose::Base,
    failure::Failure,
};

/// The most bytes read from standard input.
const PASSWORD_LINE_BYTES_MAX: u64 = 4_096;

/// How many accounts are read at once.
const PAGE: u64 = 1_000;

/// Running servers look so often which sessions have ended, in seconds.
const HEEDED_WITHIN_S: u32 = 3;

/// Carries out a command about accounts.
pub(crate) async fn run(base: &Base, command: &Command) -> Result<(), Failure> {
    let accounts = base.accounts().await?;
    let set = |role, is_disabled| AccountChange { role, is_disabled };
    match command {
        Command::Add(arguments) => add(&accounts, arguments).await,
        Command::List(arguments) => list(&accounts, arguments).await,
        Command::SetRole(arguments) => {
            change(&accounts, &arguments.named.account, set(Some(arguments.role), None)).await
        }
        Command::Disable(named) => change(&accounts, &named.account, set(None, Some(true))).await,
        Command::Enable(named) => change(&accounts, &named.account, set(None, Some(false))).await,
        Command::ResetPassword(arguments) => reset_password(&accounts, arguments).await,
        Command::EndSessions(named) => {
            let user = found(&accounts, &named.account).await?;
            let ended = accounts.end_sessions(OnTheWordOf::Operator, user.id).await;
            let ended = ended.map_err(Failure::of("cannot end the sessions"))?;
            println!("{ended} sessions have ended; servers heed it within {HEEDED_WITHIN_S} s");
            Ok(())
        }
    }
}

async fn add(accounts: &Accounts, arguments: &AddUser) -> Result<(), Failure> {
    let password = password_line()?;
    let before_at = arguments.email.split('@').next().unwrap_or_default();
    let name = arguments.name.as_deref().unwrap_or(before_at);
    let user = accounts
        .register(&arguments.email, &password, name, arguments.role)
        .await
        .map_err(Failure::of("cannot add the account"))?;
    println!("added {} ({}), {}", user.email, user.id, user.role);
    Ok(())
}

async fn list(accounts: &Accounts, arguments: &ListUsers) -> Result<(), Failure> {
    let mut after: Option<UserId> = None;
    loop {
        let query = UserQuery { email: arguments.email.clone(), role: arguments.role, after, max: PAGE };
        let page = accounts.list(query).await.map_err(Failure::of("cannot list the accounts"))?;
        let mut lines = String::new();
        page.iter().for_each(|user| lines += &line(user));
        // Whoever reads may have seen enough.
        if stdout().lock().write_all(lines.as_bytes()).is_err() || (page.len() as u64) < PAGE {
            return Ok(());
        }
        after = page.last().map(|user| user.id);
    }
}

/// Number, role, whether it is disabled, address, name; names may have blanks, so they are last.
fn line(user: &User) -> String {
    let email = if user.email.is_empty() { "-" } else { &user.email };
    let state = if user.disabled_at.is_some() { "disabled" } else { "enabled" };
    format!("{}\t{}\t{state}\t{email}\t{}\n", user.id, user.role, user.name)
}

async fn change(accounts: &Accounts, account: &str, change: AccountChange) -> Result<(), Failure> {
    let user = found(accounts, account).await?;
    let changed = accounts.change_account(OnTheWordOf::Operator, user.id, change).await;
    let changed = changed.map_err(Failure::of("cannot change the account"))?;
    print!("{}", line(&changed));
    if changed == user {
        println!("it was so already");
    } else {
        println!("its sessions have ended; servers heed it within {HEEDED_WITHIN_S} s");
    }
    Ok(())
}

async fn reset_password(accounts: &Accounts, arguments: &ResetPassword) -> Result<(), Failure> {
    let user = found(accounts, &arguments.named.account).await?;
    let password = password_line()?;
    accounts.reset_password(&user, &password).await.map_err(Failure::of("cannot reset the password"))?;
    println!("{} has a new password; its sessions have ended", arguments.named.account);
    if user.disabled_at.is_some() {
        println!("the account is disabled; `onsale user enable {}` lets it log in", arguments.named.account);
    }
    Ok(())
}

async fn found(accounts: &Accounts, account: &str) -> Result<User, Failure> {
    accounts.find(account).await.map_err(Failure::of("cannot find the account"))
}

/// The first line of standard input.
fn password_line() -> Result<String, Failure> {
    let mut line = String::new();
    stdin()
        .lock()
        .take(PASSWORD_LINE_BYTES_MAX)
        .read_line(&mut line)
        .map_err(Failure::of("cannot read the password"))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
