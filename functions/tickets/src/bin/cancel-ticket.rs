//! Lambda entry point; see [`boxoffice_tickets::handlers::cancel_ticket`].

use boxoffice_aws::journal::Step;
use boxoffice_runtime::{init_telemetry, task};
use boxoffice_tickets::handlers::cancel_ticket;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let (store, journal) = boxoffice_tickets::step_from_env()?;
    task::serve(Step::CancelTicket, journal, async |input| cancel_ticket::run(&store, input).await).await
}
