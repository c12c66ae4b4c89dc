//! Every function of this context, in one program: the `Handler` of a function in the template names its arm.

use boxoffice_runtime::{auth::Gate, config, http, init_telemetry, task};
use boxoffice_saga::handlers::{claim_saga, get_saga, list_sagas, record_stuck_booking};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let function = config::function()?;
    match function.as_str() {
        "claim-saga" => {
            let store = boxoffice_saga::store_from_env()?;
            task::serve_plain(&function, async |start| claim_saga::run(&store, start).await).await
        }
        "get-saga" => {
            let store = boxoffice_saga::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| get_saga::handle(&store, request).await).await
        }
        "list-sagas" => {
            let store = boxoffice_saga::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| list_sagas::handle(&store, request).await).await
        }
        "record-stuck-booking" => {
            let store = boxoffice_saga::store_from_env()?;
            task::serve_plain(&function, async |stuck| record_stuck_booking::run(&store, stuck).await).await
        }
        _ => Err(config::unknown_function(&function).into()),
    }
}
