//! Rankings on a real database, with a clock that the tests move.

mod cache;
mod days;
mod nodes;
mod world;
