//! Configuration from the environment, read once when the function starts.

use std::str::FromStr;

/// A variable without which the function cannot work.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is not there.
    #[error("environment variable {0} is not set; template.yaml sets it for every function that needs it")]
    Missing(&'static str),
    /// It is there and means nothing.
    #[error("environment variable {name} cannot be read: {why}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

/// The variable's text.
///
/// # Errors
/// When it is not set.
pub fn required(name: &'static str) -> Result<String, ConfigError> {
    std::env::var(name).map_err(|_| ConfigError::Missing(name))
}

/// The variable's value.
///
/// # Errors
/// When it is not set or does not parse.
pub fn parsed<T>(name: &'static str) -> Result<T, ConfigError>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    required(name)?.parse().map_err(|why: T::Err| ConfigError::Invalid { name, why: why.to_string() })
}
