//! SDK configuration, the same for every function.

use crate::trust;
use aws_config::{
    BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::{operation::transact_write_items::TransactWriteItemsError, types::CancellationReason};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    interceptors::context::InterceptorContext,
    retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority},
};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use std::{env, sync::OnceLock, time::Duration};

/// The shared configuration: region, credentials and endpoint from the standard environment variables (`AWS_REGION`,
/// `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, …), so that nothing here knows which cloud answers.
///
/// Lambda sets all of them, so the SDK's own search (profile files, SSO, container and instance metadata) is left out: it
/// finds nothing there, and its code would be in every function. `docs/adr/0007-one-release-profile.md` has the figures.
///
/// Made once: clones share their connections, so that the clients of one function do too.
///
/// An attempt may take 8 s and a call 12 s in all, so that a function answers within its own 15 s whatever AWS does. An attempt's
/// time is long on purpose: giving up early on a store that is merely slow only makes it slower.
pub fn sdk_config() -> SdkConfig {
    static CONFIG: OnceLock<SdkConfig> = OnceLock::new();
    CONFIG.get_or_init(from_environment).clone()
}

fn from_environment() -> SdkConfig {
    let tls = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
    let http_client = tls.tls_context(trust::in_aws()).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(8))
        .operation_timeout(Duration::from_secs(12))
        .build();
    // Short first waits: most retries here are two buyers meeting on one seat counter for a few milliseconds.
    let retries = RetryConfig::standard()
        .with_max_attempts(8)
        .with_initial_backoff(Duration::from_millis(25))
        .with_max_backoff(Duration::from_millis(800));
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(env::var("AWS_REGION").ok().map(Region::new))
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .service_config(Environment)
        .http_client(http_client)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .timeout_config(timeouts)
        .retry_config(retries);
    config.set_endpoint_url(env::var("AWS_ENDPOINT_URL").ok());
    config.build()
}

/// Settings of one service, such as `AWS_ENDPOINT_URL_DYNAMODB`
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>).
#[derive(Debug)]
struct Environment;

impl LoadServiceConfig for Environment {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace(' ', "_");
        env::var(format!("{}_{service}", key.env())).ok()
    }
}

/// A DynamoDB client that also retries a transaction cancelled only because it met another one.
pub fn dynamodb(config: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::config::Builder::from(config).retry_classifier(MetAnotherTransaction).build();
    aws_sdk_dynamodb::Client::from_conf(config)
}

/// `TransactionCanceledException` is final to the SDK, yet it has two very different causes: a condition that does
/// not hold (an answer, never retried) and a collision with a concurrent transaction or a throttled partition (nothing was decided; the
/// same request may well succeed). The SDK's own backoff and jitter then space the tries.
#[derive(Debug)]
struct MetAnotherTransaction;

impl ClassifyRetry for MetAnotherTransaction {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else { return RetryAction::NoActionIndicated };
        match error.as_operation_error().and_then(|error| error.downcast_ref::<TransactWriteItemsError>()) {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled))
                if only_collided(cancelled.cancellation_reasons()) =>
            {
                RetryAction::transient_error()
            }
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "met another transaction"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::modeled_as_retryable_classifier())
    }
}

/// Whether no item was refused, and at least one could not be decided.
pub(crate) fn only_collided(reasons: &[CancellationReason]) -> bool {
    let codes = || reasons.iter().filter_map(CancellationReason::code).filter(|code| *code != "None");
    codes().count() > 0
        && codes()
            .all(|code| matches!(code, "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(codes: &[&str]) -> Vec<CancellationReason> {
        codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect()
    }

    #[test]
    fn a_refused_condition_is_an_answer_and_a_collision_is_not() {
        assert!(only_collided(&reasons(&["None", "TransactionConflict"])));
        assert!(only_collided(&reasons(&["ThrottlingError", "TransactionConflict"])));
        assert!(!only_collided(&reasons(&["TransactionConflict", "ConditionalCheckFailed"])));
        assert!(!only_collided(&reasons(&["None", "None"])));
        assert!(!only_collided(&[]));
    }
}
