//! The SDK's wire for both models: a request understood, an answer spelled.

use aws_smithy_runtime_api::{
    client::{
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use serde_json::Value;

/// The operation, and its input.
///
/// # Errors
/// When the body is no JSON.
pub fn asked(request: &HttpRequest) -> Result<(String, Value), ConnectorError> {
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let body = serde_json::from_slice(request.body().bytes().unwrap_or_default());
    body.map(|body| (operation, body)).map_err(|error| ConnectorError::user(error.into()))
}

/// An answer with this status.
///
/// # Errors
/// When there is no such status.
pub fn answered(status: u16, body: &Value) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(status).map_err(|error| ConnectorError::user(error.into()))?;
    let mut response = HttpResponse::new(status, SdkBody::from(body.to_string()));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    Ok(response)
}
