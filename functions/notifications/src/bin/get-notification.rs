//! Lambda entry point; see [`boxoffice_notifications::handlers::get_notification`].

use boxoffice_notifications::handlers::get_notification;
use boxoffice_runtime::{auth::Gate, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let store = boxoffice_notifications::store_from_env()?;
    http::serve("get-notification", Gate::from_env()?, async |request| get_notification::handle(&store, request).await)
        .await
}
