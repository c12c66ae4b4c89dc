//! Every function of this context, in one program: the `Handler` of a function in the template names its arm.

use boxoffice_runtime::{auth::Gate, config, http, init_telemetry, task};
use boxoffice_users::handlers::{
    change_password, change_second_factor, create_admin, create_user, delete_user, end_session, end_sessions, get_me,
    get_user, get_user_by_email, get_user_by_username, list_sessions, list_users, list_users_by_role, login, logout,
    refresh_session, reinstate_user, request_email_verification, request_password_reset, reset_password,
    reset_second_factor, send_account_mail, suspend_user, update_user, verify_email,
};

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::too_many_lines, reason = "a list, an arm for each function")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let function = config::function()?;
    match function.as_str() {
        "change-password" => {
            let doorkeeper = boxoffice_users::Doorkeeper::from_env()?;
            let users = boxoffice_users::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                change_password::handle(&doorkeeper, &users, request).await
            })
            .await
        }
        "change-second-factor" => {
            let users = boxoffice_users::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                change_second_factor::handle(&users, request).await
            })
            .await
        }
        "create-admin" => {
            let registration = boxoffice_users::Registration::from_env()?;
            task::serve_plain(&function, async |new| create_admin::run(&registration, new).await).await
        }
        "create-user" => {
            let registration = boxoffice_users::Registration::from_env()?;
            let push = boxoffice_users::push::PushApplication::from_env()?;
            http::serve_public(&function, async |request| create_user::handle(&registration, &push, request).await)
                .await
        }
        "delete-user" => {
            let deletion = boxoffice_users::UserDeletion::from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| delete_user::handle(&deletion, request).await)
                .await
        }
        "end-session" => {
            let users = boxoffice_users::store_from_env()?;
            let sessions = boxoffice_users::sessions_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                end_session::handle(&users, &sessions, request).await
            })
            .await
        }
        "end-sessions" => {
            let users = boxoffice_users::store_from_env()?;
            let sessions = boxoffice_users::sessions_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                end_sessions::handle(&users, &sessions, request).await
            })
            .await
        }
        "get-me" => {
            let users = boxoffice_users::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| get_me::handle(&users, request).await).await
        }
        "get-user-by-email" => {
            let users = boxoffice_users::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| get_user_by_email::handle(&users, request).await)
                .await
        }
        "get-user-by-username" => {
            let users = boxoffice_users::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                get_user_by_username::handle(&users, request).await
            })
            .await
        }
        "get-user" => {
            let users = boxoffice_users::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| get_user::handle(&users, request).await).await
        }
        "list-sessions" => {
            let users = boxoffice_users::store_from_env()?;
            let sessions = boxoffice_users::sessions_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                list_sessions::handle(&users, &sessions, request).await
            })
            .await
        }
        "list-users-by-role" => {
            let users = boxoffice_users::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| list_users_by_role::handle(&users, request).await)
                .await
        }
        "list-users" => {
            let users = boxoffice_users::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| list_users::handle(&users, request).await).await
        }
        "login" => {
            let doorkeeper = boxoffice_users::Doorkeeper::from_env()?;
            let stores = boxoffice_users::LoginStores::from_env()?;
            http::serve_public(&function, async |request| login::handle(&doorkeeper, &stores, request).await).await
        }
        "logout" => {
            let sessions = boxoffice_users::sessions_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| logout::handle(&sessions, request).await).await
        }
        "refresh-session" => {
            let stores = boxoffice_users::LoginStores::from_env()?;
            http::serve_public(&function, async |request| refresh_session::handle(&stores, request).await).await
        }
        "reinstate-user" => {
            let users = boxoffice_users::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| reinstate_user::handle(&users, request).await)
                .await
        }
        "request-email-verification" => {
            let mail = boxoffice_users::mail_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                request_email_verification::handle(&mail, request).await
            })
            .await
        }
        "request-password-reset" => {
            let mail = boxoffice_users::mail_from_env()?;
            http::serve_public(&function, async |request| request_password_reset::handle(&mail, request).await).await
        }
        "reset-password" => {
            let registration = boxoffice_users::Registration::from_env()?;
            let proofs = boxoffice_users::proofs_from_env()?;
            http::serve_public(&function, async |request| reset_password::handle(&registration, &proofs, request).await)
                .await
        }
        "send-account-mail" => {
            let post = boxoffice_users::Post::from_env()?;
            task::serve_plain(&function, async |wanted| send_account_mail::run(&post, wanted).await).await
        }
        "reset-second-factor" => {
            let users = boxoffice_users::store_from_env()?;
            let log = boxoffice_users::security::SecurityLog::from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                reset_second_factor::handle(&users, &log, request).await
            })
            .await
        }
        "suspend-user" => {
            let users = boxoffice_users::store_from_env()?;
            let log = boxoffice_users::security::SecurityLog::from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| suspend_user::handle(&users, &log, request).await)
                .await
        }
        "update-user" => {
            let users = boxoffice_users::store_from_env()?;
            let push = boxoffice_users::push::PushApplication::from_env()?;
            let log = boxoffice_users::security::SecurityLog::from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                update_user::handle(&users, &push, &log, request).await
            })
            .await
        }
        "verify-email" => {
            let users = boxoffice_users::store_from_env()?;
            let proofs = boxoffice_users::proofs_from_env()?;
            http::serve_public(&function, async |request| verify_email::handle(&users, &proofs, request).await).await
        }
        _ => Err(config::unknown_function(&function).into()),
    }
}
