//! Lambda entry point; see [`boxoffice_platform::handlers::relay_events`].

use boxoffice_platform::handlers::relay_events::Relay;
use boxoffice_runtime::init_telemetry;
use lambda_runtime::{LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let relay = &Relay::from_env()?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<_>| {
        Ok::<_, lambda_runtime::Error>(relay.relay(event.payload).await)
    }))
    .await
}
