//! A failure in words, with the line of the test it happened at.

use std::{error::Error, fmt, panic::Location};

/// Something did not go as it should have: a sentence a person can act on.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure(String);

/// The result of a helper.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure in these words.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// The same failure, with what was being done when it happened in front.
    #[must_use]
    pub fn during(self, what: impl fmt::Display) -> Self {
        Self(format!("{what}: {}", self.0))
    }

    /// A failure of another crate's call: its message and those of all its causes, for an SDK's first message says little.
    pub fn of(what: impl fmt::Display, error: &dyn Error) -> Self {
        let mut words = format!("{what}: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            words.push_str(": ");
            words.push_str(&error.to_string());
            cause = error.source();
        }
        Self(words)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As it displays: the test harness prints what a test returns with `{:?}`.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Failure {}

/// The result of a test. The conversion, made by `?`, notes the line of the test.
pub type Verdict = Result<(), FailedAt>;

/// A [`Failure`], and the line of the test that met it.
pub struct FailedAt {
    failure: Failure,
    line: &'static Location<'static>,
}

impl From<Failure> for FailedAt {
    #[track_caller]
    fn from(failure: Failure) -> Self {
        Self { failure, line: Location::caller() }
    }
}

impl fmt::Debug for FailedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  at {}", self.failure, self.line)
    }
}

/// Fails with these words unless the condition holds; `assert!` for code that reports rather than panics.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err($crate::Failure::new(format!($($words)+)).into());
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_test_names_its_line() {
        fn test() -> Verdict {
            Err(Failure::new("no seats"))?;
            Ok(())
        }
        let told = format!("{:?}", test().unwrap_err());
        assert!(told.starts_with("no seats\n  at ") && told.contains("failure.rs:"), "{told}");
    }
}
