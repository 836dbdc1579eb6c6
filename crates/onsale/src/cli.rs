//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use onsale_domain::user::Role;

use crate::{room::Room, top::Top};

/// The engine for high-demand ticket sales.
#[derive(Debug, Parser)]
#[command(name = "onsale", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where the configuration and the data are.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The folder that holds everything the embedded default writes [default: onsale-data, or
    /// onsale-data/demo for `serve --demo`]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// A configuration file in TOML; see onsale.example.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sell: serve the API over HTTP
    Serve(Serve),
    /// Bring the database's tables up to date
    Migrate,
    /// Bring in data that you already have
    #[command(subcommand)]
    Import(Import),
    /// Look after accounts
    #[command(subcommand)]
    User(User),
    /// Waiting rooms in front of sales
    #[command(subcommand)]
    Room(Room),
    /// Look after the key that signs access tokens, places in line and passes
    #[command(subcommand)]
    Key(Key),
    /// Check that seats, orders, payments, ledger and keys agree, on a live or stopped database
    Audit,
    /// Back up what the embedded default keeps, also while it sells: database, pictures and signing key
    Backup(Backup),
    /// Bring a backup back into a data folder that has no database
    Restore(Restore),
    /// Watch the nodes of a fleet: requests, holds, queues, latencies, waiting rooms
    Top(Top),
    /// Measure on this machine, in databases of its own
    #[command(subcommand)]
    Bench(Bench),
    /// Print the OpenAPI document
    Openapi,
    /// Print the effective configuration as TOML, secrets hidden
    Config,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a new key in the data folder for the next start; what the one before has signed is still read
    /// for a while, so nobody has to log in again and nobody loses their place in line
    Rotate(RotateKey),
}

#[derive(Debug, Args)]
pub(crate) struct RotateKey {
    /// For how many days what the old key has signed is read; a place in line is good for 30
    #[arg(long, value_name = "DAYS", default_value_t = 31, value_parser = clap::value_parser!(i64).range(0..=3_650))]
    pub(crate) read_days: i64,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The address to listen on; port 0 takes any free one [default: server.listen]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Fill an empty database with a lively example, for this machine only
    #[arg(long)]
    pub(crate) demo: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file to write, a tar archive; it must not be there yet
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Check a backup instead of making one: it is whole, and an audit of what is in it is clean
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Films, from the `movies` table of the vega datasets (JSON)
    Movies(ImportMovies),
    /// A hall, from a pretix seating plan (JSON)
    SeatingPlan(ImportSeatingPlan),
}

#[derive(Debug, Args)]
pub(crate) struct ImportMovies {
    /// The file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Write what was mended or left out to this file instead of printing it; CSV if it ends in .csv
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Whose the films are that are new; without it only administrators change them
    #[arg(long, value_name = "EMAIL")]
    pub(crate) owner: Option<String>,
    /// The year in which the list was made: a film that has been seen cannot be more than two
    /// years younger [default: this year]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1990..=2900))]
    pub(crate) made_in: Option<i16>,
    /// Mend neither titles whose encoding was misread nor years that cannot be
    #[arg(long)]
    pub(crate) as_is: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImportSeatingPlan {
    /// The file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The venue it belongs to; made if there is none of this name
    #[arg(long, value_name = "NAME")]
    pub(crate) venue: String,
    /// The hall's name [default: the plan's name]
    #[arg(long, value_name = "HALL")]
    pub(crate) name: Option<String>,
    /// The IANA time zone of the venue if it is made
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub(crate) time_zone: String,
    /// Whose the venue is if it is made; without it only administrators change it and its halls
    #[arg(long, value_name = "EMAIL")]
    pub(crate) owner: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Add an account
    Add(AddUser),
    /// List accounts, the oldest first
    List(ListUsers),
    /// Change what an account may do; ends its sessions
    SetRole(SetRole),
    /// Give an account a new password, and end its sessions
    ResetPassword(ResetPassword),
    /// Let an account log in no more, and end its sessions
    Disable(NamedUser),
    /// Let an account log in again
    Enable(NamedUser),
    /// End an account's sessions
    EndSessions(NamedUser),
}

/// An account that is there.
#[derive(Debug, Args)]
pub(crate) struct NamedUser {
    /// The account's e-mail address or number
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: String,
}

#[derive(Debug, Args)]
pub(crate) struct ListUsers {
    /// Only accounts whose e-mail address has this in it
    #[arg(long, value_name = "TEXT")]
    pub(crate) email: Option<String>,
    /// Only accounts with this role: user, organiser or admin
    #[arg(long)]
    pub(crate) role: Option<Role>,
}

#[derive(Debug, Args)]
pub(crate) struct SetRole {
    #[command(flatten)]
    pub(crate) named: NamedUser,
    /// The role of the account: user, organiser or admin
    #[arg(long)]
    pub(crate) role: Role,
}

#[derive(Debug, Args)]
pub(crate) struct ResetPassword {
    #[command(flatten)]
    pub(crate) named: NamedUser,
    /// Read the password from standard input, one line; command lines are seen by others
    #[arg(long, required = true)]
    pub(crate) password_stdin: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AddUser {
    /// The e-mail address to log in with
    #[arg(value_name = "EMAIL")]
    pub(crate) email: String,
    /// The role of the account: user, organiser or admin
    #[arg(long)]
    pub(crate) role: Role,
    /// The person's name; what stands before the @, if left out
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Read the password from standard input, one line; command lines are seen by others
    #[arg(long, required = true)]
    pub(crate) password_stdin: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Compare the guards, that is how processes that sell from one database defend themselves
    /// against each other: a table, and a chart to paste into a document
    Guards(BenchGuards),
    /// One of the processes of `bench guards`
    #[command(hide = true)]
    GuardsWorker,
}

#[derive(Debug, Args)]
pub(crate) struct BenchGuards {
    /// The database beside which it makes its own; yours is not touched [default: database.url]
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<String>,
    /// The Redis in which the distributed guard takes its locks, under names of their own; without one
    /// that guard is left out [default: coordination.url]
    #[arg(long, value_name = "URL")]
    pub(crate) redis: Option<String>,
    /// How long each round is measured, in seconds
    #[arg(long, value_name = "N", default_value_t = 2.0, value_parser = seconds)]
    pub(crate) seconds: f64,
    /// How often each guard is measured; the medians count
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Draw a chart into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.1..=60.0).contains(seconds));
    seconds.ok_or_else(|| "a number of seconds from 0.1 to 60".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_data_folder_may_stand_before_or_after_the_subcommand() {
        for line in [["onsale", "--data", "x", "audit"], ["onsale", "audit", "--data", "x"]] {
            assert_eq!(Cli::try_parse_from(line).unwrap().place.data, Some(PathBuf::from("x")));
        }
    }
}
