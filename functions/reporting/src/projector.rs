//! Events in, read models kept: live from the event store's stream, and all over again from the event store itself.
//!
//! Both tell bookings the same news through the same code ([`Projector::tell`]), so what is rebuilt is what would have been kept.
//!
//! **A rebuild loses no event**, whatever happens meanwhile. First it names the epoch it builds; from then on the live projector, which asks for the epochs
//! with every batch, writes there too. Then it reads the whole event store. A batch that asked before the epoch was named holds events that were in
//! the event store before it was read; every later one writes to the new epoch itself. An event that comes both ways tells nothing new.

use crate::{
    domain::BookingRecord,
    news::{self, News},
    store::{Epoch, Progress, ViewStore, bucket},
};
use aws_lambda_events::event::dynamodb;
use aws_sdk_dynamodb::Client;
use boxoffice_aws::{Item, StoreError};
use boxoffice_kernel::{TicketId, Timestamp};
use boxoffice_runtime::{
    Event, StepFailure,
    stream::{self, Record},
};
use futures_util::future::{try_join, try_join_all};
use std::collections::{BTreeMap, BTreeSet};

/// From how many places at once the event store is read.
const SEGMENTS: i32 = 4;

/// The facts of a batch of events, merged per booking.
#[derive(Debug, Default)]
struct Digest {
    bookings: BTreeMap<TicketId, BookingRecord>,
    others: Vec<News>,
    events: usize,
}

impl Digest {
    fn take(&mut self, news: News) {
        match news {
            News::Booking(news) => {
                let known = self.bookings.remove(&news.ticket_id);
                let known = known.unwrap_or_else(|| BookingRecord::unknown(news.ticket_id, news.user_id));
                self.bookings.insert(news.ticket_id, known.merge(*news));
            }
            other => self.others.push(other),
        }
        self.events += 1;
    }

    /// The bookings by the bucket their sales are counted in: those of one bucket are written one after the other, since transactions that meet on a
    /// counter cancel each other.
    fn lanes(&self) -> Vec<Vec<&BookingRecord>> {
        let mut lanes: BTreeMap<u32, Vec<&BookingRecord>> = BTreeMap::new();
        for (ticket, booking) in &self.bookings {
            lanes.entry(bucket(*ticket)).or_default().push(booking);
        }
        lanes.into_values().collect()
    }
}

/// The result of a batch of the stream.
#[derive(Debug, Default)]
pub struct Projected {
    /// How many events there were in it.
    pub events: usize,
    /// When the oldest of them happened.
    pub oldest: Option<Timestamp>,
    /// The requests that led to them.
    pub correlation_ids: BTreeSet<String>,
    /// The records that are no events, each with the reason: for the dead-letter queue.
    pub malformed: Vec<(String, String)>,
}

/// How a rebuild is getting on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rebuilding {
    /// How many events have been read.
    pub read: usize,
    /// How many of those tell something.
    pub told: usize,
}

/// The result of a rebuild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// The items read.
    pub events: Rebuilding,
    /// The items that are no event, or break their contract, with the reason.
    pub malformed: Vec<String>,
    /// From when on what was shown before can be deleted ([`ViewStore::sweep`]).
    pub settled_at: Option<Timestamp>,
}

/// Keeps the read models.
#[derive(Debug, Clone)]
pub struct Projector {
    views: ViewStore,
}

impl Projector {
    /// Keeps these.
    pub fn new(views: ViewStore) -> Self {
        Self { views }
    }

    /// Tells the read models what a batch of the stream holds. Safe to repeat, whole or in part.
    ///
    /// # Errors
    /// When the store does; then some of it may be told, and all of it is to be told again.
    pub async fn project(&self, batch: dynamodb::Event) -> Result<Projected, StoreError> {
        let mut projected = Projected::default();
        let (mut digest, mut newest) = (Digest::default(), None);
        for record in batch.records {
            match stream::read(record) {
                Record::Event(event) => {
                    projected.events += 1;
                    projected.oldest = projected.oldest.into_iter().chain([event.occurred_at]).min();
                    newest = newest.max(Some(event.occurred_at));
                    projected.correlation_ids.insert(event.correlation_id);
                    match digested(&event.detail) {
                        Ok(news) => news.into_iter().for_each(|news| digest.take(news)),
                        Err(reason) => projected.malformed.push((reason, event.detail)),
                    }
                }
                Record::Ignored => {}
                Record::Malformed { reason, item, .. } => projected.malformed.push((reason, item)),
            }
        }
        for epoch in self.views.epochs().await?.written() {
            self.tell(epoch, &digest).await?;
        }
        if let Some(occurred_at) = newest {
            self.views.note(&Progress { occurred_at, projected_at: Timestamp::now() }).await?;
        }
        Ok(projected)
    }

    async fn tell(&self, epoch: Epoch, digest: &Digest) -> Result<(), StoreError> {
        let lanes = digest.lanes().into_iter().map(|lane| async move {
            for booking in lane {
                self.views.tell(epoch, booking).await?;
            }
            Ok(())
        });
        let others = async {
            for news in &digest.others {
                match news {
                    News::OnSale(on_sale) => self.views.keep_event(epoch, on_sale).await?,
                    News::UserGone(user) => self.views.close(epoch, *user).await?,
                    // Put together by ticket.
                    News::Booking(booking) => self.views.tell(epoch, booking).await?,
                }
            }
            Ok(())
        };
        try_join(try_join_all(lanes), others).await.map(|_| ())
    }

    /// Makes all read models again from the event store, and shows them in place of those that were. One that was broken off is taken up again by
    /// calling this again; two at once do the work twice and no harm.
    ///
    /// The previous epoch stays until it is swept, because running functions may still use it.
    ///
    /// # Errors
    /// When the store does; nothing that is shown has changed then.
    pub async fn rebuild(
        &self,
        client: &Client,
        events_table: &str,
        mut progress: impl FnMut(Rebuilding),
    ) -> Result<Rebuilt, StoreError> {
        let epoch = self.views.begin_building().await?;
        let (mut events, mut malformed) = (Rebuilding::default(), Vec::new());
        let mut segments: Vec<Segment> = (0..SEGMENTS).map(Segment::new).collect();
        while !segments.is_empty() {
            let pages = segments.into_iter().map(|segment| segment.page(client, events_table));
            let (mut digest, mut left) = (Digest::default(), Vec::new());
            for (page, rest) in try_join_all(pages).await? {
                events.read += page.len();
                for item in page {
                    match text(&item, "detail").ok_or("it has no detail".into()).and_then(digested) {
                        Ok(news) => news.into_iter().for_each(|news| digest.take(news)),
                        Err(reason) => malformed.push(named(&item, &reason)),
                    }
                }
                left.extend(rest);
            }
            self.tell(epoch, &digest).await?;
            events.told += digest.events;
            progress(events);
            segments = left;
        }
        // Refused, somebody else has shown it.
        self.views.show(epoch, Timestamp::now()).await?;
        Ok(Rebuilt { events, malformed, settled_at: self.views.epochs().await?.settled_at() })
    }
}

fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
}

/// An item of the event store, by its key, and what is wrong with it.
fn named(item: &Item, reason: &str) -> String {
    let version = item.get("aggregateVersion").and_then(|version| version.as_n().ok());
    let (aggregate, version) = (text(item, "aggregateId").unwrap_or("?"), version.map_or("?", String::as_str));
    format!("{aggregate}, version {version}: {reason}")
}

/// The facts of an event as it was written, or the reason it cannot be read.
fn digested(detail: &str) -> Result<Option<News>, String> {
    let event: Event = serde_json::from_str(detail).map_err(|error| format!("it is no event: {error}"))?;
    news::read(&event).map_err(|failure: StepFailure| failure.to_string())
}

/// A part of the event store that is read page by page.
#[derive(Debug)]
struct Segment {
    number: i32,
    after: Option<Item>,
}

impl Segment {
    fn new(number: i32) -> Self {
        Self { number, after: None }
    }

    /// AP-133 read the event store: the next page, consistently, and what is left after it.
    async fn page(self, client: &Client, table: &str) -> Result<(Vec<Item>, Option<Self>), StoreError> {
        let answer = client
            .scan()
            .table_name(table)
            .segment(self.number)
            .total_segments(SEGMENTS)
            .consistent_read(true)
            .projection_expression("aggregateId, aggregateVersion, detail")
            .set_exclusive_start_key(self.after)
            .send()
            .await
            .map_err(StoreError::from_sdk)?;
        let after = answer.last_evaluated_key.filter(|key| !key.is_empty());
        let rest = after.map(|after| Self { number: self.number, after: Some(after) });
        Ok((answer.items.unwrap_or_default(), rest))
    }
}
