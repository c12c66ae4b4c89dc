//! One file a function. All but the last answer HTTP.

pub mod change_password;
pub mod create_user;
pub mod delete_user;
pub mod get_me;
pub mod get_user;
pub mod get_user_by_email;
pub mod get_user_by_username;
pub mod list_users;
pub mod list_users_by_role;
pub mod login;
pub mod logout;
pub mod refresh_session;
pub mod update_user;

pub mod create_admin;

mod answer;

/// This context's part of the API's document.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(
    create_user::handle,
    create_user::register,
    login::handle,
    refresh_session::handle,
    logout::handle,
    get_me::handle,
    change_password::handle,
    list_users::handle,
    list_users_by_role::handle,
    get_user_by_username::handle,
    get_user_by_email::handle,
    get_user::handle,
    update_user::handle,
    delete_user::handle,
))]
pub struct ApiDoc;
