//! What nodes share over Redis: the contracts, and what nodes and servers do when they fail.

mod redis;
