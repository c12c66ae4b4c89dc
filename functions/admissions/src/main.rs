//! Every function of this context, in one program: the `Handler` of a function in the template names its arm.

use boxoffice_admissions::{
    Doors, Office,
    handlers::{
        create_check_in, create_check_in_list, draw_ticket_codes, end_device, enrol_device, get_admission,
        get_check_in_list, get_scanner, get_ticket_keys, invite_device, list_admissions, list_check_in_lists,
        list_scans, revoke_admissions, undo_check_in,
    },
    keys::VerifyingKeys,
};
use boxoffice_aws::{client, journal::Step};
use boxoffice_runtime::{auth::Gate, config, http, init_telemetry, task};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let function = config::function()?;
    match function.as_str() {
        "create-check-in-list" => {
            let doors = Doors::from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                create_check_in_list::handle(&doors, request).await
            })
            .await
        }
        "create-check-in" => {
            let doors = boxoffice_admissions::doors_from_env()?;
            let keys = VerifyingKeys::from_env(aws_sdk_ssm::Client::new(&client::sdk_config()))?;
            http::serve_devices(&function, async |request| create_check_in::handle(&doors, &keys, request).await).await
        }
        "draw-ticket-codes" => {
            let office = Office::from_env()?;
            task::serve_plain(&function, async |question| draw_ticket_codes::run(&office, question).await).await
        }
        "end-device" => {
            let doors = boxoffice_admissions::doors_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| end_device::handle(&doors, request).await).await
        }
        "enrol-device" => {
            let doors = boxoffice_admissions::doors_from_env()?;
            http::serve_public(&function, async |request| enrol_device::handle(&doors, request).await).await
        }
        "get-admission" => {
            let office = Office::from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| get_admission::handle(&office, request).await)
                .await
        }
        "get-check-in-list" => {
            let doors = Doors::from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| get_check_in_list::handle(&doors, request).await)
                .await
        }
        "get-scanner" => http::serve_public(&function, async |request| get_scanner::handle(&request)).await,
        "get-ticket-keys" => {
            let keys = VerifyingKeys::from_env(aws_sdk_ssm::Client::new(&client::sdk_config()))?;
            http::serve_public(&function, async |_request| get_ticket_keys::handle(&keys).await).await
        }
        "invite-device" => {
            let doors = boxoffice_admissions::doors_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| invite_device::handle(&doors, request).await)
                .await
        }
        "list-admissions" => {
            let office = Office::from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| list_admissions::handle(&office, request).await)
                .await
        }
        "list-check-in-lists" => {
            let doors = boxoffice_admissions::doors_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                list_check_in_lists::handle(&doors, request).await
            })
            .await
        }
        "list-scans" => {
            let doors = boxoffice_admissions::doors_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| list_scans::handle(&doors, request).await).await
        }
        "revoke-admissions" => {
            let (store, journal) = boxoffice_admissions::step_from_env()?;
            task::serve(Step::RevokeAdmissions, journal, async |input| revoke_admissions::run(&store, input).await)
                .await
        }
        "undo-check-in" => {
            let doors = boxoffice_admissions::doors_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| undo_check_in::handle(&doors, request).await)
                .await
        }
        _ => Err(config::unknown_function(&function).into()),
    }
}
