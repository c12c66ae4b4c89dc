//! The push endpoints that messages may go to: those of the platform application that the deployment names. With any other, a user could have our messages sent to
//! an endpoint in somebody else's account.

use boxoffice_kernel::PushEndpoint;
use boxoffice_runtime::config::{self, ConfigError};

/// A platform application of SNS, or none.
#[derive(Debug, Clone, Default)]
pub struct PushApplication {
    /// The prefix of the ARN of each of its endpoints.
    endpoints: Option<String>,
}

impl PushApplication {
    /// The application of this ARN (`arn:…:app/<platform>/<name>`); none where it is empty.
    pub fn new(arn: &str) -> Self {
        let endpoints = (!arn.is_empty()).then(|| format!("{}/", arn.replacen(":app/", ":endpoint/", 1)));
        Self { endpoints }
    }

    /// The application that the environment names.
    ///
    /// # Errors
    /// When the variable is missing; it may be empty.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self::new(&config::required("PUSH_APPLICATION_ARN")?))
    }

    /// Whether this endpoint is one of it.
    pub fn has(&self, endpoint: &PushEndpoint) -> bool {
        self.endpoints.as_ref().is_some_and(|endpoints| endpoint.as_str().starts_with(endpoints.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_endpoints_of_the_configured_application_are_taken() {
        let ours = PushApplication::new("arn:aws:sns:eu-central-1:123456789012:app/GCM/boxoffice");
        let takes = |application: &PushApplication, endpoint: &str| application.has(&endpoint.parse().unwrap());
        assert!(takes(&ours, "arn:aws:sns:eu-central-1:123456789012:endpoint/GCM/boxoffice/5e3e9847"));
        for other in [
            "arn:aws:sns:eu-central-1:999999999999:endpoint/GCM/boxoffice/5e3e9847",
            "arn:aws:sns:us-east-1:123456789012:endpoint/GCM/boxoffice/5e3e9847",
            "arn:aws:sns:eu-central-1:123456789012:endpoint/GCM/boxoffice2/5e3e9847",
            "arn:aws:sns:eu-central-1:123456789012:endpoint/APNS/boxoffice/5e3e9847",
        ] {
            assert!(!takes(&ours, other), "{other}");
        }
        assert!(!takes(&PushApplication::new(""), "arn:aws:sns:eu-central-1:123456789012:endpoint/GCM/boxoffice/1"));
    }
}
