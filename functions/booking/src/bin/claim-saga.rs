//! Lambda entry point; see [`boxoffice_booking::handlers::claim_saga`].

use boxoffice_booking::handlers::claim_saga;
use boxoffice_runtime::{init_telemetry, task};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let store = boxoffice_booking::store_from_env()?;
    task::serve_plain("claim-saga", async |start| claim_saga::run(&store, start).await).await
}
