//! Lambda entry point; see [`boxoffice_tickets::handlers::find_upcoming_tickets`].

use boxoffice_runtime::{init_telemetry, task};
use boxoffice_tickets::handlers::find_upcoming_tickets;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let store = boxoffice_tickets::store_from_env()?;
    task::serve_plain("find-upcoming-tickets", async |question| find_upcoming_tickets::run(&store, question).await)
        .await
}
