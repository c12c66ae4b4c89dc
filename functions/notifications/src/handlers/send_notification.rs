//! Sends a notification, unless that has been done.
//!
//! | | |
//! |---|---|
//! | trigger | state `Send Notification` of the notification machine |
//! | reads | the notification (AP-103), where the user is reached (AP-102) |
//! | writes | the claim (AP-105), the notification (AP-106); hands the message over |
//! | emits | `NotificationSent` |
//! | fails with | `Undeliverable`; `Transient`, also while another execution is sending it; `Defect` |
//! | undo | none: what is handed over is on its way |
//! | safe to repeat | one execution at a time sends, and none after it is marked sent; only between the two can a crash send it twice |

use crate::{
    NotificationStore,
    domain::{Address, NotToSend, Notification, Status},
    sender::{MessageSender, SendError},
    store::{ChangeError, Claim, Known},
};
use boxoffice_kernel::{NotificationId, Trace};
use boxoffice_runtime::StepFailure;
use serde::{Deserialize, Serialize};

/// What will never be taken.
pub const UNDELIVERABLE: &str = "Undeliverable";

/// The names of this step's refusals in the state machine's contract.
pub const REFUSALS: [&str; 1] = [UNDELIVERABLE];

/// What to send, and who asks.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dispatch {
    /// The notification.
    pub notification_id: NotificationId,
    /// This execution of the state machine.
    pub execution_arn: String,
    /// Where the change comes from.
    pub trace: Trace,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Dispatched {
    /// Where it is now.
    pub status: Status,
}

/// Succeeds when there is nothing left to send.
///
/// # Errors
/// See the table above.
pub async fn run(
    store: &NotificationStore,
    sender: &impl MessageSender,
    dispatch: Dispatch,
) -> Result<Dispatched, StepFailure> {
    let id = dispatch.notification_id;
    let notification = match store.claim(id, &dispatch.execution_arn).await? {
        Claim::Taken(notification) => notification,
        Claim::Refused(NotToSend::Settled(status)) => return Ok(Dispatched { status }),
        Claim::Refused(NotToSend::Deleted) => return Ok(Dispatched { status: Status::Pending }),
        Claim::Refused(leased @ NotToSend::Leased(_)) => return Err(StepFailure::Transient(leased.to_string())),
    };
    hand_over(store, sender, &notification).await?;
    match store.mark_sent(id, &dispatch.trace).await {
        Ok(sent) => {
            tracing::info!(
                notification_id = %id,
                template = ?sent.template(),
                channel = %sent.channel,
                attempts = sent.attempts,
                correlation_id = %sent.correlation_id,
                "notification sent"
            );
            Ok(Dispatched { status: Status::Sent })
        }
        // By another execution, after this one's lease.
        Err(ChangeError::Unchanged(NotToSend::Settled(status))) => Ok(Dispatched { status }),
        Err(error) => Err(error.into()),
    }
}

async fn hand_over(
    store: &NotificationStore,
    sender: &impl MessageSender,
    notification: &Notification,
) -> Result<(), StepFailure> {
    let Some(Known::Contact(contact)) = store.contact(notification.user_id).await? else {
        return Err(undeliverable("the user is gone".to_owned()));
    };
    let address = Address::of(&contact, notification.channel)
        .ok_or_else(|| undeliverable(format!("the user has no address for {}", notification.channel)))?;
    let message = notification.content.compose(&contact.first_name);
    let message = message.map_err(|error| StepFailure::Defect(error.to_string()))?;
    sender.send(address, &message).await.map_err(|error| match error {
        SendError::Refused(why) => undeliverable(why),
        SendError::Unavailable(why) => StepFailure::Transient(why),
    })
}

fn undeliverable(detail: String) -> StepFailure {
    StepFailure::Refused { name: UNDELIVERABLE, detail }
}

impl From<ChangeError> for StepFailure {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Store(error) => error.into(),
            ChangeError::NotFound | ChangeError::Unchanged(_) => Self::Defect(error.to_string()),
        }
    }
}
