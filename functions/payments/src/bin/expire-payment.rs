//! Lambda entry point; see [`boxoffice_payments::handlers::expire_payment`].

use boxoffice_aws::journal::Step;
use boxoffice_payments::{App, handlers::expire_payment};
use boxoffice_runtime::{init_telemetry, task};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let (app, journal) = App::step_from_env()?;
    task::serve(Step::ExpirePayment, journal, async |input| expire_payment::run(&app, input).await).await
}
