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
        /// The error.
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

/// The function of its program that this process is: the `Handler` of the function in the template, which Lambda gives to a runtime of one's own as `_HANDLER`
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>).
///
/// # Errors
/// When it is not set.
pub fn function() -> Result<String, ConfigError> {
    required("_HANDLER")
}

/// The refusal of a program that has no function of this name.
#[must_use]
pub fn unknown_function(name: &str) -> ConfigError {
    ConfigError::Invalid { name: "_HANDLER", why: format!("this program has no function {name}") }
}

/// The variable's text; nothing when it is not set or is empty, as a template's parameter is that was left out.
pub fn optional(name: &'static str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
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
