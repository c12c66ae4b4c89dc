//! Gives a notification up, and says why.
//!
//! | | |
//! |---|---|
//! | trigger | state `Fail Notification` of the notification machine, when sending has failed for good |
//! | reads | the notification (AP-103) |
//! | writes | the notification (AP-107) |
//! | emits | `NotificationFailed` |
//! | fails with | `Transient`, `Defect` |
//! | undo | none: it takes nothing |
//! | safe to repeat | what is settled stays so; what another execution is sending is left to it |

use super::send_notification::UNDELIVERABLE;
use crate::{NotificationStore, domain::Notification, store::ChangeError};
use boxoffice_kernel::{NotificationId, Trace};
use boxoffice_runtime::{StepFailure, task::Failure};
use serde::Deserialize;

/// What to give up, and why.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenUp {
    /// The notification.
    pub notification_id: NotificationId,
    /// This execution of the state machine.
    pub execution_arn: String,
    /// Where the change comes from.
    pub trace: Trace,
    /// The error that ended it.
    pub failure: Failure,
}

/// What Lambda reports of a function that failed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cause {
    error_message: String,
}

/// A refusal has its own words. Any other error's are for the log: its user learns only that it was tried.
fn reason(failure: &Failure, notification: &Notification) -> String {
    let refusal = || serde_json::from_str::<Cause>(&failure.cause).ok().map(|cause| cause.error_message);
    let said = (failure.error == UNDELIVERABLE).then(refusal).flatten();
    said.unwrap_or_else(|| match notification.attempts {
        0 | 1 => "It could not be sent.".to_owned(),
        attempts => format!("It could not be sent, though it was tried {attempts} times."),
    })
}

/// Succeeds when there is nothing left to settle for this execution.
///
/// # Errors
/// See the table above.
pub async fn run(store: &NotificationStore, given_up: GivenUp) -> Result<(), StepFailure> {
    let GivenUp { notification_id, execution_arn, trace, failure } = given_up;
    let reason = |notification: &Notification| reason(&failure, notification);
    match store.mark_failed(notification_id, &execution_arn, reason, &trace).await {
        Ok(failed) => {
            tracing::error!(
                %notification_id,
                correlation_id = %failed.correlation_id,
                error = failure.error,
                cause = failure.cause,
                "notification failed"
            );
            Ok(())
        }
        Err(ChangeError::Unchanged(other)) => {
            tracing::warn!(%notification_id, error = failure.error, %other, "notification left as it is");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Content, FreeText};
    use boxoffice_kernel::{Channel, EventId, Timestamp, UserId};

    fn tried(times: u32) -> Notification {
        let text: FreeText = "The doors open at seven.".parse().unwrap();
        let (id, user) = (NotificationId::generate(), UserId::generate());
        let content = Content::Message(text.clone());
        let correlation = EventId::generate().into();
        let new = Notification::new(id, user, Channel::Email, content, text, correlation, Timestamp::now());
        Notification { attempts: times, ..new }
    }

    fn failure(error: &str, cause: &str) -> Failure {
        Failure { step: "Send Notification".into(), error: error.into(), cause: cause.into() }
    }

    #[test]
    fn a_refusal_is_said_and_anything_else_is_not() {
        let refused = failure(UNDELIVERABLE, r#"{"errorType":"Undeliverable","errorMessage":"the user is gone"}"#);
        assert_eq!(reason(&refused, &tried(1)), "the user is gone");
        let broken = failure("Transient", r#"{"errorMessage":"table arn:aws:dynamodb:…"}"#);
        assert_eq!(reason(&broken, &tried(4)), "It could not be sent, though it was tried 4 times.");
        assert_eq!(reason(&failure("Lambda.Unknown", "no JSON"), &tried(1)), "It could not be sent.");
    }
}
