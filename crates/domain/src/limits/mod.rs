//! Limits: how often somebody may ask for something, and who is blocked.
//!
//! Two kinds of rule. A [`CountRule`] counts requests whatever becomes of them ([`Count`]): the
//! fixed window that the Redis manual describes under INCR, beginning with a key's first request,
//! with a block for whoever exceeds it, and within it the generic cell rate algorithm of ITU-T
//! I.371 for bursts. An [`AllowanceRule`] is used up only by what comes of a request
//! ([`Allowance`]): a sliding log of at most [`ALLOWANCE_MAX`] uses.

mod allowance;
mod count;
mod subject;

use std::sync::Arc;

pub use allowance::{ALLOWANCE_MAX, Allowance, AllowanceRule};
pub use count::{Count, CountRule};
pub use subject::{Subject, SubjectError};

use crate::time::Timestamp;

/// What a rule is called, in configuration, headers and the list of blocks.
pub type RuleName = Arc<str>;

/// What a rule says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may go on.
    Allowed {
        /// How many more may.
        left: u32,
        /// When there is more again.
        more_at: Timestamp,
    },
    /// It may not, and neither may others before `until`.
    Refused {
        /// When to come back.
        until: Timestamp,
        /// Whether it is a block rather than waiting for one's turn.
        blocked: bool,
    },
}

impl Verdict {
    /// Whether the request may go on.
    #[must_use]
    pub const fn is_allowed(self) -> bool {
        matches!(self, Self::Allowed { .. })
    }
}
