//! Lambda entry point; see [`boxoffice_tickets::handlers::confirm_ticket`].

use boxoffice_aws::journal::Step;
use boxoffice_runtime::{init_telemetry, task};
use boxoffice_tickets::handlers::confirm_ticket;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let (sale, journal) = boxoffice_tickets::sale_from_env()?;
    task::serve(Step::ConfirmTicket, journal, async |input| confirm_ticket::run(&sale, input).await).await
}
