//! Every function of this context, in one program: the `Handler` of a function in the template names its arm.

use boxoffice_aws::journal::Step;
use boxoffice_inventory::{
    App,
    handlers::{
        cancel_inventory, create_inventory, delete_inventory, get_cancellation, get_inventory, get_inventory_by_name,
        list_available_inventory, list_inventory, list_inventory_by_date, release_hold, release_seats, renew_hold,
        reserve_seats, summarise_inventory::Summariser, update_inventory, verify_hold,
    },
};
use boxoffice_runtime::{auth::Gate, config, http, init_telemetry, task};
use lambda_runtime::{LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let function = config::function()?;
    match function.as_str() {
        "cancel-inventory" => {
            let app = App::from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| cancel_inventory::handle(&app, request).await)
                .await
        }
        "create-inventory" => {
            let app = App::from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| create_inventory::handle(&app, request).await)
                .await
        }
        "delete-inventory" => {
            let app = App::from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| delete_inventory::handle(&app, request).await)
                .await
        }
        "get-cancellation" => {
            let app = App::from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| get_cancellation::handle(&app, request).await)
                .await
        }
        "get-inventory-by-name" => {
            let app = App::from_env()?;
            http::serve_public(&function, async |request| get_inventory_by_name::handle(&app, request).await).await
        }
        "get-inventory" => {
            let app = App::from_env()?;
            http::serve_public(&function, async |request| get_inventory::handle(&app, request).await).await
        }
        "list-available-inventory" => {
            let app = App::from_env()?;
            http::serve_public(&function, async |request| list_available_inventory::handle(&app, request).await).await
        }
        "list-inventory-by-date" => {
            let app = App::from_env()?;
            http::serve_public(&function, async |request| list_inventory_by_date::handle(&app, request).await).await
        }
        "list-inventory" => {
            let app = App::from_env()?;
            http::serve_public(&function, async |request| list_inventory::handle(&app, request).await).await
        }
        "release-hold" => {
            let (store, journal) = boxoffice_inventory::step_from_env()?;
            task::serve(Step::ReleaseHold, journal, async |input| release_hold::run(&store, input).await).await
        }
        "release-seats" => {
            let app = App::from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| release_seats::handle(&app, request).await).await
        }
        "renew-hold" => {
            let (store, journal) = boxoffice_inventory::step_from_env()?;
            task::serve(Step::RenewHold, journal, async |input| renew_hold::run(&store, input).await).await
        }
        "reserve-seats" => {
            let app = App::from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| reserve_seats::handle(&app, request).await).await
        }
        "summarise-inventory" => {
            let summariser = &Summariser { store: App::from_env()?.store };
            lambda_runtime::run(service_fn(async |event: LambdaEvent<_>| {
                Ok::<_, lambda_runtime::Error>(summariser.handle(event.payload).await)
            }))
            .await
        }
        "update-inventory" => {
            let app = App::from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| update_inventory::handle(&app, request).await)
                .await
        }
        "verify-hold" => {
            let (store, journal) = boxoffice_inventory::step_from_env()?;
            task::serve(Step::VerifyHold, journal, async |input| verify_hold::run(&store, input).await).await
        }
        _ => Err(config::unknown_function(&function).into()),
    }
}
