//! A test's own tables, on each implementation in turn.

use crate::{
    definition::{self, Table},
    endpoint::{self, Endpoint, REMEDY},
};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::{Client, error::DisplayErrorContext, types::TableStatus};
use boxoffice_aws::{EventStore, Item, client};
use std::{any::Any, collections::BTreeMap, future::Future, time::Duration};
use tokio::task::JoinError;
use uuid::Uuid;

/// Fresh tables of one test, on one implementation.
#[derive(Debug, Clone)]
pub struct Database {
    endpoint: Endpoint,
    sdk: SdkConfig,
    client: Client,
    tables: BTreeMap<Table, String>,
}

/// Runs the test once on each implementation, on tables of its own, and fails naming those it failed on. Afterwards, every event the test
/// wrote is held against its contract.
pub async fn for_each_dynamodb<Test, Running>(test: Test)
where
    Test: Fn(Database) -> Running,
    Running: Future<Output = ()> + Send + 'static,
{
    let mut failures = Vec::new();
    for endpoint in endpoint::endpoints() {
        let database = Database::create(endpoint).await;
        let mut outcome = tokio::spawn(test(database.clone())).await;
        if outcome.is_ok() {
            let written = database.clone();
            outcome = tokio::spawn(async move { written.check_events().await }).await;
        }
        database.delete().await;
        if let Err(failure) = outcome {
            failures.push(format!("on {} ({}): {}", database.name(), database.endpoint.url, words(failure)));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

fn words(failure: JoinError) -> String {
    let panic: Box<dyn Any + Send> = match failure.try_into_panic() {
        Ok(panic) => panic,
        Err(other) => return other.to_string(),
    };
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").to_owned()
}

impl Database {
    async fn create(endpoint: Endpoint) -> Self {
        let sdk = endpoint.sdk_config();
        let client = client::dynamodb(&sdk);
        let test = Uuid::now_v7().simple().to_string();
        let mut tables = BTreeMap::new();
        for (table, properties) in definition::tables() {
            let name = format!("store-test-{test}-{table:?}");
            let created = properties.create(&client, &name).send().await.unwrap_or_else(|error| {
                let (name, url) = (&endpoint.name, &endpoint.url);
                panic!("no table can be made on {name} at {url}: {REMEDY}\n{}", DisplayErrorContext(error))
            });
            let active = |status: Option<&TableStatus>| status == Some(&TableStatus::Active);
            let mut ready = active(created.table_description().and_then(|table| table.table_status()));
            while !ready {
                tokio::time::sleep(Duration::from_millis(50)).await;
                let described = client.describe_table().table_name(&name).send().await.expect("the new table");
                ready = active(described.table().and_then(|table| table.table_status()));
            }
            tables.insert(table, name);
        }
        Self { endpoint, sdk, client, tables }
    }

    /// As far as it goes: a table left over has a name that no other test uses.
    async fn delete(&self) {
        for name in self.tables.values() {
            let _ = self.client.delete_table().table_name(name).send().await;
        }
    }

    /// The implementation's name.
    pub fn name(&self) -> &str {
        &self.endpoint.name
    }

    /// A client as the functions use it.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The configuration that client is made from, for clients of other services.
    pub fn sdk_config(&self) -> &SdkConfig {
        &self.sdk
    }

    /// The name this test's table has.
    pub fn table(&self, table: Table) -> &str {
        self.tables.get(&table).map(String::as_str).expect("infra/tables.yaml defines every table")
    }

    /// This test's event store.
    pub fn event_store(&self) -> EventStore {
        EventStore::new(self.table(Table::Events))
    }

    /// Everything in a table.
    pub async fn items(&self, table: Table) -> Vec<Item> {
        let scan = self.client.scan().table_name(self.table(table)).consistent_read(true);
        let items: Result<Vec<_>, _> = scan.into_paginator().items().send().collect().await;
        items.unwrap_or_else(|error| panic!("scan of {table:?}: {}", DisplayErrorContext(error)))
    }
}
