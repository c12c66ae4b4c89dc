//! An AWS service that hears every call and answers each with success: for what is only told, such as the waiting saga.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use serde_json::Value;
use std::sync::{Arc, Mutex};

/// What was said to the service.
#[derive(Debug, Clone, Default)]
pub struct Listener(Arc<Mutex<Vec<(String, Value)>>>);

impl Listener {
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

    /// Every call so far: its operation and its arguments.
    pub fn heard(&self) -> Vec<(String, Value)> {
        self.0.lock().expect("a test that has not panicked").clone()
    }
}

impl HttpConnector for Listener {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let arguments = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default();
        self.0.lock().expect("a test that has not panicked").push((operation, arguments));
        let success = StatusCode::try_from(200_u16).expect("a status code");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(success, SdkBody::from("{}"))))
    }
}
