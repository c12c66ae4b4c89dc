//! How users and their tokens look from outside, and how this context's errors do.

use crate::{
    domain::{Actor, Refusal, User, Username},
    doorkeeper::Denied,
    session,
    sessions::{Granted, RenewError},
    store::{ChangeError, RegisterError},
    throttle,
};
use boxoffice_aws::Page;
use boxoffice_kernel::{Channel, Email, PhoneNumber, PushEndpoint, Role, Text, Timestamp, UserId};
use boxoffice_runtime::{Code, Problem, auth::Caller};
use lambda_http::{Request, RequestExt, request::RequestContext};
use serde::Serialize;

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
        }
    }
}

/// A page of users.
pub(crate) fn page(users: Page<User>) -> Page<UserView> {
    Page { items: users.items.into_iter().map(UserView::from).collect(), next: users.next }
}

/// What a client needs from a log-in until the next.
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
    /// Who has logged in.
    user: UserView,
}

impl TokensView {
    pub(crate) fn new(access_token: String, expires_in: u32, granted: &Granted, user: User) -> Self {
        Self {
            access_token,
            token_type: "Bearer",
            expires_in,
            refresh_token: granted.token.reveal(),
            refresh_expires_in: granted.session.seconds_left(Timestamp::now()),
            user: user.into(),
        }
    }
}

pub(crate) fn not_found() -> Problem {
    Problem::new(Code::UserNotFound, "There is no such user.")
}

/// The caller as the domain knows them.
pub(crate) fn actor(caller: &Caller) -> Actor {
    Actor { id: caller.user_id, role: caller.role }
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

/// Where a request comes from, as failed log-ins are counted.
pub(crate) fn address(request: &Request) -> String {
    let source_ip = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(context)) => context.identity.source_ip.as_deref(),
        _ => None,
    };
    throttle::address_of(source_ip.unwrap_or_default())
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
                Refusal::RoleNotTheirsToGive => Self::new(Code::Forbidden, format!("{refusal}.")).at("role"),
                Refusal::OwnRole => Self::new(Code::IllegalTransition, format!("{refusal}.")).at("role"),
                Refusal::OwnAccount => Self::new(Code::IllegalTransition, format!("{refusal}.")),
                Refusal::VersionConflict(_) => Self::new(Code::VersionConflict, format!("{refusal}.")).at("version"),
            },
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
                let detail = "Either there is no such user, or this is not their password.";
                challenge(Self::new(Code::InvalidCredentials, detail))
            }
            Denied::Wait(wait) => {
                let detail = format!("Too many failed attempts. Try again in {} s.", wait.seconds);
                Self::new(Code::TooManyAttempts, detail).with_header("retry-after", wait.seconds.to_string())
            }
            Denied::Store(error) => error.into(),
        }
    }
}

/// The answer to a refresh token that does not stand, whatever is wrong with it.
pub(crate) fn refresh_token_invalid() -> Problem {
    let detail = "This refresh token does not stand: it was used before, or its session has ended. Log in again.";
    challenge(Problem::new(Code::RefreshTokenInvalid, detail))
}

impl From<RenewError> for Problem {
    fn from(error: RenewError) -> Self {
        match error {
            RenewError::Refused(session::Refusal::Ended | session::Refusal::Reused) => refresh_token_invalid(),
            RenewError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_kernel::SessionId;

    #[test]
    fn only_an_admin_learns_whether_a_name_is_taken() {
        let caller = |role| Caller { user_id: UserId::generate(), role, session: SessionId::generate(), generation: 1 };
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
}
