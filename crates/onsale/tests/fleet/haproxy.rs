//! What HAProxy and the nodes do for each other.

mod addresses;
mod leaving;
mod rules;
mod watching;
