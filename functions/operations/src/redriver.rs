//! Dead letters, sent on to where they did not get.
//!
//! A message is deleted last: after what it is about has been sent on, and after that has been recorded. So a redrive that is broken off repeats some of its
//! work, which every consumer bears, and loses nothing. A message that cannot be sent on stays in its queue, and the answer gives the reason.

use crate::{
    Casework, OperationsStore,
    casework::CaseError,
    domain::{Queue, Selector},
    events::{DeadLettersRedriven, stated},
    letters::{self, EventKey, Letter},
};
use aws_config::SdkConfig;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, QueueAttributeName};
use boxoffice_aws::{Limit, StoreError, client};
use boxoffice_kernel::{ActId, Operator, Reason, Trace};
use boxoffice_platform::{Bus, outbox::Undelivered};
use boxoffice_runtime::stream::StoredEvent;
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

/// The most messages SQS hands over or deletes at once.
const HANDFUL: usize = 10;
/// For how long a message is nobody else's: longer than a call may take. A message that stays is visible again after that.
const HIDDEN_SECONDS: i32 = 120;
/// The most events `project-events` is given at once, as by the stream.
const BATCH: usize = 100;
/// How many items of the event store are read at once.
const PAGE: usize = 1000;

/// A queue, and what waits in it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueDepth {
    /// Its name.
    pub name: Queue,
    /// About how many messages are in it.
    #[schema(minimum = 0)]
    pub depth: u64,
    /// The content of its messages.
    pub holds: &'static str,
    /// The effect of redriving a message.
    pub redriving: &'static str,
}

/// A message that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stayed {
    /// Its id in the queue.
    pub message_id: String,
    /// The reason.
    pub reason: String,
}

/// The result of a call.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Redriven {
    /// The queue.
    pub queue: Queue,
    /// How many messages went on.
    pub moved: usize,
    /// Those that stay, and why. They show in the queue again after two minutes.
    pub failed: Vec<Stayed>,
    /// About how many wait that were not looked at: call again.
    #[schema(minimum = 0)]
    pub left: u64,
}

/// Sends dead letters on.
#[derive(Debug, Clone)]
pub struct Redriver {
    sqs: aws_sdk_sqs::Client,
    urls: BTreeMap<Queue, String>,
    store: OperationsStore,
    casework: Casework,
    bus: Bus,
    lambda: aws_sdk_lambda::Client,
    projector: String,
}

/// The operator who redrives, and the deadline.
#[derive(Debug, Clone)]
pub struct Order {
    /// The operator.
    pub requested_by: Operator,
    /// Where the wish comes from.
    pub trace: Trace,
    /// How many messages, at most.
    pub most: Limit,
    /// When to stop reading the event store, which is long to read from end to end.
    pub until: Option<Instant>,
}

impl Order {
    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

impl Redriver {
    /// The queues, tables, bus and function that this source of variables names.
    ///
    /// # Errors
    /// Those of the source.
    pub fn from_source<E>(sdk: &SdkConfig, source: impl Fn(&'static str) -> Result<String, E>) -> Result<Self, E> {
        let dynamodb = client::dynamodb(sdk);
        let urls = Queue::ALL.into_iter().map(|queue| Ok((queue, source(queue.variable())?)));
        Ok(Self {
            sqs: aws_sdk_sqs::Client::new(sdk),
            urls: urls.collect::<Result<_, E>>()?,
            store: OperationsStore::new(dynamodb.clone(), source("EVENTS_TABLE")?),
            casework: Casework::from_source(&dynamodb, &source)?,
            bus: Bus::new(sdk, source("EVENT_BUS")?),
            lambda: aws_sdk_lambda::Client::new(sdk),
            projector: source("PROJECT_EVENTS_FUNCTION")?,
        })
    }

    fn url(&self, queue: Queue) -> Result<&str, StoreError> {
        let url = self.urls.get(&queue).map(String::as_str);
        url.ok_or_else(|| StoreError::Broken(format!("{queue} has no URL")))
    }

    /// Every queue, with how much waits in it.
    ///
    /// # Errors
    /// When a queue does not answer.
    pub async fn queues(&self) -> Result<Vec<QueueDepth>, StoreError> {
        let mut queues = Vec::new();
        for queue in Queue::ALL {
            let (waiting, hidden) = self.depth(queue).await?;
            let (holds, redriving) = (queue.holds(), queue.redriving());
            queues.push(QueueDepth { name: queue, depth: waiting.saturating_add(hidden), holds, redriving });
        }
        Ok(queues)
    }

    /// How many messages wait, and how many somebody is looking at.
    async fn depth(&self, queue: Queue) -> Result<(u64, u64), StoreError> {
        use QueueAttributeName::{ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible};
        let ask = self.sqs.get_queue_attributes().queue_url(self.url(queue)?);
        let ask = ask.attribute_names(ApproximateNumberOfMessages);
        let answer = ask.attribute_names(ApproximateNumberOfMessagesNotVisible).send().await;
        let attributes = answer.map_err(StoreError::from_sdk)?.attributes.unwrap_or_default();
        let count = |name| attributes.get(&name).and_then(|text| text.parse().ok()).unwrap_or_default();
        Ok((count(ApproximateNumberOfMessages), count(ApproximateNumberOfMessagesNotVisible)))
    }

    /// Sends on what waits in a queue, some of it.
    ///
    /// # Errors
    /// When the store or the queue fails; what was looked at is in its queue again two minutes later.
    pub async fn redrive(&self, queue: Queue, order: &Order) -> Result<Redriven, StoreError> {
        let messages = self.receive(queue, order.most).await?;
        let mut stays: BTreeMap<usize, String> = BTreeMap::new();
        let mut events: BTreeMap<EventKey, (StoredEvent, Vec<usize>)> = BTreeMap::new();
        for (index, message) in messages.iter().enumerate() {
            let outcome = match letters::read(message.body().unwrap_or_default()) {
                Letter::Event(key) => match self.store.event(&key).await? {
                    Some(Ok(event)) => {
                        events.entry(key).or_insert_with(|| (event, Vec::new())).1.push(index);
                        Ok(())
                    }
                    Some(Err(reason)) => Err(reason),
                    None => Err(format!("the event store has no event {key}")),
                },
                Letter::Batch { from, to } => self.send_what_happened(queue, from, to, order).await?,
                Letter::Saga(ticket) => self.send_saga(ticket, order).await?,
                Letter::Unreadable(reason) => Err(reason),
            };
            if let Err(reason) = outcome {
                stays.insert(index, reason);
            }
        }
        let (events, by_key): (Vec<_>, Vec<_>) =
            events.into_iter().map(|(key, (event, of))| (event, (key.to_string(), of))).unzip();
        let unsent = self.send(queue, events).await;
        for (_, indexes) in by_key.into_iter().filter(|(key, _)| unsent.contains(key)) {
            stays.extend(indexes.into_iter().map(|index| (index, "it could not be sent on just now".to_owned())));
        }
        let failed: Vec<Stayed> = stays
            .iter()
            .filter_map(|(index, reason)| {
                let message_id = messages.get(*index)?.message_id().unwrap_or_default().to_owned();
                Some(Stayed { message_id, reason: reason.clone() })
            })
            .collect();
        let moved = messages.len().saturating_sub(failed.len());
        if !messages.is_empty() {
            let (act_id, requested_by) = (ActId::generate(), order.requested_by.clone());
            let act = DeadLettersRedriven { act_id, requested_by, queue, moved, failed: failed.len() };
            self.store.record(&stated(act, &order.trace)).await?;
        }
        let gone = messages.iter().enumerate().filter(|(index, _)| !stays.contains_key(index));
        self.delete(queue, gone.map(|(_, message)| message).collect()).await?;
        tracing::info!(%queue, moved, failed = failed.len(), correlation_id = %order.trace.correlation_id, "redriven");
        Ok(Redriven { queue, moved, failed, left: self.depth(queue).await?.0 })
    }

    async fn receive(&self, queue: Queue, most: Limit) -> Result<Vec<Message>, StoreError> {
        let mut messages = Vec::new();
        while messages.len() < most.get() {
            let handful = HANDFUL.min(most.get() - messages.len());
            let receive = self.sqs.receive_message().queue_url(self.url(queue)?).visibility_timeout(HIDDEN_SECONDS);
            let received = receive.max_number_of_messages(i32::try_from(handful).unwrap_or(1)).wait_time_seconds(1);
            let received = received.send().await.map_err(StoreError::from_sdk)?.messages.unwrap_or_default();
            if received.is_empty() {
                break;
            }
            messages.extend(received);
        }
        Ok(messages)
    }

    async fn delete(&self, queue: Queue, messages: Vec<&Message>) -> Result<(), StoreError> {
        for handful in messages.chunks(HANDFUL) {
            let entries = handful.iter().enumerate().map(|(index, message)| {
                DeleteMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(message.receipt_handle().unwrap_or_default())
                    .build()
                    .map_err(|error| StoreError::Broken(error.to_string()))
            });
            let entries = entries.collect::<Result<_, _>>()?;
            let delete = self.sqs.delete_message_batch().queue_url(self.url(queue)?).set_entries(Some(entries));
            let answer = delete.send().await.map_err(StoreError::from_sdk)?;
            // It comes again and is sent on again, which does no harm.
            if !answer.failed.is_empty() {
                tracing::warn!(%queue, failed = answer.failed.len(), "messages that were sent on could not be deleted");
            }
        }
        Ok(())
    }

    /// Sends events to where this queue's did not get. Gives the keys of those that did not get there now either.
    async fn send(&self, queue: Queue, events: Vec<StoredEvent>) -> BTreeSet<String> {
        if queue != Queue::ProjectionDeadLetters {
            let mut undelivered = Undelivered::default();
            self.bus.publish(events, &mut undelivered).await;
            return undelivered.sequence_numbers().into_iter().collect();
        }
        let mut unsent = BTreeSet::new();
        for batch in events.chunks(BATCH) {
            if let Err(cause) = self.project(batch).await {
                tracing::warn!(cause, events = batch.len(), "project-events did not take events");
                unsent.extend(batch.iter().map(|event| event.sequence_number.clone()));
            }
        }
        unsent
    }

    /// Hands events to the projector as the stream would have.
    async fn project(&self, events: &[StoredEvent]) -> Result<(), String> {
        let records: Vec<Value> = events.iter().map(as_record).collect();
        let payload = Blob::new(json!({ "Records": records }).to_string());
        let call = self.lambda.invoke().function_name(&self.projector).payload(payload).send();
        let answer = call.await.map_err(|error| aws_sdk_sqs::error::DisplayErrorContext(error).to_string())?;
        answer.function_error.map_or(Ok(()), Err)
    }

    /// Sends on what happened while a batch of the stream was written; why not, should it take too long.
    async fn send_what_happened(
        &self,
        queue: Queue,
        from: boxoffice_kernel::Timestamp,
        to: boxoffice_kernel::Timestamp,
        order: &Order,
    ) -> Result<Result<(), String>, StoreError> {
        let (meant, mut after) = (Selector::between(from, to), None);
        loop {
            let reading = self.store.read(&meant, PAGE, after).await?;
            if !self.send(queue, reading.events).await.is_empty() {
                return Ok(Err("some of what happened then could not be sent on just now".into()));
            }
            after = reading.after;
            match after {
                None => return Ok(Ok(())),
                Some(_) if order.is_over() => {
                    let words = "the event store is too long to read in one call; `boxoffice dead-letters redrive` takes its time";
                    return Ok(Err(words.into()));
                }
                Some(_) => {}
            }
        }
    }

    /// Has a saga redriven, or begun when it never was. One that is not stuck any more needs nothing.
    async fn send_saga(
        &self,
        ticket: boxoffice_kernel::TicketId,
        order: &Order,
    ) -> Result<Result<(), String>, StoreError> {
        let reason: Reason = "Its message in the stuck-bookings queue was redriven"
            .parse()
            .map_err(|error: boxoffice_kernel::text::InvalidText| StoreError::Broken(error.to_string()))?;
        match self.casework.redrive(ticket, order.requested_by.clone(), reason, &order.trace).await {
            Ok(_) | Err(CaseError::Refused(_)) => Ok(Ok(())),
            Err(CaseError::Store(error)) => Err(error),
            Err(CaseError::NoSaga) => {
                let first = EventKey { aggregate_id: ticket.to_string(), version: 1 };
                match self.store.event(&first).await? {
                    Some(Ok(event)) => {
                        let unsent = self.send(Queue::SagaStartDeadLetters, vec![event]).await;
                        Ok(if unsent.is_empty() {
                            Ok(())
                        } else {
                            Err("TicketCreated could not be sent just now".into())
                        })
                    }
                    _ => Ok(Err(format!("there is no saga, and no event {first}"))),
                }
            }
        }
    }
}

/// The event as the stream of the event store hands it over.
fn as_record(event: &StoredEvent) -> Value {
    let text = |text: &str| json!({ "S": text });
    let key = EventKey::parse(&event.sequence_number);
    let version = key.map(|key| key.version).unwrap_or_default().to_string();
    let keys = json!({ "aggregateId": text(&event.aggregate_id), "aggregateVersion": { "N": version } });
    let occurred_at = event.occurred_at.to_string();
    json!({
        "awsRegion": "", "eventID": event.sequence_number, "eventName": "INSERT", "eventSource": "aws:dynamodb",
        "eventVersion": "1.1",
        "dynamodb": {
            "Keys": keys, "SequenceNumber": event.sequence_number, "SizeBytes": event.detail.len(),
            "StreamViewType": "NEW_IMAGE",
            "NewImage": {
                "aggregateId": text(&event.aggregate_id), "aggregateVersion": { "N": version },
                "eventType": text(&event.event_type), "source": text(&event.source), "detail": text(&event.detail),
                "occurredAt": text(&occurred_at), "correlationId": text(&event.correlation_id)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_runtime::stream::{self, Record};

    #[test]
    fn an_event_handed_over_is_read_as_the_streams_own() {
        let event = StoredEvent {
            sequence_number: "tkt_1/3".into(),
            aggregate_id: "tkt_1".into(),
            event_type: "TicketCreated".into(),
            source: "boxoffice.tickets".into(),
            detail: "{}".into(),
            occurred_at: "2030-01-01T12:00:00Z".parse().unwrap(),
            correlation_id: "c".into(),
        };
        let record = serde_json::from_value(as_record(&event)).unwrap();
        assert_eq!(stream::read(record), Record::Event(event));
    }
}
