//! An AWS service that hears every call and answers as the test says: for what is only told, such as the waiting saga, and for what must fail.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient as _, HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use std::{
    fmt,
    sync::{Arc, Mutex},
};

/// The answer to a call: a status and a body.
pub type Reply = (u16, Value);

type Script = Arc<dyn Fn(&str, &Value) -> Reply + Send + Sync>;

/// The calls that the service got.
#[derive(Clone)]
pub struct Listener {
    heard: Arc<Mutex<Vec<(String, Value)>>>,
    reply: Script,
}

impl Default for Listener {
    /// One that answers each call with success, and nothing else.
    fn default() -> Self {
        Self::answering(|_, _| (200, json!({})))
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("heard", &self.heard).finish_non_exhaustive()
    }
}

impl Listener {
    /// One that answers so, by the operation and its arguments.
    pub fn answering(reply: impl Fn(&str, &Value) -> Reply + Send + Sync + 'static) -> Self {
        Self { heard: Arc::default(), reply: Arc::new(reply) }
    }

    /// The configuration whose clients talk to this listener.
    pub fn sdk_config(&self) -> SdkConfig {
        let listener = self.clone();
        let credentials = Credentials::new("test", "test", None, None, "store tests");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(listener.clone())))
            .build()
    }

    /// The configuration whose clients talk to this listener about these operations, and to the real service about all others.
    pub fn in_front_of(&self, real: &SdkConfig, operations: &'static [&'static str]) -> SdkConfig {
        let listener = self.clone();
        let services = real.http_client().expect("a configuration with an HTTP client");
        let client = http_client_fn(move |settings, components| {
            let (listener, others) = (listener.clone(), services.http_connector(settings, components));
            SharedHttpConnector::new(InFront { listener, operations, others })
        });
        real.to_builder().http_client(client).build()
    }

    /// Every call so far: its operation and its arguments.
    pub fn heard(&self) -> Vec<(String, Value)> {
        self.heard.lock().expect("a test that has not panicked").clone()
    }
}

/// The operation: by name, or of a service that knows its operations by their paths, by the path's last part.
fn operation(request: &HttpRequest) -> String {
    let path = || request.uri().split('?').next().unwrap_or_default().rsplit('/').next();
    let named = request.headers().get("x-amz-target").and_then(|target| target.rsplit('.').next());
    named.or_else(path).unwrap_or_default().to_owned()
}

impl HttpConnector for Listener {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = operation(&request);
        let arguments = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default();
        let (status, body) = (self.reply)(&operation, &arguments);
        self.heard.lock().expect("a test that has not panicked").push((operation, arguments));
        let status = StatusCode::try_from(status).expect("a status code");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body.to_string()))))
    }
}

#[derive(Debug)]
struct InFront {
    listener: Listener,
    operations: &'static [&'static str],
    others: SharedHttpConnector,
}

impl HttpConnector for InFront {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if self.operations.contains(&operation(&request).as_str()) {
            self.listener.call(request)
        } else {
            self.others.call(request)
        }
    }
}
