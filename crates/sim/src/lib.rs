//! Seeded simulations in virtual time, with the real code of the domain.
//!
//! A simulation is its seed: the same arguments give the same run, down to the last visitor.

pub mod line;
pub mod plot;
