//! Writing to standard output and standard error without ever panicking.
//!
//! The macros here stand in for those of the standard library, which panic when nobody reads any more:
//! `onsale audit | head -1` is no defect, and a server whose banner nobody reads serves all the same.

use std::{
    fmt::Arguments,
    io::{ErrorKind, Write, stderr, stdout},
    sync::atomic::{AtomicBool, Ordering},
};

/// Something that was to be printed could not be written, as on a full disk.
static FAILED: AtomicBool = AtomicBool::new(false);

/// Prints to standard output.
pub(crate) fn print(text: Arguments<'_>) {
    let mut out = stdout().lock();
    if let Err(error) = out.write_fmt(text).and_then(|()| out.flush())
        // Whoever read it has seen enough.
        && error.kind() != ErrorKind::BrokenPipe
    {
        FAILED.store(true, Ordering::Relaxed);
    }
}

/// Prints to standard error, if that can be written.
pub(crate) fn print_error(text: Arguments<'_>) {
    let _ = stderr().lock().write_fmt(text);
}

/// Whether something that was to be printed is missing.
pub(crate) fn failed() -> bool {
    FAILED.load(Ordering::Relaxed)
}

macro_rules! print {
    ($($text:tt)*) => { $crate::out::print(format_args!($($text)*)) };
}

macro_rules! println {
    ($($text:tt)*) => { $crate::out::print(format_args!("{}\n", format_args!($($text)*))) };
}

macro_rules! eprintln {
    ($($text:tt)*) => { $crate::out::print_error(format_args!("{}\n", format_args!($($text)*))) };
}
