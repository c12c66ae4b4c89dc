//! Lambda entry point; see [`boxoffice_reporting::handlers::project_events`].

use boxoffice_reporting::handlers::project_events::Projection;
use boxoffice_runtime::init_telemetry;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let projection = &Projection::from_env()?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<_>| {
        projection.handle(event.payload).await.map_err(Diagnostic::from)
    }))
    .await
}
