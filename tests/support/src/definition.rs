//! The tables as `infra/tables.yaml` defines them: what is deployed is what is tested.

use aws_sdk_dynamodb::{
    Client,
    operation::create_table::builders::CreateTableFluentBuilder,
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
        ScalarAttributeType,
    },
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A table, by what its context calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Table {
    /// Events on sale, their seats and reservations.
    #[serde(rename = "InventoryTable")]
    Inventory,
    /// Tickets and idempotency keys.
    #[serde(rename = "TicketsTable")]
    Tickets,
    /// Payments, instructions and the breaker.
    #[serde(rename = "PaymentsTable")]
    Payments,
    /// Sagas and their journals.
    #[serde(rename = "SagasTable")]
    Sagas,
    /// Users, and their names and addresses.
    #[serde(rename = "UsersTable")]
    Users,
    /// The sessions, refresh tokens and failed log-ins.
    #[serde(rename = "SessionsTable")]
    Sessions,
    /// Messages to users, and where users are reached.
    #[serde(rename = "NotificationsTable")]
    Notifications,
    /// Admissions, check-in lists, devices and passages.
    #[serde(rename = "AdmissionsTable")]
    Admissions,
    /// Read models.
    #[serde(rename = "ViewsTable")]
    Views,
    /// The event store.
    #[serde(rename = "EventsTable")]
    Events,
}

/// `infra/tables.yaml`, as far as a table's shape goes: backups, encryption and the stream are not what a store's conditions depend on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Template {
    resources: BTreeMap<Table, Resource>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    properties: Properties,
}

/// The part of the template that CloudFormation creates a table from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Properties {
    attribute_definitions: Vec<Attribute>,
    key_schema: Vec<Key>,
    #[serde(default)]
    global_secondary_indexes: Vec<Index>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Key {
    attribute_name: String,
    key_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Index {
    #[serde(rename = "IndexName")]
    name: String,
    key_schema: Vec<Key>,
    projection: Projected,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Projected {
    projection_type: String,
}

/// Every table the application deploys.
pub(crate) fn tables() -> BTreeMap<Table, Properties> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/tables.yaml");
    let yaml = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let template: Template = serde_saphyr::from_str(&yaml).unwrap_or_else(|error| panic!("{path}: {error}"));
    template.resources.into_iter().map(|(table, resource)| (table, resource.properties)).collect()
}

impl Properties {
    /// The call that makes this table under such a name.
    pub(crate) fn create(&self, client: &Client, name: &str) -> CreateTableFluentBuilder {
        let attributes = self.attribute_definitions.iter().map(|attribute| {
            AttributeDefinition::builder()
                .attribute_name(&attribute.attribute_name)
                .attribute_type(ScalarAttributeType::from(attribute.attribute_type.as_str()))
                .build()
                .expect("a complete attribute definition")
        });
        let indexes = self.global_secondary_indexes.iter().map(|index| {
            let projected = ProjectionType::from(index.projection.projection_type.as_str());
            GlobalSecondaryIndex::builder()
                .index_name(&index.name)
                .set_key_schema(Some(key_schema(&index.key_schema)))
                .projection(Projection::builder().projection_type(projected).build())
                .build()
                .expect("a complete index definition")
        });
        let indexes: Vec<_> = indexes.collect();
        client
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest)
            .set_attribute_definitions(Some(attributes.collect()))
            .set_key_schema(Some(key_schema(&self.key_schema)))
            .set_global_secondary_indexes((!indexes.is_empty()).then_some(indexes))
    }
}

fn key_schema(keys: &[Key]) -> Vec<KeySchemaElement> {
    let element = |key: &Key| {
        KeySchemaElement::builder()
            .attribute_name(&key.attribute_name)
            .key_type(KeyType::from(key.key_type.as_str()))
            .build()
            .expect("a complete key")
    };
    keys.iter().map(element).collect()
}
