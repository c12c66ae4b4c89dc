//! A listener on the event bus: a queue and a rule of its own, gone when it has heard enough.

use crate::{
    Failure, Outcome,
    stack::Stack,
    story::{fresh, fresh_id},
    tables::StoredEvent,
    wait::{Look, until},
};
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, Target};
use aws_sdk_sqs::types::QueueAttributeName;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    sync::Arc,
    time::Duration,
};

/// The application's event bus.
#[derive(Debug, Clone)]
pub struct Bus {
    events: aws_sdk_eventbridge::Client,
    sqs: aws_sdk_sqs::Client,
    stack: Arc<Stack>,
}

/// A message as EventBridge delivers it.
#[derive(Debug, Clone, Deserialize)]
pub struct Message {
    /// `boxoffice.<context>`
    pub source: String,
    /// The event's type.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// The event.
    pub detail: serde_json::Value,
}

impl Message {
    /// The event's own id.
    pub fn event_id(&self) -> &str {
        self.detail.pointer("/metadata/eventId").and_then(|id| id.as_str()).unwrap_or_default()
    }
}

/// Hears what is said on the bus from when it was opened.
#[derive(Debug)]
pub struct Listener {
    bus: Bus,
    queue_url: String,
    rule: String,
    heard: BTreeMap<String, Message>,
}

fn failed(what: &str) -> impl Fn(&dyn Error) -> Failure + '_ {
    move |error| Failure::of(what, error)
}

impl Bus {
    pub(crate) fn new(events: aws_sdk_eventbridge::Client, sqs: aws_sdk_sqs::Client, stack: Arc<Stack>) -> Self {
        Self { events, sqs, stack }
    }

    fn name(&self) -> Outcome<&str> {
        self.stack.output("EventBusName")
    }

    /// Puts a stored event on the bus once more, as a redelivery would.
    ///
    /// # Errors
    /// When the bus does not take it.
    pub async fn repeat(&self, stored: &StoredEvent) -> Outcome<()> {
        self.put(stored, &stored.detail).await
    }

    /// Puts on the bus what says the same as a stored event and is another one: what a control compares a redelivery with.
    ///
    /// # Errors
    /// When the bus does not take it.
    pub async fn say_anew(&self, stored: &StoredEvent) -> Outcome<String> {
        let event_id = fresh_id("evt");
        self.put(stored, &stored.detail.replace(&stored.event.metadata.event_id, &event_id)).await?;
        Ok(event_id)
    }

    async fn put(&self, stored: &StoredEvent, detail: &str) -> Outcome<()> {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(self.name()?)
            .source(&stored.source)
            .detail_type(&stored.event.metadata.event_type)
            .detail(detail)
            .build();
        let put = self.events.put_events().entries(entry).send().await.map_err(|e| failed("putting an event")(&e))?;
        if put.failed_entry_count() == 0 { Ok(()) } else { Err(Failure::new("the bus did not take the event")) }
    }

    /// Listens while `body` runs, and cleans up whatever its outcome is. (A panic in `body` would leave the queue behind: report, with
    /// `?` and `ensure!`.)
    ///
    /// # Errors
    /// Those of `body`, and of AWS.
    pub async fn listening<T>(&self, body: impl AsyncFnOnce(&mut Listener) -> Outcome<T>) -> Outcome<T> {
        let mut listener = self.listen().await?;
        let outcome = body(&mut listener).await;
        listener.close().await?;
        outcome
    }

    async fn listen(&self) -> Outcome<Listener> {
        let failed = failed("listening on the bus");
        let rule = fresh("e2e-listener");
        let queue = self.sqs.create_queue().queue_name(&rule).send().await.map_err(|e| failed(&e))?;
        let queue_url = queue.queue_url().unwrap_or_default().to_owned();
        let attributes = self.sqs.get_queue_attributes().queue_url(&queue_url);
        let attributes =
            attributes.attribute_names(QueueAttributeName::QueueArn).send().await.map_err(|e| failed(&e))?;
        let arn = attributes.attributes().and_then(|all| all.get(&QueueAttributeName::QueueArn));
        let arn = arn.ok_or_else(|| Failure::new("the listener's queue has no ARN"))?;
        // An emulator does not look at this; AWS delivers nothing without it.
        let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "events.amazonaws.com" },
            "Action": "sqs:SendMessage", "Resource": arn,
        }] });
        let allow = self.sqs.set_queue_attributes().queue_url(&queue_url);
        allow.attributes(QueueAttributeName::Policy, policy.to_string()).send().await.map_err(|e| failed(&e))?;
        let pattern = r#"{"source":[{"prefix":"boxoffice."}]}"#;
        let put = self.events.put_rule().name(&rule).event_bus_name(self.name()?).event_pattern(pattern);
        put.send().await.map_err(|e| failed(&e))?;
        let target = Target::builder().id("listener").arn(arn).build().map_err(|e| failed(&e))?;
        let put = self.events.put_targets().rule(&rule).event_bus_name(self.name()?).targets(target);
        put.send().await.map_err(|e| failed(&e))?;
        Ok(Listener { bus: self.clone(), queue_url, rule, heard: BTreeMap::new() })
    }
}

impl Listener {
    /// Everything heard so far, by event id; what was heard twice is here once.
    pub fn heard(&self) -> &BTreeMap<String, Message> {
        &self.heard
    }

    /// Listens until all of these have been heard.
    ///
    /// # Errors
    /// When the deadline passes, with what is still missing.
    pub async fn until_heard(&mut self, events: &[StoredEvent], within: Duration) -> Outcome<()> {
        let what = format!("{} stored events have reached the bus", events.len());
        until(what, within, async || {
            self.receive().await?;
            let missing: BTreeSet<_> = events
                .iter()
                .map(|stored| &stored.event.metadata)
                .filter(|metadata| !self.heard.contains_key(&metadata.event_id))
                .map(|metadata| format!("{} of {}", metadata.event_type, metadata.aggregate_id))
                .collect();
            if missing.is_empty() { Ok(Look::Done(())) } else { Ok(Look::NotYet(format!("missing {missing:?}"))) }
        })
        .await
    }

    async fn receive(&mut self) -> Outcome<()> {
        let failed = failed("hearing the bus");
        loop {
            let receive = self.bus.sqs.receive_message().queue_url(&self.queue_url).max_number_of_messages(10);
            let received = receive.send().await.map_err(|e| failed(&e))?;
            if received.messages().is_empty() {
                return Ok(());
            }
            for message in received.messages() {
                let body = message.body().unwrap_or_default();
                let heard: Message = serde_json::from_str(body)
                    .map_err(|error| Failure::new(format!("the bus delivered {body:?}: {error}")))?;
                self.heard.insert(heard.event_id().to_owned(), heard);
                let receipt = message.receipt_handle().unwrap_or_default();
                let delete = self.bus.sqs.delete_message().queue_url(&self.queue_url).receipt_handle(receipt);
                delete.send().await.map_err(|e| failed(&e))?;
            }
        }
    }

    async fn close(self) -> Outcome<()> {
        let failed = failed("closing the listener on the bus");
        let Bus { events, sqs, .. } = &self.bus;
        let bus = self.bus.name()?;
        let remove = events.remove_targets().rule(&self.rule).event_bus_name(bus).ids("listener");
        remove.send().await.map_err(|e| failed(&e))?;
        events.delete_rule().name(&self.rule).event_bus_name(bus).send().await.map_err(|e| failed(&e))?;
        sqs.delete_queue().queue_url(&self.queue_url).send().await.map_err(|e| failed(&e))?;
        Ok(())
    }
}
