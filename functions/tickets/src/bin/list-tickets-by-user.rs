//! Lambda entry point; see [`boxoffice_tickets::handlers::list_tickets_by_user`].

use boxoffice_runtime::{auth::Gate, http, init_telemetry};
use boxoffice_tickets::handlers::list_tickets_by_user;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let store = boxoffice_tickets::store_from_env()?;
    http::serve("list-tickets-by-user", Gate::from_env()?, async |request| {
        list_tickets_by_user::handle(&store, request).await
    })
    .await
}
