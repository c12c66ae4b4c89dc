//! The sagas table: its items, its keys, its access patterns.
//!
//! | Item | `pk` | `sk` |
//! |---|---|---|
//! | a saga, with an attribute for each step that ran | `SAGA#<ticketId>` | `SAGA` |
//!
//! The steps' attributes are written by the journal (`boxoffice_aws::journal`). A saga that is not over is on a list, `gsi1`
//! ([`Unfinished`]): on the one of those running from its claim on, and from there the journal moves it.

use crate::domain::Saga;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use boxoffice_aws::{
    Cursor, Item, Journal, Limit, ListError, Listing, Page, StoreError,
    attribute::text,
    journal::{Entry, Step, Unfinished},
    transaction::{self, Written, built, conditional, read},
};
use boxoffice_kernel::{TicketId, Timestamp, UserId};
use boxoffice_runtime::config::{self, ConfigError};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The context's table.
#[derive(Debug, Clone)]
pub struct SagaStore {
    client: Client,
    table: String,
    listing: Listing,
}

/// The facts of a booking that its steps work from, as the event that made it stated them.
pub type TicketFacts = Map<String, Value>;

/// Why a booking is called off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOff {
    /// The buyer asked.
    BookingCancelled,
    /// The organiser cancelled the event.
    EventCancelled,
    /// The money was given back.
    PaymentRefunded,
    /// The hold is over, and no saga was at work.
    HoldExpired,
    /// It got stuck on its way back, and an operator has it tried again.
    RedriveRequested,
    /// An operator takes it back, whatever it is about.
    CompensationRequested,
    /// Nobody could take it on.
    NobodyTookItOn,
}

impl CallOff {
    /// The name it goes by where errors of steps have theirs.
    pub fn name(self) -> &'static str {
        match self {
            Self::BookingCancelled => "BookingCancelled",
            Self::EventCancelled => "EventCancelled",
            Self::PaymentRefunded => "PaymentRefunded",
            Self::HoldExpired => "HoldExpired",
            Self::RedriveRequested => "RedriveRequested",
            Self::CompensationRequested => "CompensationRequested",
            Self::NobodyTookItOn => "NobodyTookItOn",
        }
    }

    /// From whom the compensation may be taken over, in parentheses. The execution that has it always gets it again, and nobody the compensation of a booking
    /// that is cancelled. `docs/ARCHITECTURE.md` has the table: every start, and every state of a booking.
    fn condition(self) -> String {
        let from_whom = match self {
            Self::BookingCancelled | Self::EventCancelled | Self::PaymentRefunded => {
                "attribute_not_exists(undoExecutionArn)".to_owned()
            }
            // On nobody's word but the clock's: a booking that was confirmed meanwhile stays so.
            Self::HoldExpired => format!("(attribute_not_exists(undoExecutionArn) AND {NOT_CONFIRMED})"),
            // Taking a stuck saga on removes its mark, so one caller takes it on. One that was confirmed, and that nobody called off or
            // began to undo, is not stuck, whatever stands there.
            Self::RedriveRequested => format!(
                "(attribute_exists(#stuck) AND ({NOT_CONFIRMED} OR attribute_exists(calledOffAt) OR attribute_exists(#revoke) OR \
                 attribute_exists(#reverse)))"
            ),
            Self::CompensationRequested => return Journal::NOT_CANCELLED.to_owned(),
            // The claim may be this execution's own, whose answer was lost each time: it has done nothing with it.
            Self::NobodyTookItOn => format!(
                "((attribute_not_exists(executionArn) OR executionArn = :me) AND attribute_not_exists(undoExecutionArn) \
                 AND {NOT_CONFIRMED})"
            ),
        };
        format!("({} AND ({from_whom} OR undoExecutionArn = :me))", Journal::NOT_CANCELLED)
    }
}

/// That the ticket has not been confirmed.
const NOT_CONFIRMED: &str = "(attribute_not_exists(#confirm) OR #confirm.#status = :failed)";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SagaItem {
    ticket_id: TicketId,
    booking: String,
    started_at: Timestamp,
    #[serde(default)]
    called_off_at: Option<Timestamp>,
    #[serde(default)]
    called_off_because: Option<String>,
    #[serde(default)]
    redriven_at: Option<Timestamp>,
}

/// The facts of a booking that the saga itself reads.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Booked {
    user_id: UserId,
}

const SAGA: &str = "SAGA";

impl SagaStore {
    /// The store in this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        let table = table.into();
        Self { listing: Listing::new(client.clone(), &table, TicketId::PREFIX), client, table }
    }

    /// The store in the table that the environment names.
    pub fn from_env(client: Client) -> Result<Self, ConfigError> {
        Ok(Self::new(client, config::required("SAGAS_TABLE")?))
    }

    /// AP-70 claim: takes a booking on, for this execution and no other; whether it is this execution's. Says so again to the
    /// execution that has it, for a claim whose answer was lost is repeated; what was written since the first one stays.
    pub async fn claim(
        &self,
        ticket: TicketId,
        booking: &TicketFacts,
        execution: &str,
        entry: &Entry,
    ) -> Result<bool, StoreError> {
        let claimed = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(Self::new_item(ticket, booking, entry)?))
            .item("executionArn", text(execution))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        if conditional(claimed)? == Written::Yes {
            return Ok(true);
        }
        let holder = self.item(ticket).await?;
        Ok(holder.is_some_and(|item| item.get("executionArn") == Some(&text(execution))))
    }

    /// AP-71 call off: takes on the compensation of a booking that is not cancelled, for this execution and no other. Gives the booking's facts when it is now
    /// this execution's. A booking whose own saga has not begun is claimed with it, so that it never will; a stuck one is on its way again.
    ///
    /// # Errors
    /// When the store does, or nobody knows the booking.
    pub async fn call_off(
        &self,
        ticket: TicketId,
        booking: Option<&TicketFacts>,
        because: CallOff,
        execution: &str,
    ) -> Result<Option<TicketFacts>, StoreError> {
        let condition = because.condition();
        let [(list_name, list), (place_name, place)] = Unfinished::Running.list().entry(ticket);
        let mut sets = format!(
            "undoExecutionArn = :me, calledOffAt = if_not_exists(calledOffAt, :now), updatedAt = :now, \
             {list_name} = :list, {place_name} = :place"
        );
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(Journal::partition(ticket)))
            .key("sk", text(SAGA))
            .expression_attribute_names("#stuck", Journal::attribute(Step::RecordStuckBooking))
            .expression_attribute_values(":now", text(Timestamp::now()))
            .expression_attribute_values(":me", text(execution))
            .expression_attribute_values(":list", list)
            .expression_attribute_values(":place", place)
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew);
        update = Journal::not_cancelled(update);
        if condition.contains(NOT_CONFIRMED) {
            update = update.expression_attribute_names("#confirm", Journal::attribute(Step::ConfirmTicket));
        }
        if condition.contains("#reverse") {
            update = update
                .expression_attribute_names("#revoke", Journal::attribute(Step::RevokeAdmissions))
                .expression_attribute_names("#reverse", Journal::attribute(Step::ReversePayment));
        }
        if because == CallOff::RedriveRequested {
            sets.push_str(", redrivenAt = :now");
        } else {
            sets.push_str(", calledOffBecause = if_not_exists(calledOffBecause, :because)");
            update = update.expression_attribute_values(":because", text(because.name()));
        }
        update = match booking {
            Some(booking) => {
                sets.push_str(
                    ", ticketId = :ticket, startedAt = if_not_exists(startedAt, :now), \
                     booking = if_not_exists(booking, :booking)",
                );
                update
                    .condition_expression(condition)
                    .expression_attribute_values(":ticket", text(ticket))
                    .expression_attribute_values(":booking", facts(booking)?)
            }
            None => update.condition_expression(format!("attribute_exists(pk) AND {condition}")),
        };
        match update.update_expression(format!("SET {sets} REMOVE #stuck")).send().await {
            Ok(updated) => {
                let item = updated.attributes.unwrap_or_default();
                let stored = item.get("booking").and_then(|booking| booking.as_s().ok());
                let stored = stored.ok_or_else(|| StoreError::malformed("saga", "it has no booking"))?;
                serde_json::from_str(stored).map(Some).map_err(|error| StoreError::malformed("saga", error))
            }
            Err(error) => {
                use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
                if error.code() != Some("ConditionalCheckFailedException") {
                    return Err(StoreError::from_sdk(error));
                }
                match self.get(ticket).await? {
                    Some(_) => Ok(None),
                    None => Err(StoreError::Unavailable(format!("the saga of {ticket} is not there yet"))),
                }
            }
        }
    }

    /// AP-74 record stuck: makes a booking an operator's case, for the execution that has it: the one that took the compensation on, else the one that
    /// claimed it. [`Written::Stale`] when another has it, or it is cancelled.
    ///
    /// # Errors
    /// When the store does.
    pub async fn record_stuck(&self, ticket: TicketId, execution: &str, entry: &Entry) -> Result<Written, StoreError> {
        let [(list_name, list), (place_name, place)] = Unfinished::NeedsAttention.list().entry(ticket);
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(Journal::partition(ticket)))
            .key("sk", text(SAGA))
            .update_expression(format!(
                "SET #stuck = :entry, updatedAt = :now, {list_name} = :list, {place_name} = :place"
            ))
            .condition_expression(format!(
                "{} AND (undoExecutionArn = :me OR (attribute_not_exists(undoExecutionArn) AND executionArn = :me))",
                Journal::NOT_CANCELLED
            ))
            .expression_attribute_names("#stuck", Journal::attribute(Step::RecordStuckBooking))
            .expression_attribute_values(":entry", built(serde_dynamo::to_attribute_value(entry))?)
            .expression_attribute_values(":now", text(entry.executed_at))
            .expression_attribute_values(":me", text(execution))
            .expression_attribute_values(":list", list)
            .expression_attribute_values(":place", place);
        conditional(Journal::not_cancelled(update).send().await)
    }

    fn new_item(ticket: TicketId, booking: &TicketFacts, entry: &Entry) -> Result<Item, StoreError> {
        let mut item = Item::from([
            ("pk".into(), text(Journal::partition(ticket))),
            ("sk".into(), text(SAGA)),
            ("ticketId".into(), text(ticket)),
            ("booking".into(), facts(booking)?),
            ("startedAt".into(), text(entry.started_at)),
            ("updatedAt".into(), text(entry.executed_at)),
            (Journal::attribute(Step::ClaimSaga), built(serde_dynamo::to_attribute_value(entry))?),
        ]);
        item.extend(Unfinished::Running.list().entry(ticket));
        Ok(item)
    }

    async fn item(&self, ticket: TicketId) -> Result<Option<Item>, StoreError> {
        transaction::get(&self.client, &self.table, text(Journal::partition(ticket)), SAGA).await
    }

    /// AP-72 get saga.
    pub async fn get(&self, ticket: TicketId) -> Result<Option<Saga>, StoreError> {
        self.item(ticket).await?.map(as_saga).transpose()
    }

    /// AP-73 list the sagas that are not over, newest first.
    pub async fn list(&self, list: Unfinished, limit: Limit, cursor: Option<Cursor>) -> Result<Page<Saga>, ListError> {
        // The index is written after the table, and a saga may have left the list since: what it is now decides.
        let still_listed =
            |item| as_saga(item).map(|saga| Some(saga).filter(|saga| saga.status().list() == Some(list)));
        self.listing.page(&list.list(), limit, cursor, still_listed).await
    }
}

fn as_saga(mut item: Item) -> Result<Saga, StoreError> {
    let mut steps = std::collections::BTreeMap::new();
    for step in Step::ALL {
        if let Some(entry) = item.remove(&Journal::attribute(step)) {
            let entry = serde_dynamo::from_attribute_value(entry);
            steps.insert(step, entry.map_err(|error| StoreError::malformed("step", error))?);
        }
    }
    let item: SagaItem = read("saga", item)?;
    let booked: Booked = serde_json::from_str(&item.booking).map_err(|error| StoreError::malformed("saga", error))?;
    Ok(Saga {
        ticket_id: item.ticket_id,
        user_id: booked.user_id,
        started_at: item.started_at,
        called_off_at: item.called_off_at,
        called_off_because: item.called_off_because,
        redriven_at: item.redriven_at,
        steps,
    })
}

/// As text: what an event said is kept as it said it.
fn facts(booking: &TicketFacts) -> Result<AttributeValue, StoreError> {
    serde_json::to_string(booking).map(AttributeValue::S).map_err(|error| StoreError::malformed("booking", error))
}
