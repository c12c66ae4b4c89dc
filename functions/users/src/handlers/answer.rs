//! How users and their tokens look from outside, and how this context's errors do.

use crate::{
    domain::{Reason, Refusal, Requester, Suspension, User, Username},
    doorkeeper::Denied,
    session::{self, DeviceToken},
    sessions::{Granted, RenewError},
    store::{ChangeError, RegisterError},
    tokens::Mint,
    weak::Weakness,
};
use boxoffice_aws::{Page, StoreError};
use boxoffice_kernel::{Channel, Email, PhoneNumber, PushEndpoint, Role, Text, Timestamp, UserId};
use boxoffice_runtime::{
    Code, Problem,
    auth::{Caller, log_in_again, session_ended},
    http,
};
use lambda_http::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A user, for the API's document.
pub(crate) fn user_example() -> Value {
    json!({
        "id": "usr_01970000000070008000000000000001", "username": "ada.lovelace", "email": "ada@example.org",
        "firstName": "Ada", "lastName": "Lovelace", "role": "USER", "notificationChannel": "EMAIL", "version": 1,
        "createdAt": "2026-11-23T10:00:00.000Z", "updatedAt": "2026-11-23T10:00:00.000Z"
    })
}

/// A user, as the API shows them: never a password, nor what is kept of one.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = User)]
pub(crate) struct UserView {
    id: UserId,
    username: Username,
    email: Email,
    first_name: Text<50>,
    last_name: Text<50>,
    role: Role,
    notification_channel: Channel,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    phone: Option<PhoneNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    push_endpoint: Option<PushEndpoint>,
    #[schema(minimum = 1)]
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// When they showed that they read the mail of their address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    email_verified_at: Option<Timestamp>,
    /// The mail address that takes the place of theirs once it is verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pending_email: Option<Email>,
    /// When they showed that they read the text messages to their telephone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    phone_verified_at: Option<Timestamp>,
    /// The telephone number that takes the place of theirs once it is verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pending_phone: Option<PhoneNumber>,
    /// That they may not log in, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    suspension: Option<Suspension>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        let profile = user.profile;
        Self {
            id: user.id,
            username: profile.username,
            email: profile.email,
            first_name: profile.first_name,
            last_name: profile.last_name,
            role: user.role,
            notification_channel: profile.channel,
            phone: profile.phone,
            push_endpoint: profile.push_endpoint,
            version: user.version,
            created_at: user.created_at,
            updated_at: user.updated_at,
            email_verified_at: user.email_verified_at,
            pending_email: user.pending_email,
            phone_verified_at: user.phone_verified_at,
            pending_phone: user.pending_phone,
            suspension: user.suspension,
        }
    }
}

/// Why an ADMIN suspends or reinstates somebody.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StandingChange {
    /// For the record: it is kept with the account and in the history.
    pub(crate) reason: Reason,
}

/// A page of users.
pub(crate) fn page(users: Page<User>) -> Page<UserView> {
    Page { items: users.items.into_iter().map(UserView::from).collect(), next: users.next }
}

/// The tokens that a client needs until the next log-in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Tokens)]
pub(crate) struct TokensView {
    /// Send it as `Authorization: Bearer …`.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// For how many seconds the access token is good.
    expires_in: u32,
    /// Good for one `POST /users/refresh`.
    refresh_token: String,
    /// For how many seconds the session lasts, however often it is refreshed.
    refresh_expires_in: u64,
    /// After a log-in only: send it with the next one from this device. It proves nothing but that the device is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    device_token: Option<String>,
    /// The role that the user has and these tokens do not, for want of a second factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    withheld_role: Option<Role>,
    /// The user who has logged in.
    user: UserView,
}

/// The tokens of a session of this user, with as much of their role as the session has shown that it is theirs.
///
/// # Errors
/// When the key cannot be read.
pub(crate) async fn tokens(mint: &Mint, granted: &Granted, user: User) -> Result<TokensView, StoreError> {
    let session = &granted.session;
    let withheld_role = mint.withheld(session, user.role);
    let caller = session.caller(withheld_role.map_or(user.role, |_| Role::User));
    Ok(TokensView {
        access_token: mint.access_token(&caller, withheld_role).await?,
        token_type: "Bearer",
        expires_in: mint.lifetime_seconds(),
        refresh_token: granted.token.reveal(),
        refresh_expires_in: session.seconds_left(Timestamp::now()),
        device_token: None,
        withheld_role,
        user: user.into(),
    })
}

impl TokensView {
    pub(crate) fn with_device(self, device: &DeviceToken) -> Self {
        Self { device_token: Some(device.reveal().to_owned()), ..self }
    }
}

pub(crate) fn not_found() -> Problem {
    Problem::new(Code::UserNotFound, "There is no such user.")
}

/// The caller as the domain knows them.
pub(crate) fn requester(caller: &Caller) -> Requester {
    let logged_in_lately = caller.logged_in_lately(Timestamp::now());
    let Caller { user_id: id, role, session, generation, .. } = *caller;
    Requester { id, role, session, generation, logged_in_lately }
}

/// The user of the path, whose sessions the caller may end: for the caller to act for, after a log-in of a moment ago.
///
/// # Errors
/// When the id is none, or the caller may not, or has to log in again.
pub(crate) fn user_to_log_out(request: &Request) -> Result<UserId, Problem> {
    let user: UserId = http::path(request, "id", Code::InvalidId)?;
    let caller = http::caller(request)?;
    caller.may_act_for(user)?;
    if caller.logged_in_lately(Timestamp::now()) { Ok(user) } else { Err(log_in_again()) }
}

/// The user whom a name belongs to, for whom it is theirs to see. Whether a name is taken is for an ADMIN to know.
pub(crate) fn visible(caller: &Caller, found: Option<UserId>) -> Result<UserId, Problem> {
    match found {
        Some(id) => caller.may_act_for(id).map(|()| id),
        None if caller.role == Role::Admin => Err(not_found()),
        // Nobody is this: the caller is not, so the answer is as if somebody else were.
        None => caller.may_act_for(UserId::generate()).and(Err(not_found())),
    }
}

fn challenge(problem: Problem) -> Problem {
    problem.with_header("www-authenticate", r#"Bearer realm="boxoffice""#.to_owned())
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::UsernameTaken => Self::new(Code::UsernameTaken, format!("{error}.")).at("username"),
            RegisterError::EmailTaken => Self::new(Code::EmailTaken, format!("{error}.")).at("email"),
            RegisterError::Store(error) => error.into(),
        }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NotFound => not_found(),
            ChangeError::Refused(refusal) => match refusal {
                Refusal::LogInAgain => log_in_again(),
                Refusal::RoleNotTheirsToGive => Self::new(Code::Forbidden, format!("{refusal}.")).at("role"),
                Refusal::OwnRole => Self::new(Code::IllegalTransition, format!("{refusal}.")).at("role"),
                Refusal::OwnAccount
                | Refusal::OwnSuspension
                | Refusal::OwnFactor
                | Refusal::FactorNotBegun
                | Refusal::LastAdmin => Self::new(Code::IllegalTransition, format!("{refusal}.")),
                Refusal::VersionConflict(_) => Self::new(Code::VersionConflict, format!("{refusal}.")).at("version"),
            },
            ChangeError::ActorGone => session_ended(),
            ChangeError::UsernameTaken => Self::new(Code::UsernameTaken, format!("{error}.")).at("username"),
            ChangeError::EmailTaken => Self::new(Code::EmailTaken, format!("{error}.")).at("email"),
            ChangeError::Store(error) => error.into(),
        }
    }
}

impl From<Denied> for Problem {
    fn from(error: Denied) -> Self {
        match error {
            Denied::Wrong => {
                let detail = "The username does not exist, or the password is wrong.";
                challenge(Self::new(Code::InvalidCredentials, detail))
            }
            Denied::CodeMissing => {
                let detail = "This account has a second factor. Send its code too: the six digits that its app shows, or a recovery code.";
                challenge(Self::new(Code::SecondFactorRequired, detail).at("code"))
            }
            Denied::CodeWrong => {
                let detail = "The code is wrong or was used. Wait for the app's next one, or send a recovery code.";
                challenge(Self::new(Code::SecondFactorInvalid, detail).at("code"))
            }
            Denied::Suspended => {
                Self::new(Code::AccountSuspended, "This account is suspended. Ask whoever runs this box office why.")
            }
            Denied::Wait(wait) => {
                let detail = format!("Too many failed attempts. Retry in {} s.", wait.seconds);
                Self::new(Code::TooManyAttempts, detail).with_header("retry-after", wait.seconds.to_string())
            }
            Denied::Store(error) => error.into(),
        }
    }
}

/// 400 to a device that messages may not go to.
pub(crate) fn push_endpoint_unknown() -> Problem {
    let detail = "Push messages go to endpoints of this box office's own platform application only.";
    Problem::new(Code::PushEndpointUnknown, detail).at("pushEndpoint")
}

/// 400 to a name that would be a link in the mails it is put into.
pub(crate) fn link_in_name(field: &str) -> Problem {
    Problem::new(Code::ValidationError, "A name must not read as a link or an address.").at(field)
}

/// 400 to a password that would be guessed.
pub(crate) fn weak(weakness: Weakness) -> Problem {
    Problem::new(Code::WeakPassword, format!("{weakness}."))
}

/// The answer to an invalid token from a mail, whatever is wrong with it.
pub(crate) fn proof_invalid() -> Problem {
    let detail = "This token was never sent, was used, or is too old. Ask for another mail.";
    Problem::new(Code::ProofInvalid, detail).at("token")
}

/// The answer to an invalid refresh token, whatever is wrong with it.
pub(crate) fn refresh_token_invalid() -> Problem {
    let detail = "This refresh token was already used, or its session has ended. Log in again.";
    challenge(Problem::new(Code::RefreshTokenInvalid, detail))
}

impl From<RenewError> for Problem {
    fn from(error: RenewError) -> Self {
        match error {
            RenewError::Refused(session::Refusal::Ended | session::Refusal::Reused | session::Refusal::MadeUp) => {
                refresh_token_invalid()
            }
            RenewError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_kernel::SessionId;
    use lambda_http::{Body, RequestExt as _};
    use std::collections::HashMap;

    #[test]
    fn only_an_admin_learns_whether_a_name_is_taken() {
        let caller = |role| Caller {
            user_id: UserId::generate(),
            role,
            session: SessionId::generate(),
            generation: 1,
            logged_in_at: 0,
        };
        for role in [Role::User, Role::Manager] {
            let theirs = visible(&caller(role), Some(UserId::generate())).unwrap_err();
            let nobodys = visible(&caller(role), None).unwrap_err();
            assert_eq!(theirs, nobodys);
            assert_eq!(nobodys.code, Code::Forbidden);
        }
        assert_eq!(visible(&caller(Role::Admin), None).unwrap_err().code, Code::UserNotFound);
        let me = caller(Role::User);
        assert_eq!(visible(&me, Some(me.user_id)), Ok(me.user_id));
    }

    #[test]
    fn sessions_end_for_their_user_or_an_admin_after_a_recent_log_in() {
        let (ada, bob) = (UserId::generate(), UserId::generate());
        let ends = |user_id, role, logged_in_at| {
            let parameters = HashMap::from([("id".to_owned(), vec![ada.to_string()])]);
            let mut request = Request::new(Body::Empty).with_path_parameters(parameters);
            let session = SessionId::generate();
            request.extensions_mut().insert(Caller { user_id, role, session, generation: 1, logged_in_at });
            user_to_log_out(&request).map_err(|problem| problem.code)
        };
        let now = Timestamp::now().unix_seconds();
        assert_eq!(ends(ada, Role::User, now), Ok(ada));
        assert_eq!(ends(bob, Role::Admin, now), Ok(ada));
        assert_eq!(ends(bob, Role::Manager, now), Err(Code::Forbidden));
        for (user, role) in [(ada, Role::User), (bob, Role::Admin)] {
            assert_eq!(ends(user, role, now - 400), Err(Code::ReauthenticationRequired));
        }
    }
}
