//! Nodes behind a real HAProxy with the configuration of `deploy/`: they join, leave and die, and a
//! sale goes on.

mod client;
mod haproxy;
mod node;
mod postgres;
mod proxy;
