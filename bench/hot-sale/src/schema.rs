//! The tables as `infra/tables.yaml` defines them: what is deployed is what is measured.

use serde::Deserialize;
use std::collections::BTreeMap;

/// The name of a table or an index, and its key attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// The attribute that says which partition.
    pub hash: String,
    /// The attribute that says which item of it, where there is one.
    pub range: Option<String>,
}

/// A table's shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Its own keys.
    pub keys: Keys,
    /// Its indexes, by name.
    pub indexes: BTreeMap<String, Keys>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Template {
    resources: BTreeMap<String, Resource>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(default)]
    properties: Properties,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Properties {
    key_schema: Vec<Key>,
    global_secondary_indexes: Vec<Index>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Index {
    index_name: String,
    key_schema: Vec<Key>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Key {
    attribute_name: String,
    key_type: String,
}

fn keys(schema: Vec<Key>) -> Keys {
    let mut keys = Keys { hash: String::new(), range: None };
    for key in schema {
        match key.key_type.as_str() {
            "HASH" => keys.hash = key.attribute_name,
            _ => keys.range = Some(key.attribute_name),
        }
    }
    keys
}

/// Every table that the application deploys, by its name in the template.
///
/// # Errors
/// When the template is not what it was when this was written.
pub fn tables() -> Result<BTreeMap<String, Schema>, serde_saphyr::Error> {
    let template: Template = serde_saphyr::from_str(include_str!("../../../infra/tables.yaml"))?;
    let tables = template.resources.into_iter().filter(|(_, resource)| resource.kind == "AWS::DynamoDB::Table");
    let schema = |Properties { key_schema, global_secondary_indexes }| Schema {
        keys: keys(key_schema),
        indexes: global_secondary_indexes.into_iter().map(|index| (index.index_name, keys(index.key_schema))).collect(),
    };
    Ok(tables.map(|(name, resource)| (name, schema(resource.properties))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_says_what_is_where() {
        let tables = tables().unwrap();
        assert_eq!(tables["InventoryTable"].keys, Keys { hash: "pk".into(), range: Some("sk".into()) });
        assert_eq!(tables["EventsTable"].keys.hash, "aggregateId");
        assert_eq!(tables["TicketsTable"].indexes.len(), 5);
    }
}
