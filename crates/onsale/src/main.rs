//! The binary: command line, configuration, composition and lifecycle.

// Before all others, which print with its macros.
#[macro_use]
mod out;

mod audit;
mod backup;
mod bench;
mod cli;
mod compose;
mod config;
mod data_folder;
mod demo;
mod failure;
mod file_size_limit;
mod http;
mod import;
mod key;
mod last_answers;
mod log_writer;
mod progress;
mod room;
mod serve;
mod serve_lock;
mod stop_signals;
mod telemetry;
mod top;
mod user;

use std::process::ExitCode;

use clap::Parser;
use cli::{Bench, Cli, Command, Import, Key, User};
use config::Config;
use data_folder::DataFolder;
use failure::Failure;
use room::Room;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The kernel clears a huge page at once, two megabytes, when a little of it is first used: under
    // load that costs more than it saves, and the slowest answers are those that wait for it.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => {
            let _ = answer.print();
            return ExitCode::from(if answer.use_stderr() { 2 } else { 0 });
        }
    };
    let done = run(&cli);
    telemetry::flush_log();
    match done {
        Ok(()) if out::failed() => {
            eprintln!("onsale: not everything that was to be printed could be written");
            ExitCode::FAILURE
        }
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !matches!(failure, Failure::Reported) {
                eprintln!("onsale: {failure}");
            }
            failure.exit_code()
        }
    }
}

fn run(cli: &Cli) -> Result<(), Failure> {
    if let Command::Openapi = cli.command {
        let document = onsale_api::openapi();
        println!("{}", document.to_pretty_json().map_err(Failure::of("cannot write the document"))?);
        return Ok(());
    }
    if let Command::Room(Room::VerifyDraw(arguments)) = &cli.command {
        return room::verify_draw(arguments);
    }
    let mut config = Config::load(cli.place.config.as_deref())?;
    if let Command::Config = cli.command {
        print!("{}", config.to_toml_without_secrets());
        return Ok(());
    }
    if let Command::Bench(_) = cli.command {
        // Its databases come and go; what matters of a measurement is in its table.
        config.log.filter = "off".to_owned();
    }
    if let Command::Backup(_) = cli.command {
        backup::yield_to_others();
    }
    telemetry::install_log(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::of("cannot start the runtime"))?;
    runtime.block_on(run_on_data(cli, config))
}

/// The commands that touch data.
async fn run_on_data(cli: &Cli, config: Config) -> Result<(), Failure> {
    file_size_limit::make_it_an_error();
    let data = cli.place.data.as_deref();
    if let Command::Serve(arguments) = &cli.command {
        return Box::pin(serve::serve(arguments, config, data)).await;
    }
    if let Command::Top(arguments) = &cli.command {
        return top::top(arguments, &config).await;
    }
    if let Command::Bench(Bench::GuardsWorker) = cli.command {
        return Box::pin(bench::run_worker(config)).await;
    }
    if let Command::Backup(arguments) = &cli.command
        && arguments.check
    {
        return Box::pin(backup::check(config, &arguments.file)).await;
    }
    let folder = compose::data_folder(data, false);
    if let Command::Restore(arguments) = &cli.command {
        return backup::restore(&arguments.file, &folder);
    }
    if let Command::Backup(arguments) = &cli.command {
        return backup::create(&config, &DataFolder::existing(&folder)?, &arguments.file).await;
    }
    let embedded = config.database.url.is_empty();
    // Who looks for something must not find an empty database made in its place: an audit would call it clean.
    let looks = match &cli.command {
        Command::Audit | Command::Room(_) => true,
        Command::User(command) => !matches!(command, User::Add(_)),
        _ => false,
    };
    let create = !looks;
    let folder = match (&cli.command, create || !embedded) {
        (Command::Audit, _) | (_, false) => DataFolder::existing(&folder)?,
        _ => DataFolder::create(&folder)?,
    };
    let at = folder.path().display().to_string();
    if embedded && !folder.database().exists() {
        if !create {
            return Err(Failure::Failed(format!(
                "there is no database in the data folder {at}; name another with --data (the demo's is {})",
                compose::DEMO_DATA
            )));
        }
        if !matches!(cli.command, Command::Bench(_) | Command::Key(_)) {
            eprintln!("onsale: this makes a new database in {at}");
        }
    }
    if let Command::Bench(Bench::Guards(arguments)) = &cli.command {
        return Box::pin(bench::compare_guards(arguments, config, &folder)).await;
    }
    if let Command::Key(Key::Rotate(arguments)) = &cli.command {
        return key::rotate(arguments, &config, &folder);
    }
    let base = compose::open(config, folder, create).await?;
    let done = match &cli.command {
        Command::Import(Import::Movies(arguments)) => {
            import::import_movies(&base.catalogue(), &base.owners(), arguments).await
        }
        Command::Import(Import::SeatingPlan(arguments)) => {
            import::import_seating_plan(&base.catalogue(), &base.owners(), arguments).await
        }
        Command::Room(command) => {
            let done = room::run(&base.rooms(), command).await;
            if embedded { done.map_err(|failure| failure.in_folder(&at)) } else { done }
        }
        Command::User(command) => user::run(&base, command).await,
        Command::Audit => audit::run_audit(&base).await,
        // Opening has brought the tables up to date.
        Command::Migrate => {
            println!("the database is up to date");
            Ok(())
        }
        Command::Serve(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Bench(_)
        | Command::Openapi
        | Command::Config
        | Command::Key(_)
        | Command::Top(_) => Ok(()),
    };
    base.close().await.and(done)
}
