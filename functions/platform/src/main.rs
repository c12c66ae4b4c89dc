//! Every function of this context, in one program: the `Handler` of a function in the template names its arm.

use boxoffice_platform::handlers::{
    get_docs,
    get_health::{self, Checkup},
    get_jwks, get_openapi, refuse_route,
    relay_events::Relay,
};
use boxoffice_runtime::{
    auth::{Gate, PublicKeys},
    config, http, init_telemetry,
};
use lambda_runtime::{LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let function = config::function()?;
    match function.as_str() {
        "get-docs" => http::serve_public(&function, async |request| get_docs::handle(&request)).await,
        "get-health" => {
            let (checkup, gate) = (Checkup::from_env()?, Gate::from_env()?);
            http::serve_public(&function, async |request| get_health::handle(&checkup, &gate, &request).await).await
        }
        "get-jwks" => {
            let keys = PublicKeys::from_env()?;
            http::serve_public(&function, async |_request| get_jwks::handle(&keys)).await
        }
        "get-openapi" => http::serve_public(&function, async |_request| Ok(get_openapi::handle())).await,
        "refuse-route" => http::serve_unrouted(&function, async |request| refuse_route::handle(&request)).await,
        "relay-events" => {
            let relay = &Relay::from_env()?;
            lambda_runtime::run(service_fn(async |event: LambdaEvent<_>| {
                Ok::<_, lambda_runtime::Error>(relay.relay(event.payload).await)
            }))
            .await
        }
        _ => Err(config::unknown_function(&function).into()),
    }
}
