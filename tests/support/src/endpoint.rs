//! The DynamoDB implementations at hand, and how to reach them.

use aws_config::{Region, SdkConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::HttpRequest,
};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Names the implementations: `emulator=http://127.0.0.1:4566,moto=http://127.0.0.1:5005`.
const VARIABLE: &str = "BOXOFFICE_DYNAMODB_ENDPOINTS";
/// The advice when none is there. A store test never passes by not having run.
pub(crate) const REMEDY: &str = "`make test-unit` starts both DynamoDBs and runs the store tests on them";

/// A DynamoDB implementation.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The name in failures.
    pub name: String,
    /// Where it answers.
    pub url: String,
}

/// Every implementation that the environment names.
pub fn endpoints() -> Vec<Endpoint> {
    let named = std::env::var(VARIABLE).unwrap_or_else(|_| panic!("{VARIABLE} is not set: {REMEDY}"));
    let endpoint = |pair: &str| {
        let (name, url) = pair.split_once('=').unwrap_or_else(|| panic!("{VARIABLE}: `{pair}` is not name=url"));
        Endpoint { name: name.trim().to_owned(), url: url.trim().to_owned() }
    };
    let endpoints: Vec<_> = named.split(',').filter(|pair| !pair.trim().is_empty()).map(endpoint).collect();
    assert!(!endpoints.is_empty(), "{VARIABLE} names no endpoint: {REMEDY}");
    endpoints
}

impl Endpoint {
    /// The functions' own configuration, retries and all, pointed at this implementation. Only the time limits are wider: a busy laptop is
    /// not what these tests are about.
    pub fn sdk_config(&self) -> SdkConfig {
        let config = boxoffice_aws::client::sdk_config();
        // Not the functions' own, which lives as long as the program: a connection ends with the runtime that opened it, and each test has one.
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let patient = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(Duration::from_mins(1))
            .operation_timeout(Duration::from_mins(2))
            .build();
        let credentials = Credentials::new("test", "test", None, None, "store tests");
        let builder = config
            .into_builder()
            .endpoint_url(&self.url)
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .timeout_config(patient);
        let builder =
            if self.name == "moto" { builder.http_client(one_at_a_time(http)) } else { builder.http_client(http) };
        builder.build()
    }
}

/// One request at a time. Moto serves requests in threads without a lock, and takes a refused transaction back by restoring the whole table as
/// it was before: what others wrote meanwhile goes with it. Callers still overtake each other between their requests, which is the race that
/// conditions are there for.
fn one_at_a_time(client: impl HttpClient + 'static) -> impl HttpClient + 'static {
    http_client_fn(move |settings, components| {
        SharedHttpConnector::new(OneAtATime(client.http_connector(settings, components)))
    })
}

#[derive(Debug)]
struct OneAtATime(SharedHttpConnector);

impl HttpConnector for OneAtATime {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        static TURN: Semaphore = Semaphore::const_new(1);
        let connector = self.0.clone();
        HttpConnectorFuture::new(async move {
            let _turn = TURN.acquire().await.expect("a semaphore that is never closed");
            connector.call(request).await
        })
    }
}
