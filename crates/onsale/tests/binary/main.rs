//! The real executable, in folders of its own, on ports that the system chooses.

mod alive;
mod audit;
mod audit_memory;
mod backup;
mod bench;
mod command_line;
mod data_folder;
mod hostile;
mod identity;
mod import;
mod proxies;
mod replicas;
mod rooms;
mod rooms_crash;
mod rooms_rush;
mod serve;
mod support;
mod surroundings;
mod tour;
mod user;
