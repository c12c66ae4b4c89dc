//! A meter on the way to DynamoDB: how often it was read.

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::{
    http::{HttpClient as _, HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::HttpRequest,
};
use serde_json::Value;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Counts reads: each item of a batch, each other item, each page of a query or a scan.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<AtomicUsize>);

impl Meter {
    /// The same configuration, with this meter on its requests.
    pub fn on(&self, config: &SdkConfig) -> SdkConfig {
        let client = config.http_client().expect("a test's configuration names its HTTP client");
        let meter = self.clone();
        let metered = http_client_fn(move |settings, components| {
            let connector = client.http_connector(settings, components);
            SharedHttpConnector::new(Metered { connector, meter: meter.clone() })
        });
        config.clone().into_builder().http_client(metered).build()
    }

    /// How many reads there were since this was last asked.
    pub fn reads(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

#[derive(Debug)]
struct Metered {
    connector: SharedHttpConnector,
    meter: Meter,
}

impl HttpConnector for Metered {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = request.headers().get("x-amz-target").and_then(|target| target.split('.').next_back());
        let reads = match operation {
            Some("GetItem" | "Query" | "Scan") => 1,
            Some("BatchGetItem") => request.body().bytes().map_or(0, keys),
            _ => 0,
        };
        self.meter.0.fetch_add(reads, Ordering::SeqCst);
        self.connector.call(request)
    }
}

fn keys(body: &[u8]) -> usize {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let tables = body.get("RequestItems").and_then(Value::as_object);
    let keys = |table: &Value| table.get("Keys").and_then(Value::as_array).map_or(0, Vec::len);
    tables.map_or(0, |tables| tables.values().map(keys).sum())
}
