//! Lambda entry point; see [`boxoffice_notifications::handlers::list_notifications_by_user`].

use boxoffice_notifications::handlers::list_notifications_by_user;
use boxoffice_runtime::{auth::Gate, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let store = boxoffice_notifications::store_from_env()?;
    http::serve("list-notifications-by-user", Gate::from_env()?, async |request| {
        list_notifications_by_user::handle(&store, request).await
    })
    .await
}
