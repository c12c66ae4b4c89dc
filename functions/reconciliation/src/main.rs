//! Every function of this context, in one program: the `Handler` of a function in the template names its arm.

use boxoffice_reconciliation::{App, handlers::reconcile};
use boxoffice_runtime::{config, init_telemetry, task};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let function = config::function()?;
    match function.as_str() {
        "reconcile" => {
            let app = App::from_env()?;
            task::serve_in_time(&function, async |request, deadline| reconcile::run(&app, request, deadline).await)
                .await
        }
        _ => Err(config::unknown_function(&function).into()),
    }
}
