//! The waiting room's use cases. So far: what visitors carry.

mod tokens;

pub use tokens::{LineKey, LineTokens, PassToken, PlaceToken, TokenError};
