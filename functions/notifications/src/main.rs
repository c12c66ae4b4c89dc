//! Every function of this context, in one program: the `Handler` of a function in the template names its arm.

use boxoffice_notifications::handlers::{
    create_notification, delete_notification, get_notification, list_notifications, list_notifications_by_status,
    list_notifications_by_type, list_notifications_by_user, resend_notification, send_notification::Office,
};
use boxoffice_runtime::{auth::Gate, config, http, init_telemetry};
use lambda_runtime::{LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let function = config::function()?;
    match function.as_str() {
        "create-notification" => {
            let store = boxoffice_notifications::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                create_notification::handle(&store, request).await
            })
            .await
        }
        "delete-notification" => {
            let store = boxoffice_notifications::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                delete_notification::handle(&store, request).await
            })
            .await
        }
        "get-notification" => {
            let store = boxoffice_notifications::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| get_notification::handle(&store, request).await)
                .await
        }
        "list-notifications-by-status" => {
            let store = boxoffice_notifications::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                list_notifications_by_status::handle(&store, request).await
            })
            .await
        }
        "list-notifications-by-type" => {
            let store = boxoffice_notifications::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                list_notifications_by_type::handle(&store, request).await
            })
            .await
        }
        "list-notifications-by-user" => {
            let store = boxoffice_notifications::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                list_notifications_by_user::handle(&store, request).await
            })
            .await
        }
        "list-notifications" => {
            let store = boxoffice_notifications::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| list_notifications::handle(&store, request).await)
                .await
        }
        "resend-notification" => {
            let store = boxoffice_notifications::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                resend_notification::handle(&store, request).await
            })
            .await
        }
        "send-notification" => {
            let office = &Office::from_env()?;
            lambda_runtime::run(service_fn(async |event: LambdaEvent<_>| {
                Ok::<_, lambda_runtime::Error>(office.serve(event.payload, &event.context.request_id).await)
            }))
            .await
        }
        _ => Err(config::unknown_function(&function).into()),
    }
}
