//! Logs buyers in and out, registers them, and renews their tokens: the API's calls, with their tokens in cookies.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /shop/session`, `POST /shop/session`, `POST /shop/account`, `GET` and `POST /shop/session/renewal`, `POST /shop/session/end` |
//! | reads | as login, create-user, refresh-session and logout |
//! | writes | as these |
//! | calls | as request-email-verification, after a registration |
//! | emits | `UserCreated` |
//! | safe to repeat | as these; a renewal within a minute gives the same tokens again, as two tabs need |

use crate::{
    api::{Call, Tokens, read, session_of},
    cookies::{Cookie, LONGEST_SECONDS},
    form::{Form, FormSecret, forged, random},
    frame::{Audience, Frame},
    pages::{SessionPage, SessionValues},
    texts::fill,
    visitor::{Visitor, bearer, encoded, onward, page_of, reader, without_session},
};
use boxoffice_runtime::{
    Code, Problem,
    auth::Gate,
    config::ConfigError,
    http::{self, Answer},
};
use boxoffice_users::{
    Doorkeeper, LoginStores, Registration, SessionStore,
    handlers::{create_user, login, logout, refresh_session, request_email_verification},
    mail::MailFunction,
    password::MIN_LENGTH,
    push::PushApplication,
};
use lambda_http::{
    Request, RequestExt as _,
    http::{Method, StatusCode},
};
use serde_json::{Value, json};

/// Everything that this function is made of.
#[derive(Debug)]
pub struct Entrance {
    gate: Gate,
    doorkeeper: Doorkeeper,
    logins: LoginStores,
    registration: Registration,
    push: PushApplication,
    sessions: SessionStore,
    mail: MailFunction,
}

impl Entrance {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            gate: Gate::from_env()?,
            doorkeeper: Doorkeeper::from_env()?,
            logins: LoginStores::from_env()?,
            registration: Registration::from_env()?,
            push: PushApplication::from_env()?,
            sessions: boxoffice_users::sessions_from_env()?,
            mail: boxoffice_users::mail_from_env()?,
        })
    }
}

/// Where a log-in leads that came from nowhere.
const HOME: &str = "orders";

/// The notices of a log-in page that a reader was sent to: because a call needs a recent log-in, or because every session has ended.
pub(super) const AGAIN: &str = "again";
pub(super) const PASSWORD_CHANGED: &str = "password";
pub(super) const FACTOR_REMOVED: &str = "factor";

/// Answers with the page, or with where the reader goes on.
pub async fn handle(entrance: &Entrance, request: Request) -> Answer {
    let frame = Frame::of(&request, Audience::Reader);
    admitted(entrance, &request, frame.clone()).await.unwrap_or_else(|problem| frame.refuse(&request, &problem))
}

async fn admitted(entrance: &Entrance, request: &Request, frame: Frame) -> Result<Answer, Problem> {
    let form = Form::of(request);
    match (request.method(), http::route(request).as_str()) {
        (&Method::GET, "/shop/session") => {
            let parameters = request.query_string_parameters();
            let to = parameters.first("to").and_then(onward).unwrap_or(HOME);
            let notice = parameters.first("notice").unwrap_or_default();
            match Visitor::of(&entrance.gate, request).await? {
                Visitor::Known(_) if notice != AGAIN => Ok(frame.see(to)),
                _ => entry(request, frame, to, notice, SessionValues::default(), StatusCode::OK),
            }
        }
        (&Method::POST, "/shop/session") => {
            check(request, &form)?;
            log_in(entrance, request, frame, &form).await
        }
        (_, "/shop/account") => {
            check(request, &form)?;
            register(entrance, request, frame, &form).await
        }
        (_, "/shop/session/renewal") => renew(entrance, request, &frame).await,
        (_, "/shop/session/end") => end(entrance, request, &frame, &form).await,
        _ => Err(Problem::new(Code::RouteNotFound, "There is no such page.")),
    }
}

/// Refuses a form of a log-in that no page of this browser sent: it would log its reader in as somebody else.
fn check(request: &Request, form: &Form) -> Result<(), Problem> {
    FormSecret::of(request).ok_or_else(forged)?.check(None, form)
}

/// The page with both forms.
fn entry(
    request: &Request,
    mut frame: Frame,
    to: &str,
    notice: &str,
    values: SessionValues,
    status: StatusCode,
) -> Result<Answer, Problem> {
    let secret = frame.secret(request)?;
    let (t, is_again) = (frame.t, notice == AGAIN);
    let title = if is_again { t.log_in } else { t.session_title };
    let notice = match notice {
        AGAIN => Some((AGAIN, t.log_in_again)),
        PASSWORD_CHANGED => Some((PASSWORD_CHANGED, t.password_changed)),
        FACTOR_REMOVED => Some((FACTOR_REMOVED, t.factor_removed)),
        _ => None,
    };
    let parameter = notice.map(|(name, _)| format!("&notice={name}")).unwrap_or_default();
    let frame = frame.page(title, format!("session?to={}{parameter}", encoded(to)));
    let page = SessionPage {
        token: secret.token(None),
        to: to.to_owned(),
        values,
        password_hint: fill(t.password_hint, "n", &MIN_LENGTH.to_string()),
        notice: notice.map(|(_, text)| text),
        is_again,
        frame: &frame,
    };
    Ok(frame.answer(status, &page))
}

async fn log_in(entrance: &Entrance, request: &Request, frame: Frame, form: &Form) -> Result<Answer, Problem> {
    let to = onward(form.text("to")).unwrap_or(HOME);
    let (username, password, code) = (form.text("username"), form.typed("password"), form.text("code"));
    match tokens(entrance, request, username, password, code).await {
        Ok(tokens) => started(&frame, to, &tokens),
        Err(problem) => {
            let t = frame.t;
            let (field, text) = match problem.code {
                Code::InvalidCredentials => (Some("username"), t.error_credentials.to_owned()),
                Code::TooManyAttempts => {
                    let seconds = problem.header.as_ref().map(|(_, seconds)| seconds.as_str()).unwrap_or_default();
                    (None, fill(t.error_attempts, "n", seconds))
                }
                Code::AccountSuspended => (None, t.error_suspended.to_owned()),
                Code::SecondFactorRequired => (Some("code"), t.error_code_missing.to_owned()),
                Code::SecondFactorInvalid => (Some("code"), t.error_code.to_owned()),
                Code::ValidationError if problem.field.as_deref() == Some("username") => {
                    (Some("username"), t.error_username.to_owned())
                }
                Code::ValidationError => (Some("password"), t.error_credentials.to_owned()),
                code if code.status().is_server_error() => (None, t.error_busy.to_owned()),
                _ => (None, t.error_other.to_owned()),
            };
            let asks_code = field == Some("code");
            let values = SessionValues { username: username.to_owned(), asks_code, ..SessionValues::default() };
            let notice = if form.text("again").is_empty() { "" } else { AGAIN };
            entry(request, frame.fault(field, text), to, notice, values, problem.code.status())
        }
    }
}

async fn tokens(
    entrance: &Entrance,
    request: &Request,
    username: &str,
    password: &str,
    code: &str,
) -> Result<Tokens, Problem> {
    let mut credentials = json!({ "username": username, "password": password });
    if let Value::Object(fields) = &mut credentials {
        if !code.is_empty() {
            fields.insert("code".to_owned(), code.into());
        }
        // With the refresh token, the session that this browser had before ends.
        for (name, cookie) in [("deviceToken", Cookie::Device), ("refreshToken", Cookie::Refresh)] {
            if let Some(held) = cookie.of(request) {
                fields.insert(name.to_owned(), held.into());
            }
        }
    }
    let call = Call::new(request, Method::POST, "/users/login", None).body(credentials).request()?;
    read(&login::handle(&entrance.doorkeeper, &entrance.logins, call).await?)
}

async fn register(entrance: &Entrance, request: &Request, frame: Frame, form: &Form) -> Result<Answer, Problem> {
    let to = onward(form.text("to")).unwrap_or(HOME);
    let values = SessionValues {
        email: form.text("email").to_owned(),
        first_name: form.text("first_name").to_owned(),
        last_name: form.text("last_name").to_owned(),
        ..SessionValues::default()
    };
    let (username, password) = (username_for(&values.email)?, form.typed("password"));
    let user = json!({
        "username": username,
        "email": values.email,
        "password": password,
        "firstName": values.first_name,
        "lastName": values.last_name,
    });
    let call = Call::new(request, Method::POST, "/users", None).body(user).request()?;
    match create_user::handle(&entrance.registration, &entrance.push, call).await {
        Ok(_) => {
            let tokens = tokens(entrance, request, &username, password, "").await?;
            send_code(entrance, request, &tokens).await;
            // Somebody who is buying goes on with that, since seats do not wait.
            started(&frame, if to == HOME { "verification" } else { to }, &tokens)
        }
        Err(problem) => {
            let t = frame.t;
            let (field, text) = match (problem.code, problem.field.as_deref()) {
                (_, Some("email")) => (Some("email"), t.error_email),
                (_, Some("password")) => (Some("new-password"), t.error_password),
                (_, Some("firstName")) => (Some("first-name"), t.error_first_name),
                (_, Some("lastName")) => (Some("last-name"), t.error_last_name),
                (code, _) if code.status().is_server_error() => (None, t.error_busy),
                _ => (None, t.error_other),
            };
            entry(request, frame.fault(field, text), to, "", values, problem.code.status())
        }
    }
}

/// Has a code sent to the address of a new account. The account is there either way, and the page that takes the code sends another.
async fn send_code(entrance: &Entrance, request: &Request, tokens: &Tokens) {
    let sent = async {
        let caller = bearer(&entrance.gate, &tokens.access_token).await?;
        let call = Call::new(request, Method::POST, "/users/me/email-verification", Some(caller)).request()?;
        request_email_verification::handle(&entrance.mail, call).await
    };
    if let Err(problem) = sent.await {
        tracing::warn!(code = ?problem.code, user_id = %tokens.user.id, "no code was sent to the address of a new account");
    }
}

/// A username for somebody who gives only a mail address: its first part as far as a username may have it, and enough at random to be theirs alone.
fn username_for(email: &str) -> Result<String, Problem> {
    let local = email.split('@').next().unwrap_or_default();
    let kept: String = local.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
    let suffix: String = random()?.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    Ok(format!("{kept}-{suffix}").trim_start_matches('-').to_ascii_lowercase())
}

/// The answer that begins a session: its cookies, with a form secret that nobody had before it, and where the reader goes on.
fn started(frame: &Frame, to: &str, tokens: &Tokens) -> Result<Answer, Problem> {
    let secret = FormSecret::generate()?;
    Ok(renewed(frame.see(to), tokens).with_header("set-cookie", secret.cookie()))
}

fn renewed(answer: Answer, tokens: &Tokens) -> Answer {
    let lasts = tokens.refresh_expires_in;
    let answer = answer
        .with_header("set-cookie", Cookie::Access.set(&tokens.access_token, lasts))
        .with_header("set-cookie", Cookie::Refresh.set(&tokens.refresh_token, lasts));
    match &tokens.device_token {
        Some(device) => answer.with_header("set-cookie", Cookie::Device.set(device, LONGEST_SECONDS)),
        None => answer,
    }
}

/// Exchanges the refresh token, and sends the browser back to where it came from with the same request.
async fn renew(entrance: &Entrance, request: &Request, frame: &Frame) -> Result<Answer, Problem> {
    let parameters = request.query_string_parameters();
    let to = parameters.first("to").and_then(onward).unwrap_or(HOME);
    let held = Cookie::Refresh.of(request).unwrap_or_default();
    let body = json!({ "refreshToken": held });
    let call = Call::new(request, Method::POST, "/users/refresh", None).body(body).request()?;
    match refresh_session::handle(&entrance.logins, call).await {
        Ok(answer) => {
            let tokens: Tokens = read(&answer)?;
            let onwards = if request.method() == Method::GET { frame.see(to) } else { frame.same_request(to) };
            Ok(renewed(onwards, &tokens))
        }
        Err(problem) if problem.code.status().is_server_error() => Err(problem),
        Err(_) => Ok(without_session(frame.see(&format!("session?to={}", encoded(page_of(to)))))),
    }
}

async fn end(entrance: &Entrance, request: &Request, frame: &Frame, form: &Form) -> Result<Answer, Problem> {
    let caller = match reader(&entrance.gate, request, frame, "session/end", HOME).await {
        Ok(caller) => caller,
        Err(answer) => return Ok(answer),
    };
    FormSecret::of(request).ok_or_else(forged)?.check(session_of(Some(&caller)), form)?;
    let call = Call::new(request, Method::POST, "/users/logout", Some(caller)).request()?;
    logout::handle(&entrance.sessions, call).await?;
    Ok(without_session(frame.see("")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_username_is_made_of_the_mail_address_and_is_nobody_elses() {
        let (first, second) = (username_for("ada.l@example.org").unwrap(), username_for("ada.l@example.org").unwrap());
        assert!(first.starts_with("adal-") && first != second, "{first} {second}");
        for email in ["", "@", "ü@example.org", &format!("{}@example.org", "x".repeat(300))] {
            let name = username_for(email).unwrap();
            assert!((3..=50).contains(&name.len()), "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{name}");
        }
    }
}
