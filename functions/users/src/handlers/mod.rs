//! One file a function. All but the last two answer HTTP.

pub mod change_password;
pub mod change_second_factor;
pub mod create_user;
pub mod delete_user;
pub mod end_session;
pub mod end_sessions;
pub mod get_me;
pub mod get_user;
pub mod get_user_by_email;
pub mod get_user_by_username;
pub mod list_sessions;
pub mod list_users;
pub mod list_users_by_role;
pub mod login;
pub mod logout;
pub mod refresh_session;
pub mod reinstate_user;
pub mod request_email_verification;
pub mod request_password_reset;
pub mod reset_password;
pub mod reset_second_factor;
pub mod suspend_user;
pub mod update_user;
pub mod verify_email;

pub mod create_admin;
pub mod send_account_mail;

pub mod answer;

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
    change_second_factor::begin,
    change_second_factor::confirm,
    change_second_factor::remove,
    request_password_reset::handle,
    reset_password::handle,
    request_email_verification::handle,
    request_email_verification::by_phone,
    verify_email::by_email,
    verify_email::by_phone,
    list_users::handle,
    list_users_by_role::handle,
    get_user_by_username::handle,
    get_user_by_email::look_up,
    get_user_by_email::by_path,
    get_user::handle,
    update_user::handle,
    delete_user::handle,
    suspend_user::handle,
    reinstate_user::handle,
    reset_second_factor::handle,
    list_sessions::handle,
    end_sessions::handle,
    end_session::handle,
))]
pub struct ApiDoc;
