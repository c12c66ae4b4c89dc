//! Tells a user what an event means for them: records the message, hands it over, and marks what became of it.
//!
//! | | |
//! |---|---|
//! | trigger | the notification queue, a message at a time; rules of the bus put events there |
//! | reads | where the user is reached (AP-102), the notification (AP-103); of a mail about a ticket its codes, from `draw-ticket-codes` |
//! | writes | where the user is reached (AP-100, AP-101), the notification (AP-104 to AP-107, AP-260), budgets (AP-402, AP-407); hands the message over; the dead-letter queue; metrics |
//! | emits | `NotificationRequested`, `NotificationSent`, `NotificationFailed` |
//! | safe to repeat | a notification's id follows from the event's, and the first record decides; one invocation at a time sends, and none after it is marked sent; of a user the latest version stays |
//!
//! | What came of it | Then |
//! |---|---|
//! | handed over | SENT |
//! | the service refuses this message or address, the user has no verified address for the channel, or is gone | FAILED at once |
//! | over the budget of the user's day or of the hour; the ticket has no admissions yet, or its codes cannot be drawn | as throttled |
//! | throttled, out of quota, answered with an error, not reached | the message comes again, for a day ([`patience`]); then FAILED |
//! | no answer, or the function died | the message comes again when its lease is over, [`MOST_UNANSWERED`](crate::domain::MOST_UNANSWERED) times at most; then FAILED |
//! | not recorded, or not understood | the message comes again; then it is in the dead-letter queue with the reason |

use crate::{
    NotificationStore,
    aws_sender::AwsSender,
    codes::{AdmissionsFunction, Codes, TicketCodes},
    content::Content,
    domain::{Address, NotToSend, Notification, Unreachable},
    patience,
    queue::{Batch, Failure, Failures, Letter, Queue},
    record::{Concerned, Recorded, previous_email, record},
    sender::{MessageSender, SendError},
    store::{ChangeError, Claim, Known},
};
use boxoffice_aws::{HourlyBudget, StoreError, client};
use boxoffice_kernel::{Channel, Contact, NotificationId, Timestamp, Trace, UserId};
use boxoffice_runtime::{
    Event, Metrics, StepFailure,
    config::{self, ConfigError},
    metrics::{About, Metric},
};

/// The reason of a message whose user was deleted before it was sent.
pub const USER_GONE: &str = "the user is gone";

/// How many messages there may be.
#[derive(Debug, Clone)]
pub struct Budgets {
    /// To a user on a day (UTC).
    pub per_user_and_day: u32,
    /// To everybody in an hour.
    pub hourly: HourlyBudget,
}

/// The parts that sending needs.
#[derive(Debug, Clone)]
pub struct Office<S, C> {
    /// The notifications.
    pub store: NotificationStore,
    /// Delivers messages.
    pub sender: S,
    /// Draws the codes of tickets.
    pub codes: C,
    /// Where they wait.
    pub queue: Queue,
    /// Counts outcomes.
    pub metrics: Metrics,
    /// How many messages there may be.
    pub budgets: Budgets,
}

/// Why a message is not out of the queue yet.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Unsent {
    /// The user is gone: nobody is to be told, and nobody needs to look.
    UserGone,
    /// The address may be anybody's: its user has to verify it, and nobody needs to look.
    Unverified(String),
    /// It will never be taken, for this reason.
    Refused(String),
    /// The service did not take it, and may later.
    NotTaken(String),
    /// Not by this invocation, or not now.
    Failed(StepFailure),
}

impl From<StepFailure> for Unsent {
    fn from(failure: StepFailure) -> Self {
        Self::Failed(failure)
    }
}

impl From<StoreError> for Unsent {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<ChangeError> for Unsent {
    fn from(error: ChangeError) -> Self {
        Self::Failed(error.into())
    }
}

impl Unsent {
    fn is_final(&self) -> bool {
        matches!(self, Self::UserGone | Self::Unverified(_) | Self::Refused(_))
    }

    fn is_defect(&self) -> bool {
        matches!(self, Self::Failed(StepFailure::Defect(_) | StepFailure::Refused { .. }))
    }

    /// In a log.
    fn cause(&self) -> String {
        match self {
            Self::UserGone => USER_GONE.to_owned(),
            Self::Unverified(why) | Self::Refused(why) | Self::NotTaken(why) => why.clone(),
            Self::Failed(failure) => failure.to_string(),
        }
    }

    /// For whoever may read the notification. A failure of ours has words that are for the log alone.
    fn reason(&self, notification: &Notification) -> String {
        let tried = format!("tried {} times", notification.attempts);
        match self {
            Self::UserGone | Self::Unverified(_) | Self::Refused(_) => self.cause(),
            Self::NotTaken(why) => format!("{why}; {tried}"),
            Self::Failed(_) => format!("It could not be sent; {tried}"),
        }
    }
}

impl Office<AwsSender, AdmissionsFunction> {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing.
    pub fn from_env() -> Result<Self, ConfigError> {
        let sdk = client::sdk_config();
        Ok(Self {
            store: crate::store_from_env()?,
            sender: AwsSender::from_env(&sdk)?,
            codes: AdmissionsFunction::from_env(&sdk)?,
            queue: Queue::from_env(&sdk)?,
            metrics: Metrics::from_env()?,
            budgets: Budgets {
                per_user_and_day: config::parsed("MESSAGES_PER_USER_AND_DAY")?,
                hourly: HourlyBudget::new(
                    client::dynamodb(&sdk),
                    config::required("NOTIFICATIONS_TABLE")?,
                    "MESSAGES",
                    config::parsed("MESSAGES_PER_HOUR")?,
                ),
            },
        })
    }
}

fn address<'a>(notification: &Notification, contact: &'a Contact) -> Result<Address<'a>, Unsent> {
    Address::of(contact, notification.channel, &notification.content).map_err(|unreachable| match unreachable {
        Unreachable::NoAddress(_) => Unsent::Refused(unreachable.to_string()),
        Unreachable::Unverified(_) => Unsent::Unverified(unreachable.to_string()),
    })
}

impl<S: MessageSender, C: TicketCodes> Office<S, C> {
    /// Sends what there is to send, and says which messages stay in the queue. `who` names this invocation and no other.
    pub async fn serve(&self, batch: Batch, who: &str) -> Failures {
        let mut failures = Failures::default();
        for letter in batch.letters {
            if !self.handle(&letter, who).await {
                failures.batch_item_failures.push(Failure { item_identifier: letter.message_id });
            }
        }
        failures
    }

    /// Whether the message is done with.
    async fn handle(&self, letter: &Letter, who: &str) -> bool {
        let event = match letter.event() {
            Ok(event) => event,
            Err(defect) => return self.put_off(letter, &defect.into()).await,
        };
        match self.tell(letter, &event, who).await {
            Ok(()) => true,
            Err(unsent) => self.put_off(letter, &unsent).await,
        }
    }

    /// Succeeds when everything that the event leads to is sent, held or given up.
    async fn tell(&self, letter: &Letter, event: &Event, who: &str) -> Result<(), Unsent> {
        if event.kind() == "UserDeleted" {
            self.say_goodbye(event).await?;
        }
        match record(&self.store, event, who).await? {
            Some(recorded) => self.settle(recorded, letter, event, who).await,
            None => Ok(()),
        }
    }

    /// Sends the notification, or gives it up when that is final or was tried for long enough.
    async fn settle(&self, recorded: Recorded, letter: &Letter, event: &Event, who: &str) -> Result<(), Unsent> {
        let id = recorded.id();
        match self.send(recorded, event, who).await {
            Err(unsent)
                if unsent.is_final() || patience::is_over(letter.tried(Timestamp::now()), unsent.is_defect()) =>
            {
                Ok(self.give_up(id, &unsent, &event.cause(), who).await?)
            }
            settled => settled,
        }
    }

    /// Tells a user that their account is gone, at the address that is about to be forgotten: no event has it. It is not on any list, whose reader is gone.
    /// Tried once, for no outage of a mail service keeps an address that is to be forgotten.
    async fn say_goodbye(&self, event: &Event) -> Result<(), Unsent> {
        let user = event.data::<Concerned>()?.user_id;
        let Some(Known::Contact(contact)) = self.store.contact(user).await? else { return Ok(()) };
        if !contact.email_verified {
            return Ok(());
        }
        let message = Content::AccountDeleted.compose(&contact.first_name);
        let message = message.map_err(|error| StepFailure::Defect(error.to_string()))?;
        if let Err(error) = self.sender.send(Address::Email(&contact.email), &message).await {
            tracing::warn!(user_id = %user, %error, "a user was not told that their account is deleted");
        }
        Ok(())
    }

    /// Leaves the message in the queue, out of sight for a while; when that has been done for long enough, puts it aside. Whether it is done with.
    async fn put_off(&self, letter: &Letter, unsent: &Unsent) -> bool {
        let tried = letter.tried(Timestamp::now());
        let cause = unsent.cause();
        if patience::is_over(tried, unsent.is_defect()) {
            let buried = self.queue.bury(letter, &cause).await;
            return buried
                .inspect_err(|error| tracing::error!(%error, cause, "a message of the queue cannot be put aside"))
                .is_ok();
        }
        let seconds = patience::wait(tried, fastrand::u32(..));
        let message_id = &letter.message_id;
        tracing::warn!(message_id, cause, receives = tried.times, seconds, "notification put off");
        self.queue.hide(letter, seconds).await;
        false
    }

    /// Succeeds when there is nothing left to send now.
    async fn send(&self, recorded: Recorded, event: &Event, who: &str) -> Result<(), Unsent> {
        let notification = match recorded {
            Recorded::New(notification) => notification,
            Recorded::Known(id) => match self.store.claim(id, who).await? {
                Claim::Taken(notification) => notification,
                Claim::Refused(NotToSend::Settled(_) | NotToSend::Deleted | NotToSend::NotFailed(_)) => {
                    return Ok(());
                }
                Claim::Refused(leased @ NotToSend::Leased(_)) => {
                    return Err(StepFailure::Transient(leased.to_string()).into());
                }
                Claim::Refused(unanswered @ NotToSend::Unanswered(_)) => {
                    return Err(Unsent::Refused(unanswered.to_string()));
                }
            },
        };
        let handed_over = self.hand_over(&notification, event).await;
        if let Err(Unsent::NotTaken(_)) = &handed_over {
            self.store.put_back(notification.id, who).await?;
        }
        handed_over?;
        match self.store.mark_sent(notification.id, &event.cause()).await {
            Ok(sent) => {
                tracing::info!(
                    notification_id = %sent.id,
                    template = ?sent.template(),
                    channel = %sent.channel,
                    attempts = sent.attempts,
                    correlation_id = %sent.correlation_id,
                    "notification sent"
                );
                Ok(())
            }
            // By another invocation, after this one's lease.
            Err(ChangeError::Unchanged(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn hand_over(&self, notification: &Notification, event: &Event) -> Result<(), Unsent> {
        let user = notification.user_id;
        let contact = self.contact(user).await?;
        let previous = previous_email(event)?.filter(|_| notification.channel == Channel::Email);
        let address = match &previous {
            Some(before) => Address::Email(before),
            None => address(notification, &contact)?,
        };
        let is_mail = matches!(address, Address::Email(_));
        // In this order: a message over its user's budget has nothing drawn, and one without its codes spends nothing of the hour.
        self.spend_of_day(notification).await?;
        let codes = if is_mail { self.codes(notification).await? } else { Codes::default() };
        self.spend_of_hour().await?;
        let message = if is_mail {
            notification.content.compose_mail(&contact.first_name, codes, Timestamp::now())
        } else {
            notification.content.compose(&contact.first_name)
        };
        let message = message.map_err(|error| StepFailure::Defect(error.to_string()))?;
        self.sender.send(address, &message).await.map_err(|error| match error {
            SendError::Refused(why) => Unsent::Refused(why),
            SendError::Unavailable(why) => Unsent::NotTaken(why),
            SendError::Unanswered(why) => Unsent::Failed(StepFailure::Transient(why)),
        })
    }

    /// The codes of a mail about a ticket, as they are now. Without them it waits: nothing was sent yet.
    async fn codes(&self, notification: &Notification) -> Result<Codes, Unsent> {
        let content = &notification.content;
        let Some(ticket) = content.ticket_with_codes() else { return Ok(Codes::default()) };
        let codes = self.codes.codes(ticket).await.map_err(|error| {
            tracing::warn!(notification_id = %notification.id, %error, "the codes of a ticket were not drawn");
            Unsent::NotTaken("the codes of the ticket could not be drawn".to_owned())
        })?;
        if codes.admissions == 0 && content.waits_for_admissions() {
            return Err(Unsent::NotTaken("the ticket has no admissions yet".to_owned()));
        }
        Ok(codes)
    }

    /// Where the user is reached now, not when the message was recorded: an address may be another since, and a user may be gone.
    async fn contact(&self, user: UserId) -> Result<Contact, Unsent> {
        match self.store.contact(user).await? {
            Some(Known::Contact(contact)) => Ok(contact),
            _ => Err(Unsent::UserGone),
        }
    }

    /// Counts the message in the budgets. A notice about the account is none of its user's, so that nobody hides it behind a day's worth of others.
    async fn spend_of_day(&self, notification: &Notification) -> Result<(), Unsent> {
        let (now, user) = (Timestamp::now(), notification.user_id);
        let is_counted = !matches!(notification.content, Content::AccountChanged(_));
        let of_day = self.budgets.per_user_and_day;
        if is_counted && !self.store.spend_of_day(user, notification.id, of_day, now).await? {
            return Err(self.over_budget("the user's messages of this day are spent"));
        }
        Ok(())
    }

    async fn spend_of_hour(&self) -> Result<(), Unsent> {
        if !self.budgets.hourly.spend(Timestamp::now(), fastrand::u32(..)).await? {
            return Err(self.over_budget("the messages of this hour are spent"));
        }
        Ok(())
    }

    fn over_budget(&self, why: &str) -> Unsent {
        self.metrics.write(&[Metric::count("MessagesOverBudget", 1)]);
        Unsent::NotTaken(why.to_owned())
    }

    /// Marks the notification failed, unless it is settled or somebody else is at it.
    async fn give_up(&self, id: NotificationId, unsent: &Unsent, trace: &Trace, who: &str) -> Result<(), StepFailure> {
        match self.store.mark_failed(id, who, |notification| unsent.reason(notification), trace).await {
            Ok(failed) => {
                let correlation_id = failed.correlation_id.to_string();
                tracing::error!(notification_id = %id, correlation_id, cause = unsent.cause(), "notification failed");
                if !matches!(unsent, Unsent::UserGone | Unsent::Unverified(_)) {
                    let about = About { found_by: Some(("correlation_id", &correlation_id)), ..About::default() };
                    self.metrics.write_about(&[Metric::count("NotificationsFailed", 1)], about);
                }
                Ok(())
            }
            Err(ChangeError::Unchanged(leased @ NotToSend::Leased(_))) => {
                Err(StepFailure::Transient(leased.to_string()))
            }
            Err(ChangeError::Unchanged(other)) => {
                tracing::warn!(notification_id = %id, %other, "notification left as it is");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl From<ChangeError> for StepFailure {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Store(error) => error.into(),
            ChangeError::NotFound | ChangeError::Unchanged(_) => Self::Defect(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Content, FreeText};
    use boxoffice_kernel::{Channel, EventId, UserId};

    fn tried(times: u32) -> Notification {
        let text: FreeText = "The doors open at seven.".parse().unwrap();
        let (id, user) = (NotificationId::generate(), UserId::generate());
        let content = Content::Message(text.clone());
        let correlation = EventId::generate().into();
        let new = Notification::new(id, user, Channel::Email, content, text, correlation, Timestamp::now());
        Notification { attempts: times, ..new }
    }

    #[test]
    fn a_services_answer_is_the_reason_and_our_own_errors_stay_in_the_log() {
        let refused = Unsent::Refused("SES refused the message: MessageRejected".into());
        assert_eq!(refused.reason(&tried(1)), "SES refused the message: MessageRejected");
        let throttled = Unsent::NotTaken("SES did not take the message: Throttling".into());
        assert_eq!(throttled.reason(&tried(140)), "SES did not take the message: Throttling; tried 140 times");
        let broken = Unsent::Failed(StepFailure::Transient("table arn:aws:dynamodb:…".into()));
        assert_eq!(broken.reason(&tried(4)), "It could not be sent; tried 4 times");
    }

    #[test]
    fn only_what_can_never_be_sent_fails_at_once() {
        assert!(Unsent::UserGone.is_final() && Unsent::Refused(String::new()).is_final());
        assert!(!Unsent::NotTaken(String::new()).is_final());
        assert!(!Unsent::Failed(StepFailure::Transient(String::new())).is_final());
        assert!(!Unsent::Failed(StepFailure::Defect(String::new())).is_final());
    }
}
