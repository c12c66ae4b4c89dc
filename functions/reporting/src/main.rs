//! Every function of this context, in one program: the `Handler` of a function in the template names its arm.

use boxoffice_reporting::handlers::{get_sales, get_settlement, list_bookings, project_events::Projection};
use boxoffice_runtime::{auth::Gate, config, http, init_telemetry};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let function = config::function()?;
    match function.as_str() {
        "get-sales" => {
            let store = boxoffice_reporting::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| get_sales::handle(&store, request).await).await
        }
        "get-settlement" => {
            let store = boxoffice_reporting::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| get_settlement::handle(&store, request).await)
                .await
        }
        "list-bookings" => {
            let store = boxoffice_reporting::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| list_bookings::handle(&store, request).await)
                .await
        }
        "project-events" => {
            let projection = &Projection::from_env()?;
            lambda_runtime::run(service_fn(async |event: LambdaEvent<_>| {
                projection.handle(event.payload).await.map_err(Diagnostic::from)
            }))
            .await
        }
        _ => Err(config::unknown_function(&function).into()),
    }
}
