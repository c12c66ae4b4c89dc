//! Every function of this context, in one program: the `Handler` of a function in the template names its arm.

use boxoffice_aws::client;
use boxoffice_operations::{
    Casework, Reconciler, Redriver, Replayer,
    handlers::{compensate_saga, list_queues, redrive_queue, redrive_saga, replay_events, start_reconcile},
};
use boxoffice_runtime::{auth::Gate, config, http, init_telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let function = config::function()?;
    match function.as_str() {
        "compensate-saga" => {
            let casework = Casework::from_source(&client::dynamodb(&client::sdk_config()), config::required)?;
            http::serve(&function, Gate::from_env()?, async |request| compensate_saga::handle(&casework, request).await)
                .await
        }
        "list-queues" => {
            let redriver = Redriver::from_source(&client::sdk_config(), config::required)?;
            http::serve(&function, Gate::from_env()?, async |_| list_queues::handle(&redriver).await).await
        }
        "redrive-queue" => {
            let redriver = Redriver::from_source(&client::sdk_config(), config::required)?;
            http::serve(&function, Gate::from_env()?, async |request| redrive_queue::handle(&redriver, request).await)
                .await
        }
        "redrive-saga" => {
            let casework = Casework::from_source(&client::dynamodb(&client::sdk_config()), config::required)?;
            http::serve(&function, Gate::from_env()?, async |request| redrive_saga::handle(&casework, request).await)
                .await
        }
        "replay-events" => {
            let replayer = Replayer::from_source(&client::sdk_config(), config::required)?;
            http::serve(&function, Gate::from_env()?, async |request| replay_events::handle(&replayer, request).await)
                .await
        }
        "start-reconcile" => {
            let reconciler = Reconciler::from_source(&client::sdk_config(), config::required)?;
            http::serve(&function, Gate::from_env()?, async |request| {
                start_reconcile::handle(&reconciler, request).await
            })
            .await
        }
        _ => Err(config::unknown_function(&function).into()),
    }
}
