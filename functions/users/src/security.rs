//! The security log: one line for what somebody who guards the accounts wants to hear of, and a metric that alarms watch.
//!
//! The line names the account by id, and the author and source of the request, which are needed to stop an attack. `docs/LOGGING.md` has the kinds.

use boxoffice_kernel::{Actor, Correlation, UserId};
use boxoffice_runtime::{
    address,
    config::ConfigError,
    http,
    metrics::{About, Metric, Metrics},
};
use lambda_http::Request;

/// An incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incident {
    /// An address or device guessed so often that it is locked out of an account.
    SourceLockedOut,
    /// Strangers guessed so often that every stranger has to wait at an account.
    AccountGuarded,
    /// A refresh token was used whose successors were used: it was copied, and its session has ended.
    RefreshTokenReused,
    /// Codes of an account's app were wrong so often that no other is heard for an hour: somebody knows its password.
    SecondFactorGuarded,
    /// An ADMIN took a user's second factor away.
    SecondFactorReset,
    /// An ADMIN suspended a user.
    UserSuspended,
    /// An ADMIN gave a user another role.
    RoleChanged,
}

impl Incident {
    /// Its name, in the line and as the metric's dimension.
    pub fn name(self) -> &'static str {
        match self {
            Self::SourceLockedOut => "SourceLockedOut",
            Self::AccountGuarded => "AccountGuarded",
            Self::RefreshTokenReused => "RefreshTokenReused",
            Self::SecondFactorGuarded => "SecondFactorGuarded",
            Self::SecondFactorReset => "SecondFactorReset",
            Self::UserSuspended => "UserSuspended",
            Self::RoleChanged => "RoleChanged",
        }
    }
}

/// The request that an incident came by.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The user who was logged in, or nobody.
    pub actor: Actor,
    /// The address, as failed log-ins are counted.
    pub address: String,
    /// The request itself.
    pub correlation_id: Correlation,
}

impl Origin {
    /// That of a request.
    pub fn of(request: &Request) -> Self {
        let (trace, address) = (http::trace(request), address::of(request));
        Self { actor: trace.actor, address, correlation_id: trace.correlation_id }
    }
}

/// Where it is noted.
#[derive(Debug, Clone)]
pub struct SecurityLog(Metrics);

impl SecurityLog {
    /// The log that counts here.
    pub fn new(metrics: Metrics) -> Self {
        Self(metrics)
    }

    /// The log of the stack that the environment names.
    ///
    /// # Errors
    /// When it does not.
    pub fn from_env() -> Result<Self, ConfigError> {
        Metrics::from_env().map(Self)
    }

    /// Notes what happened to an account; `None` where nobody has the name that was tried.
    pub fn note(&self, incident: Incident, user: Option<UserId>, origin: &Origin) {
        let user = user.map(|user| user.to_string()).unwrap_or_default();
        tracing::warn!(
            incident = incident.name(),
            user_id = user,
            actor = %origin.actor,
            source = origin.address,
            correlation_id = %origin.correlation_id,
            "security"
        );
        let about = About { by: Some(("Incident", incident.name())), found_by: None };
        self.0.write_about(&[Metric::count("SecurityIncidents", 1)], about);
    }
}
