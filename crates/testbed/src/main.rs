//! Starts servers for the tests of many processes: `onsale-testbed postgres mariadb`.
//!
//! Prints a line `VARIABLE=URL` for each once it is ready, and runs until its standard input closes.

use std::{env, io, process::ExitCode};

use onsale_testbed::{MariaDbServer, PostgresServer};

fn main() -> ExitCode {
    let names: Vec<_> = env::args().skip(1).collect();
    if names.is_empty() || names.iter().any(|name| name != "postgres" && name != "mariadb") {
        eprintln!("usage: onsale-testbed [postgres] [mariadb]");
        return ExitCode::from(2);
    }
    let wanted = |name: &str| names.iter().any(|wanted| wanted == name);
    let postgres = wanted("postgres").then(PostgresServer::new);
    if let Some(server) = &postgres {
        println!("ONSALE_TEST_POSTGRES={}", server.url("postgres"));
    }
    let mariadb = wanted("mariadb").then(MariaDbServer::new);
    if let Some(server) = &mariadb {
        println!("ONSALE_TEST_MARIADB={}", server.url("mysql"));
    }
    // Until whoever started us is gone.
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    ExitCode::SUCCESS
}
