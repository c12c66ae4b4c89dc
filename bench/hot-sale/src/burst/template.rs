//! The facts of `template.yaml` and `infra/messaging.yaml` that shape a burst: read from them, never restated.

use boxoffice_inventory::handlers::verify_hold::LATEST_START_SECONDS;
use boxoffice_statemachines::{BOOKING_SAGA, Machine, read};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

const TEMPLATE: &str = include_str!("../../../../template.yaml");
const MESSAGING: &str = include_str!("../../../../infra/messaging.yaml");

/// The deployment, as far as a burst meets it.
#[derive(Debug, Clone)]
pub struct Deployed {
    /// How long seats are held.
    pub hold: Duration,
    /// For how long after its hold a booking may still be charged.
    pub latest_start: Duration,
    /// The throttle of each method of the API: burst and rate per second.
    pub api: (f64, f64),
    /// Where the bus takes which events.
    pub rules: Vec<Rule>,
    /// The functions that read the event store's stream.
    pub readers: Vec<Reader>,
    /// The booking saga.
    pub saga: Machine,
    /// The queue of messages to users; nothing where they wait in none.
    pub messages: Option<Messages>,
}

/// Where the bus takes an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// It starts the booking saga.
    BookingSaga,
    /// It waits in the queue of messages to users.
    Messages,
}

/// The queue of messages to users, and its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Messages {
    /// How many are sent at a time; nothing where nothing limits it.
    pub at_a_time: Option<u32>,
    /// For how long a message that was received and not dealt with is out of sight.
    pub hidden: Duration,
    /// How often a message is received before it goes to the dead-letter queue.
    pub receives: u32,
}

/// One rule of the bus.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Where it takes them.
    pub target: Target,
    /// The events it takes.
    pub event_types: Vec<String>,
    /// How often EventBridge tries again.
    pub retries: u32,
    /// For how long.
    pub age: Duration,
}

/// One reader of the event store's stream.
#[derive(Debug, Clone)]
pub struct Reader {
    /// Its function.
    pub function: String,
    /// The most records of a batch.
    pub batch: usize,
    /// How many batches of a shard it takes at once.
    pub lanes: u32,
}

/// The template is not what this was written for.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// It cannot be read.
    #[error("template.yaml cannot be read: {0}")]
    Yaml(#[from] serde_saphyr::Error),
    /// A state machine's definition cannot be read.
    #[error("a state machine cannot be read: {0}")]
    Machine(#[from] serde_json::Error),
    /// Something is missing.
    #[error("template.yaml has no {0}")]
    Missing(&'static str),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Template {
    #[serde(default)]
    parameters: BTreeMap<String, Parameter>,
    resources: BTreeMap<String, Resource>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    default: Option<Value>,
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
    events: BTreeMap<String, Event>,
    event_pattern: Pattern,
    targets: Vec<RuleTarget>,
    visibility_timeout: u64,
    redrive_policy: Redrive,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RuleTarget {
    arn: String,
    #[serde(default)]
    retry_policy: RetryPolicy,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Redrive {
    max_receive_count: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(default)]
    properties: Source,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Source {
    pattern: Pattern,
    retry_policy: RetryPolicy,
    /// The table whose stream it is, for a reader of one.
    stream: String,
    batch_size: Option<usize>,
    /// A number, or the parameter that has it.
    parallelization_factor: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Pattern {
    detail_type: Vec<String>,
    detail: Option<Value>,
}

/// EventBridge's own defaults where the template says nothing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RetryPolicy {
    maximum_retry_attempts: u32,
    maximum_event_age_in_seconds: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { maximum_retry_attempts: 185, maximum_event_age_in_seconds: 86_400 }
    }
}

impl Template {
    fn number(&self, parameter: &'static str) -> Result<f64, TemplateError> {
        let default = self.parameters.get(parameter).and_then(|found| found.default.as_ref());
        let number = default.and_then(|value| value.as_f64().or_else(|| value.as_str()?.parse().ok()));
        number.ok_or(TemplateError::Missing(parameter))
    }

    /// The rules that a sale's events match. Those that look into an event's detail are for what users and operators ask for, and no sale does.
    fn rules(&self) -> Vec<Rule> {
        let rule = |pattern: &Pattern, retry: &RetryPolicy, target| {
            let rule = Rule {
                target,
                event_types: pattern.detail_type.clone(),
                retries: retry.maximum_retry_attempts,
                age: Duration::from_secs(retry.maximum_event_age_in_seconds),
            };
            pattern.detail.is_none().then_some(rule)
        };
        let saga = self.resources.get("BookingSaga").into_iter().flat_map(|saga| saga.properties.events.values());
        let saga = saga.filter(|event| event.kind == "EventBridgeRule").map(|event| &event.properties);
        let saga = saga.filter_map(|source| rule(&source.pattern, &source.retry_policy, Target::BookingSaga));
        let rules = self.resources.values().filter(|resource| resource.kind == "AWS::Events::Rule");
        let targets = rules.flat_map(|resource| {
            let properties = &resource.properties;
            properties.targets.iter().map(|target| (&properties.event_pattern, target))
        });
        let messages = targets.filter(|(_, target)| target.arn.contains("NotificationQueue"));
        let messages = messages.filter_map(|(pattern, target)| rule(pattern, &target.retry_policy, Target::Messages));
        saga.chain(messages).collect()
    }

    /// The queue of messages, where there is one.
    fn messages(&self, messaging: &Self) -> Result<Option<Messages>, TemplateError> {
        let Some(Resource { properties, .. }) = messaging.resources.get("NotificationQueue") else { return Ok(None) };
        let at_a_time = self.number("NotificationConcurrency")?;
        Ok(Some(Messages {
            at_a_time: (at_a_time > 0.0).then(|| at_a_time.to_string().parse().ok()).flatten(),
            hidden: Duration::from_secs(properties.visibility_timeout),
            receives: properties.redrive_policy.max_receive_count,
        }))
    }

    /// How many batches of a shard a reader works at: a number, or that of the parameter named.
    fn lanes(&self, factor: Option<&str>) -> u32 {
        let number = |name: &str| self.parameters.get(name)?.default.as_ref()?.as_u64()?.try_into().ok();
        // Lambda's default is one (https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html).
        factor.and_then(|factor| factor.parse().ok().or_else(|| number(factor))).unwrap_or(1)
    }

    fn readers(&self) -> Vec<Reader> {
        let functions = self.resources.iter().filter(|(_, resource)| resource.kind == "AWS::Serverless::Function");
        let streams = functions.flat_map(|(name, resource)| {
            // The inventory table has a stream too, whose reader no booking waits for.
            let streams =
                resource.properties.events.values().filter(|event| event.properties.stream.contains("EventsTable"));
            streams.map(move |event| (name, &event.properties))
        });
        streams
            .map(|(name, source)| Reader {
                function: kebab(name.trim_end_matches("Function")),
                // Lambda's default (https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html).
                batch: source.batch_size.unwrap_or(100),
                lanes: self.lanes(source.parallelization_factor.as_deref()),
            })
            .collect()
    }
}

/// `RelayEvents` and `Relay Events` as `relay-events`: a function has one name everywhere.
pub fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for character in name.chars().filter(|character| !character.is_whitespace()) {
        if character.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(character.to_ascii_lowercase());
    }
    kebab
}

/// The deployment of this checkout.
///
/// # Errors
/// When the template or a machine cannot be read, or lacks what a burst meets.
pub fn deployed() -> Result<Deployed, TemplateError> {
    let template: Template = serde_saphyr::from_str(TEMPLATE)?;
    let messaging: Template = serde_saphyr::from_str(MESSAGING)?;
    let readers = template.readers();
    if readers.is_empty() {
        return Err(TemplateError::Missing("reader of the event store's stream"));
    }
    Ok(Deployed {
        hold: Duration::from_secs_f64(template.number("HoldSeconds")?),
        latest_start: Duration::from_secs(LATEST_START_SECONDS.into()),
        api: (template.number("ThrottleBurst")?, template.number("ThrottleRate")?),
        rules: template.rules(),
        readers,
        saga: read(BOOKING_SAGA)?,
        messages: template.messages(&messaging)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_says_what_starts_the_saga() {
        let deployed = deployed().unwrap();
        let starts = |event: &str| {
            let takes = |rule: &&Rule| rule.event_types.iter().any(|kind| kind == event);
            deployed.rules.iter().filter(takes).any(|rule| rule.target == Target::BookingSaga)
        };
        assert!(starts("TicketCreated"));
        assert!(!starts("PaymentRefunded"), "that rule looks into the event's detail");
        assert!(deployed.readers.iter().any(|reader| (&*reader.function, reader.lanes) == ("relay-events", 10)));
        assert_eq!(deployed.readers.len(), 2, "{:?}", deployed.readers);
        assert!(deployed.hold >= Duration::from_mins(1));
    }

    #[test]
    fn names_are_spelled_as_functions_are() {
        assert_eq!((kebab("RelayEvents"), kebab("Claim Saga")), ("relay-events".into(), "claim-saga".into()));
    }
}
