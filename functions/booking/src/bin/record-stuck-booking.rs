//! Lambda entry point; see [`boxoffice_booking::handlers::record_stuck_booking`].

use boxoffice_aws::journal::Step;
use boxoffice_booking::handlers::record_stuck_booking;
use boxoffice_runtime::{init_telemetry, task};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let (store, journal) = (boxoffice_booking::store_from_env()?, boxoffice_booking::journal_from_env()?);
    task::serve(Step::RecordStuckBooking, journal, async |input| record_stuck_booking::run(&store, input).await).await
}
