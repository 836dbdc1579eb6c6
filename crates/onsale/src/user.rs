//! `onsale user add EMAIL --role ROLE --password-stdin`

use std::io::{BufRead, Read, stdin};

use crate::{cli::AddUser, compose::Base, failure::Failure};

/// The most bytes read from standard input.
const PASSWORD_LINE_BYTES_MAX: u64 = 4_096;

/// Adds an account. The password is the first line of standard input.
pub(crate) async fn add_user(base: &Base, arguments: &AddUser) -> Result<(), Failure> {
    let mut line = String::new();
    stdin()
        .lock()
        .take(PASSWORD_LINE_BYTES_MAX)
        .read_line(&mut line)
        .map_err(Failure::of("cannot read the password"))?;
    let password = line.trim_end_matches(['\r', '\n']);
    let before_at = arguments.email.split('@').next().unwrap_or_default();
    let name = arguments.name.as_deref().unwrap_or(before_at);
    let user = base
        .accounts()
        .await?
        .register(&arguments.email, password, name, arguments.role)
        .await
        .map_err(Failure::of("cannot add the account"))?;
    println!("added {} ({}), {}", user.email, user.id, user.role);
    Ok(())
}
