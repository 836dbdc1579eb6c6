//! Several nodes behind one address: what they share.

mod redis;
