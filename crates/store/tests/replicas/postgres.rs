//! Streaming replicas of a PostgreSQL server.

mod choice;
mod faults;
mod freshness;
