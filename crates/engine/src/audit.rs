//! The audit: does what is written agree with itself?
