//! One file a function. The first group answers HTTP, the second runs as states of `statemachines/notification.asl.json`.

pub mod create_notification;
pub mod delete_notification;
pub mod get_notification;
pub mod list_notifications;
pub mod list_notifications_by_status;
pub mod list_notifications_by_type;
pub mod list_notifications_by_user;

pub mod fail_notification;
pub mod record_notification;
pub mod send_notification;

mod answer;

/// This context's part of the API's document.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(
    create_notification::handle,
    list_notifications::handle,
    list_notifications_by_user::handle,
    list_notifications_by_status::handle,
    list_notifications_by_type::handle,
    get_notification::handle,
    delete_notification::handle,
))]
pub struct ApiDoc;
