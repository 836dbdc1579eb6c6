//! Reads on replicas, on real servers: shared out, never too old, and unnoticed when they fail.

mod cluster;
mod urls;

mod mariadb;
mod postgres;
