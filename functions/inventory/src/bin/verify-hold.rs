//! Lambda entry point; see [`boxoffice_inventory::handlers::verify_hold`].

use boxoffice_aws::journal::Step;
use boxoffice_inventory::handlers::verify_hold;
use boxoffice_runtime::{init_telemetry, task};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let (store, journal) = boxoffice_inventory::step_from_env()?;
    task::serve(Step::VerifyHold, journal, async |input| verify_hold::run(&store, input).await).await
}
