//! One conformance suite per port, run on every adapter, so that adapters cannot drift apart.
//!
//! Every case takes a fresh, empty store and panics with a plain message if it does not hold.

pub mod sale;
