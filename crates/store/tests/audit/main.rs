//! The audit on real databases: what it finds after a row was changed, what it says of a database that is being
//! sold from, damaged files, and the currency that a database keeps.

mod currency;
mod damage;
mod live;
mod mutations;
mod world;
