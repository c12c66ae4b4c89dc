//! One file a function. The first group answers HTTP; `send_notification` empties the queue.

pub mod create_notification;
pub mod delete_notification;
pub mod get_notification;
pub mod list_notifications;
pub mod list_notifications_by_status;
pub mod list_notifications_by_type;
pub mod list_notifications_by_user;
pub mod resend_notification;

pub mod send_notification;

pub mod answer;

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
    resend_notification::handle,
))]
pub struct ApiDoc;
