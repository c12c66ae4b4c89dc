//! `boxoffice notifications`: messages to users, and those that were given up.

use super::stack::{Asker, Configuration, Stack, progress, trace};
use crate::outcome::{Done, Failure};
use boxoffice_aws::{Cursor, EventStore, Limit, client};
use boxoffice_kernel::{NotificationId, Operator, Reason};
use boxoffice_notifications::{
    NotificationStore,
    domain::{Notification, Status},
    handlers::{answer::NotificationView, resend_notification::resend, send_notification::USER_GONE},
    store::{ChangeError, NotificationList},
};
use clap::{Args, Subcommand};
use serde_json::json;

const LIST: &str = "Examples:
  boxoffice notifications list
  boxoffice notifications list --status PENDING --limit 100 --json";

const RESEND: &str = "Examples:
  boxoffice notifications resend ntf_01a2089d219f76018b82096b83a0f29b --reason 'the sender is verified now'
  boxoffice notifications resend --all-failed --reason 'SES sends again'";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the messages of a status, newest first, each with the reason why it failed.
    #[command(after_help = LIST)]
    List(List),
    /// Have a failed message sent again, or all of them, once what was in the way is repaired.
    #[command(after_help = RESEND)]
    Resend(Resend),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// The status: PENDING, SENT or FAILED.
    #[arg(long, default_value = "FAILED")]
    status: Status,
    /// How many, at most: 1 to 100.
    #[arg(long, default_value = "20")]
    limit: Limit,
    /// Where to go on: what the list before said is next.
    #[arg(long)]
    next: Option<Cursor>,
    #[command(flatten)]
    stack: Stack,
}

#[derive(Debug, Args)]
pub(crate) struct Resend {
    /// The notification.
    #[arg(required_unless_present = "all_failed", conflicts_with = "all_failed")]
    notification: Option<NotificationId>,
    /// Every message that is FAILED, but for those of users who are gone.
    #[arg(long)]
    all_failed: bool,
    /// Why: 1 to 300 characters, kept with the act.
    #[arg(long)]
    reason: Reason,
    #[command(flatten)]
    asker: Asker,
    #[command(flatten)]
    stack: Stack,
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NotFound | ChangeError::Unchanged(_) => Self::Refused(error.to_string()),
            ChangeError::Store(error) => error.into(),
        }
    }
}

async fn store(stack: &Stack) -> Result<NotificationStore, Failure> {
    let sdk = client::sdk_config();
    let configuration = Configuration::of(&sdk, &stack.stack, "resend-notification").await?;
    let events = EventStore::new(configuration.variable("EVENTS_TABLE")?);
    Ok(NotificationStore::new(client::dynamodb(&sdk), configuration.variable("NOTIFICATIONS_TABLE")?, events))
}

impl Command {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        match self {
            Self::List(List { status, limit, next, stack }) => {
                let page = store(&stack).await?.list(NotificationList::WithStatus(status), limit, next).await?;
                let lines = page.items.iter().map(line);
                let more = page.next.as_ref().map(|next| format!("more: --next {next}"));
                let words = lines.chain(more).collect::<Vec<_>>().join("\n");
                let words = if words.is_empty() { "none".to_owned() } else { words };
                let items: Vec<NotificationView> = page.items.into_iter().map(NotificationView::from).collect();
                Ok(Done { words, facts: json!({ "items": items, "next": page.next }) })
            }
            Self::Resend(Resend { notification, reason, asker, stack, .. }) => {
                let (store, operator) = (store(&stack).await?, asker.operator()?);
                match notification {
                    Some(id) => resend_one(&store, id, &operator, &reason).await,
                    None => resend_all(&store, &operator, &reason).await,
                }
            }
        }
    }
}

fn line(notification: &Notification) -> String {
    let Notification { id, status, channel, user_id, created_at, .. } = notification;
    let why = notification.failure_reason.as_deref().map(|why| format!("  {why}")).unwrap_or_default();
    format!("{id}  {status:<7}  {created_at}  {channel:<5}  {user_id}{why}")
}

async fn resend_one(
    store: &NotificationStore,
    id: NotificationId,
    operator: &Operator,
    reason: &Reason,
) -> Result<Done, Failure> {
    let notification = resend(store, id, operator, reason, &trace(operator)).await?;
    let words = format!("{id} is {}: sending it again is requested (by {operator})", notification.status);
    Ok(Done { words, facts: json!({ "notificationId": id, "status": notification.status, "requestedBy": operator }) })
}

async fn resend_all(store: &NotificationStore, operator: &Operator, reason: &Reason) -> Result<Done, Failure> {
    let (mut requested, mut left, mut next) = (0_usize, 0_usize, None);
    loop {
        let page = store.list(NotificationList::WithStatus(Status::Failed), Limit::LARGEST, next).await?;
        for notification in page.items {
            if notification.failure_reason.as_deref() == Some(USER_GONE) {
                left += 1;
                continue;
            }
            match resend(store, notification.id, operator, reason, &trace(operator)).await {
                Ok(_) => requested += 1,
                // It changed since it was listed.
                Err(ChangeError::NotFound | ChangeError::Unchanged(_)) => left += 1,
                Err(error) => return Err(error.into()),
            }
        }
        progress(&format!("{requested} requested, {left} left as they are"));
        next = page.next;
        if next.is_none() {
            let words = format!("sending again is requested of {requested} messages (by {operator}); {left} are left");
            return Ok(Done { words, facts: json!({ "requested": requested, "left": left, "requestedBy": operator }) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_kernel::{Channel, EventId, Timestamp, UserId};
    use boxoffice_notifications::content::{Content, FreeText};

    #[test]
    fn a_failed_message_is_listed_with_its_reason() {
        let text: FreeText = "The doors open at seven.".parse().unwrap();
        let (id, user) = (NotificationId::generate(), UserId::generate());
        let content = Content::Message(text.clone());
        let correlation = EventId::generate().into();
        let new = Notification::new(id, user, Channel::Email, content, text, correlation, Timestamp::now());
        let failed = new.failed("an-invocation", "SES refused the message: MessageRejected".into(), Timestamp::now());
        let line = line(&failed.unwrap());
        assert!(
            line.starts_with(&id.to_string()) && line.ends_with("SES refused the message: MessageRejected"),
            "{line}"
        );
        assert!(!line.contains("doors"), "{line}");
    }
}
