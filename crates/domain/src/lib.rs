//! The rules of a sale: pure code without IO, async, clock or randomness.
//!
//! Everything a rule needs comes in as an argument, the time and new ids
//! included, so every rule can be tested exhaustively and simulated in virtual
//! time. The heart is [`decide`]: facts and commands in, answers and changes out.

pub mod catalogue;
pub mod decide;
pub mod hall;
pub mod ids;
pub mod item;
pub mod limits;
pub mod line;
pub mod money;
pub mod offer;
pub mod order;
pub mod popularity;
pub mod sale;
pub mod search;
pub mod shedding;
pub mod side_by_side;
pub mod text;
pub mod time;
pub mod unpaid;
pub mod user;
pub mod wallet;
