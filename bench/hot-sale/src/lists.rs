//! The cost of a list's page as more is stored: the product's own `TicketStore` over a model of DynamoDB that holds any number of tickets, as
//! ids in order, and counts by DynamoDB's rules what is read of them. Limits and time are no part of it.

use crate::{
    clock::{Clock, Stuck},
    expression::Item,
    sale::{self, EVENTS, TICKETS, Unmeasured, sdk_config},
    units, wire,
};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::HttpRequest,
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use boxoffice_aws::{Cursor, EventStore, Limit, List, ListError, client, listing::GSI2};
use boxoffice_kernel::TicketId;
use boxoffice_tickets::TicketStore;
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The page that is looked at besides the first.
pub const FAR: u32 = 1000;

/// The cost of one page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Read units.
    pub units: f64,
    /// Requests to DynamoDB.
    pub requests: u32,
    /// Tickets shown.
    pub shown: usize,
}

/// A list of some length.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Length {
    /// Tickets stored.
    pub stored: u32,
    /// Its first page.
    pub first: Cost,
    /// Its page [`FAR`], where it has one.
    pub far: Option<Cost>,
}

/// Why it was not measured.
#[derive(Debug, thiserror::Error)]
pub enum Uncounted {
    /// There is no ticket to copy.
    #[error(transparent)]
    Ticket(#[from] Unmeasured),
    /// Nobody can do anything any more.
    #[error(transparent)]
    Stuck(#[from] Stuck),
    /// A page was refused.
    #[error("a page is refused: {0}")]
    Refused(#[from] ListError),
}

/// Lists so many tickets in pages of this size, by the cursors that each page gives, as far as page [`FAR`].
///
/// # Errors
/// When it cannot be measured.
pub fn measure(stored: u32, limit: Limit) -> Result<Length, Uncounted> {
    let shelf = Shelf::of(stored, &sale::one_ticket()?);
    let clock = Clock::default();
    let tickets = shelf.tickets(&clock);
    clock.run(async {
        let (first, mut next) = shelf.page(&tickets, limit, None).await?;
        let (mut page, mut cost) = (1, first);
        while page < FAR && next.is_some() {
            (cost, next) = shelf.page(&tickets, limit, next).await?;
            page += 1;
        }
        Ok(Length { stored, first, far: (page == FAR).then_some(cost) })
    })?
}

/// So many copies of one ticket, of which only the ids are kept.
#[derive(Debug, Clone)]
struct Shelf {
    /// The ids, by their partition of the index.
    partitions: Arc<BTreeMap<String, BTreeSet<String>>>,
    /// The ticket, and the id that it has.
    ticket: Arc<(String, String)>,
    spent: Arc<Mutex<Cost>>,
}

fn string<'a>(value: &'a Value, path: &str) -> Result<&'a str, String> {
    value.pointer(path).and_then(Value::as_str).ok_or_else(|| format!("{path} is no string"))
}

/// The list of all, by the partition of it that the copied ticket is in.
fn all(copied: &str) -> List {
    List::spread(GSI2, copied.rsplit_once('#').map_or(copied, |(name, _)| name))
}

/// The partition of a list that an id goes to.
fn partition_of(id: &str, list: &List) -> String {
    let [(_, partition), _] = list.entry(id);
    partition.as_s().cloned().unwrap_or_default()
}

impl Shelf {
    fn of(stored: u32, ticket: &Item) -> Self {
        let ticket = Value::Object(ticket.clone());
        let all = all(string(&ticket, "/gsi2pk/S").unwrap_or_default());
        let mut partitions: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for id in (0..stored).map(|_| TicketId::generate().to_string()) {
            partitions.entry(partition_of(&id, &all)).or_default().insert(id);
        }
        let id = string(&ticket, "/id/S").unwrap_or_default().to_owned();
        Self { partitions: Arc::new(partitions), ticket: Arc::new((ticket.to_string(), id)), spent: Arc::default() }
    }

    /// The product's store, over this.
    fn tickets(&self, clock: &Clock) -> TicketStore {
        let dynamodb = client::dynamodb(&sdk_config(clock, self.clone()));
        TicketStore::new(dynamodb, TICKETS, EventStore::new(EVENTS))
    }

    fn spent(&self) -> MutexGuard<'_, Cost> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn page(
        &self,
        tickets: &TicketStore,
        limit: Limit,
        from: Option<Cursor>,
    ) -> Result<(Cost, Option<Cursor>), ListError> {
        *self.spent() = Cost::default();
        let page = tickets.list_all(limit, from).await?;
        let cost = Cost { shown: page.items.len(), ..*self.spent() };
        Ok((cost, page.next))
    }

    fn item(&self, id: &str) -> Result<Item, String> {
        let (ticket, copied) = &*self.ticket;
        let ticket: Value = serde_json::from_str(&ticket.replace(copied, id)).map_err(|error| error.to_string())?;
        let mut item = ticket.as_object().cloned().unwrap_or_default();
        let partition = partition_of(id, &all(string(&ticket, "/gsi2pk/S")?));
        item.insert("gsi2pk".to_owned(), json!({ "S": partition }));
        Ok(item)
    }

    fn answer(&self, operation: &str, request: &Value) -> Result<Value, String> {
        self.spent().requests += 1;
        match operation {
            "Query" => self.query(request),
            "BatchGetItem" => self.batch_get(request),
            _ => Err(format!("a list asks for no {operation}")),
        }
    }

    /// The newest entries in a partition of the index that lists all, before the id that is gone on after.
    fn query(&self, request: &Value) -> Result<Value, String> {
        let conditions = ["#pk = :pk", "#pk = :pk AND #sk < :after"];
        let known = string(request, "/IndexName")? == "gsi2"
            && string(request, "/ExpressionAttributeNames/#pk")? == "gsi2pk"
            && conditions.contains(&string(request, "/KeyConditionExpression")?)
            && request["ScanIndexForward"] == json!(false);
        if !known {
            return Err(format!("this model does not know the query {request}"));
        }
        let limit =
            request["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).ok_or("there is no limit")?;
        let partition = self.partitions.get(string(request, "/ExpressionAttributeValues/:pk/S")?);
        let before = match string(request, "/ExpressionAttributeValues/:after/S") {
            Ok(after) => Bound::Excluded(after.to_owned()),
            Err(_) => Bound::Unbounded,
        };
        let ids = partition.into_iter().flat_map(|ids| ids.range((Bound::Unbounded, before.clone())).rev());
        let entries = ids.take(limit).map(|id| {
            let item = self.item(id)?;
            // The index projects keys only.
            Ok(item.into_iter().filter(|(name, _)| ["pk", "sk", "gsi2pk", "gsi2sk"].contains(&name.as_str())).collect())
        });
        let entries = entries.collect::<Result<Vec<Item>, String>>()?;
        self.spent().units += units::read(entries.iter().map(units::size).sum(), false);
        // DynamoDB says so whenever it stopped at the limit, be there more or not.
        let last = entries.last().filter(|_| entries.len() == limit).cloned();
        let mut answer = json!({ "Items": entries });
        if let (Some(answer), Some(last)) = (answer.as_object_mut(), last) {
            answer.insert("LastEvaluatedKey".to_owned(), Value::Object(last));
        }
        Ok(answer)
    }

    fn batch_get(&self, request: &Value) -> Result<Value, String> {
        let wanted = request.pointer(&format!("/RequestItems/{TICKETS}")).ok_or("of the tickets' table only")?;
        let consistent = wanted["ConsistentRead"] == json!(true);
        let keys = wanted["Keys"].as_array().ok_or("there are no keys")?;
        let items = keys.iter().map(|key| {
            let id = string(key, "/pk/S")?.strip_prefix("TKT#").ok_or("a key of another item")?;
            let item = self.item(id)?;
            self.spent().units += units::read(units::size(&item), consistent);
            Ok(Value::Object(item))
        });
        let items = items.collect::<Result<Vec<_>, String>>()?;
        Ok(json!({ "Responses": { TICKETS: items }, "UnprocessedKeys": {} }))
    }
}

impl HttpConnector for Shelf {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = wire::asked(&request).and_then(|(operation, request)| {
            let answer = self.answer(&operation, &request).map_err(|why| ConnectorError::user(why.into()))?;
            wire::answered(200, &answer)
        });
        HttpConnectorFuture::ready(answer)
    }
}

impl HttpClient for Shelf {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit() -> Limit {
        "10".parse().unwrap()
    }

    #[test]
    fn a_page_costs_the_same_however_much_is_stored() {
        let [short, long] = [100, 20_000].map(|stored| measure(stored, limit()).unwrap());
        assert_eq!(short.first.shown, 10);
        assert_eq!(short.far, None);
        assert_eq!(short.first, long.first);
        assert_eq!(long.far, Some(long.first));
    }

    #[test]
    fn a_list_shows_each_ticket_once_newest_first() {
        let shelf = Shelf::of(95, &sale::one_ticket().unwrap());
        let clock = Clock::default();
        let tickets = shelf.tickets(&clock);
        let mut shown = Vec::new();
        let mut next = None;
        loop {
            let page = clock.run(tickets.list_all(limit(), next)).unwrap().unwrap();
            shown.extend(page.items.into_iter().map(|ticket| ticket.id.to_string()));
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        let mut stored: Vec<_> = shelf.partitions.values().flatten().cloned().collect();
        stored.sort_by(|a, b| b.cmp(a));
        assert_eq!(shown, stored);
    }
}
