//! Makes an account safe: verifies its mail address, replaces a forgotten password, adds and removes a second factor.
//!
//! | | |
//! |---|---|
//! | trigger | `GET` and `POST /shop/verification`, `POST /shop/verification/mail`; `GET` and `POST /shop/password`, `GET` and `POST /shop/password/reset`; `GET` and `POST /shop/second-factor`, `POST /shop/second-factor/confirmation`, `POST /shop/second-factor/removal` |
//! | reads | as get-me, verify-email, reset-password and change-second-factor; the reader's access (AP-03) |
//! | writes | as these |
//! | emits | as these |
//! | calls | as request-email-verification and request-password-reset |
//! | safe to repeat | as these: a code works once, and a session that has ended leads to the log-in |

use super::{
    admit_buyer::{AGAIN, FACTOR_REMOVED, PASSWORD_CHANGED},
    show_order::VERIFIED,
};
use crate::{
    api::{Call, NewFactor, RecoveryCodes, User, read, session_of},
    enrolment::Enrolment,
    form::{Form, FormSecret, forged},
    frame::{Audience, Frame},
    pages::{EnrolmentPage, FactorPage, ForgottenPage, RecoveryPage, ResetPage, VerificationPage},
    texts::fill,
    visitor::{page_of, reader, without_session},
};
use boxoffice_runtime::{
    Code, Problem,
    auth::{Caller, Gate},
    config::ConfigError,
    http::{self, Answer},
};
use boxoffice_users::{
    Registration,
    handlers::{
        change_second_factor, get_me, request_email_verification, request_password_reset, reset_password, verify_email,
    },
    mail::MailFunction,
    password::MIN_LENGTH,
    proofs::ProofStore,
};
use lambda_http::{
    Request, RequestExt as _,
    http::{Method, StatusCode},
};
use serde_json::json;

/// Everything that this function is made of.
#[derive(Debug)]
pub struct Office {
    gate: Gate,
    registration: Registration,
    proofs: ProofStore,
    mail: MailFunction,
}

impl Office {
    /// From the environment.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            gate: Gate::from_env()?,
            registration: Registration::from_env()?,
            proofs: boxoffice_users::proofs_from_env()?,
            mail: boxoffice_users::mail_from_env()?,
        })
    }
}

/// Answers with the page, or with where the reader goes on.
pub async fn handle(office: &Office, request: Request) -> Answer {
    let frame = Frame::of(&request, Audience::Reader);
    secured(office, &request, frame.clone()).await.unwrap_or_else(|problem| frame.refuse(&request, &problem))
}

async fn secured(office: &Office, request: &Request, frame: Frame) -> Result<Answer, Problem> {
    let form = Form::of(request);
    let route = http::route(request);
    match (request.method(), route.as_str()) {
        (&Method::GET, "/shop/password") => forgotten(request, frame, "", StatusCode::OK),
        (&Method::GET, "/shop/password/reset") => reset(request, frame, "", StatusCode::OK),
        (_, "/shop/password") => {
            check(request, None, &form)?;
            ask_for_password(office, request, frame, form.text("email")).await
        }
        (_, "/shop/password/reset") => {
            check(request, None, &form)?;
            replace_password(office, request, frame, &form).await
        }
        _ => own(office, request, frame, &form, &route).await,
    }
}

/// The pages of an account's user.
async fn own(office: &Office, request: &Request, frame: Frame, form: &Form, route: &str) -> Result<Answer, Problem> {
    let here = route.trim_start_matches("/shop/");
    let caller = match reader(&office.gate, request, &frame, here, page_of(here)).await {
        Ok(caller) => caller,
        Err(answer) => return Ok(answer),
    };
    if request.method() == Method::POST {
        check(request, Some(&caller), form)?;
    }
    match (request.method(), here) {
        (&Method::GET, "verification") => {
            let is_sent = request.query_string_parameters().first("notice") == Some(SENT);
            let me = me(office, request, caller).await?;
            verification(request, frame, &caller, &me, is_sent, "", StatusCode::OK)
        }
        (_, "verification") => verify(office, request, frame, caller, form.text("code")).await,
        (_, "verification/mail") => {
            let call = Call::new(request, Method::POST, "/users/me/email-verification", Some(caller)).request()?;
            request_email_verification::handle(&office.mail, call).await?;
            Ok(frame.see(&format!("verification?notice={SENT}")))
        }
        (&Method::GET, "second-factor") => factor(request, frame, &caller, StatusCode::OK),
        (_, "second-factor") => begin(office, request, frame, caller).await,
        (_, "second-factor/confirmation") => confirm(office, request, frame, caller, form).await,
        (_, "second-factor/removal") => remove(office, request, frame, caller).await,
        _ => Err(Problem::new(Code::RouteNotFound, "There is no such page.")),
    }
}

/// The notice that another code was sent.
const SENT: &str = "sent";

/// Refuses a form that is not one of this session's, or of this browser's where nobody needs to be logged in.
fn check(request: &Request, caller: Option<&Caller>, form: &Form) -> Result<(), Problem> {
    FormSecret::of(request).ok_or_else(forged)?.check(session_of(caller), form)
}

async fn me(office: &Office, request: &Request, caller: Caller) -> Result<User, Problem> {
    let call = Call::new(request, Method::GET, "/users/me", Some(caller)).request()?;
    read(&get_me::handle(&office.registration.users, call).await?)
}

/// The text for a refusal that none of a page's own fits.
fn other(frame: &Frame, problem: &Problem) -> &'static str {
    if problem.code.status().is_server_error() { frame.t.error_busy } else { frame.t.error_other }
}

fn verification(
    request: &Request,
    mut frame: Frame,
    caller: &Caller,
    me: &User,
    is_sent: bool,
    code: &str,
    status: StatusCode,
) -> Result<Answer, Problem> {
    let secret = frame.secret(request)?;
    let t = frame.t;
    let frame = frame.page(t.verify_title, "verification");
    let address = me.unverified();
    let page = VerificationPage {
        token: secret.token(session_of(Some(caller))),
        lead: address.map(|address| fill(t.verify_lead, "email", address)),
        sent: address.filter(|_| is_sent).map(|address| fill(t.code_sent, "email", address)),
        code: code.to_owned(),
        frame: &frame,
    };
    Ok(frame.answer(status, &page))
}

async fn verify(
    office: &Office,
    request: &Request,
    frame: Frame,
    caller: Caller,
    code: &str,
) -> Result<Answer, Problem> {
    let call = Call::new(request, Method::POST, "/users/email-verification", None).body(json!({ "token": code }));
    let done = |frame: &Frame| frame.see(&format!("orders?notice={VERIFIED}"));
    let (users, proofs) = (&office.registration.users, &office.proofs);
    // Another account may name the address too, and have a code sent: this page verifies the address of whoever is logged in.
    let Err(problem) = verify_email::by_email_of(caller.user_id, users, proofs, call.request()?).await else {
        return Ok(done(&frame));
    };
    let me = me(office, request, caller).await?;
    if problem.code == Code::ProofInvalid && me.unverified().is_none() {
        // The button was pressed twice.
        return Ok(done(&frame));
    }
    let t = frame.t;
    let (field, text) = match problem.code {
        Code::ProofInvalid | Code::ValidationError => (Some("code"), t.error_proof),
        Code::EmailTaken => (None, t.error_email_taken),
        _ => (None, other(&frame, &problem)),
    };
    verification(request, frame.fault(field, text), &caller, &me, false, code, problem.code.status())
}

fn forgotten(request: &Request, mut frame: Frame, email: &str, status: StatusCode) -> Result<Answer, Problem> {
    let secret = frame.secret(request)?;
    let title = frame.t.forgotten_title;
    let frame = frame.page(title, "password");
    let page = ForgottenPage { token: secret.token(None), email: email.to_owned(), frame: &frame };
    Ok(frame.answer(status, &page))
}

/// Goes on to the page that takes the code, whether the address is known or not.
async fn ask_for_password(office: &Office, request: &Request, frame: Frame, email: &str) -> Result<Answer, Problem> {
    let call = Call::new(request, Method::POST, "/users/password-reset", None).body(json!({ "email": email }));
    match request_password_reset::handle(&office.mail, call.request()?).await {
        Ok(_) => Ok(frame.see("password/reset")),
        Err(problem) => {
            let (field, text) = match problem.code {
                Code::ValidationError => (Some("email"), frame.t.error_email),
                _ => (None, other(&frame, &problem)),
            };
            forgotten(request, frame.fault(field, text), email, problem.code.status())
        }
    }
}

fn reset(request: &Request, mut frame: Frame, code: &str, status: StatusCode) -> Result<Answer, Problem> {
    let secret = frame.secret(request)?;
    let t = frame.t;
    let frame = frame.page(t.reset_title, "password/reset");
    let page = ResetPage {
        token: secret.token(None),
        code: code.to_owned(),
        password_hint: fill(t.password_hint, "n", &MIN_LENGTH.to_string()),
        frame: &frame,
    };
    Ok(frame.answer(status, &page))
}

async fn replace_password(office: &Office, request: &Request, frame: Frame, form: &Form) -> Result<Answer, Problem> {
    let code = form.text("code");
    let body = json!({ "token": code, "newPassword": form.typed("password") });
    let call = Call::new(request, Method::POST, "/users/password-reset/confirm", None).body(body).request()?;
    match reset_password::handle(&office.registration, &office.proofs, call).await {
        Ok(_) => Ok(frame.see(&format!("session?to=orders&notice={PASSWORD_CHANGED}"))),
        Err(problem) => {
            let t = frame.t;
            let (field, text) = match (problem.code, problem.field.as_deref()) {
                (_, Some("newPassword")) => (Some("new-password"), t.error_password),
                (Code::ProofInvalid, _) | (_, Some("token")) => (Some("code"), t.error_proof),
                _ => (None, other(&frame, &problem)),
            };
            reset(request, frame.fault(field, text), code, problem.code.status())
        }
    }
}

/// The page that begins and removes a second factor. The API does not say which of both an account may; it refuses the other.
fn factor(request: &Request, mut frame: Frame, caller: &Caller, status: StatusCode) -> Result<Answer, Problem> {
    let secret = frame.secret(request)?;
    let title = frame.t.factor_title;
    let frame = frame.page(title, FACTOR);
    let page = FactorPage { token: secret.token(session_of(Some(caller))), frame: &frame };
    Ok(frame.answer(status, &page))
}

const FACTOR: &str = "second-factor";

/// The answer where the API asks for a recent log-in.
fn again(frame: &Frame) -> Answer {
    frame.see(&format!("session?to={FACTOR}&notice={AGAIN}"))
}

async fn begin(office: &Office, request: &Request, frame: Frame, caller: Caller) -> Result<Answer, Problem> {
    let call = Call::new(request, Method::POST, "/users/me/second-factor", Some(caller)).request()?;
    match change_second_factor::begin(&office.registration.users, call).await {
        Ok(answer) => {
            let begun: NewFactor = read(&answer)?;
            let unread = || Problem::new(Code::InternalError, "The secret has an address that no page can show.");
            enrolment(request, frame, &caller, Enrolment::of(&begun.uri).ok_or_else(unread)?, StatusCode::OK)
        }
        Err(problem) => {
            let text = match problem.code {
                Code::ReauthenticationRequired => return Ok(again(&frame)),
                Code::IllegalTransition => frame.t.error_factor_there,
                _ => return Err(problem),
            };
            factor(request, frame.fault(None, text), &caller, problem.code.status())
        }
    }
}

fn enrolment(
    request: &Request,
    mut frame: Frame,
    caller: &Caller,
    enrolment: Enrolment,
    status: StatusCode,
) -> Result<Answer, Problem> {
    let secret = frame.secret(request)?;
    let title = frame.t.enrol_title;
    let frame = frame.page(title, FACTOR);
    let page = EnrolmentPage { token: secret.token(session_of(Some(caller))), enrolment, frame: &frame };
    Ok(frame.answer(status, &page))
}

/// Shows the recovery codes. They are not to be had again, so this answer is a page and leads nowhere.
async fn confirm(
    office: &Office,
    request: &Request,
    frame: Frame,
    caller: Caller,
    form: &Form,
) -> Result<Answer, Problem> {
    let call = Call::new(request, Method::POST, "/users/me/second-factor/confirm", Some(caller));
    let call = call.body(json!({ "code": form.text("code") })).request()?;
    let t = frame.t;
    match change_second_factor::confirm(&office.registration.users, call).await {
        Ok(answer) => {
            let RecoveryCodes { recovery_codes: codes } = read(&answer)?;
            let frame = frame.page(t.recovery_title, FACTOR);
            let page = RecoveryPage { codes, frame: &frame };
            Ok(without_session(frame.answer(StatusCode::OK, &page)))
        }
        Err(problem) => match (problem.code, Enrolment::of(form.text("uri"))) {
            (Code::ReauthenticationRequired, _) => Ok(again(&frame)),
            (Code::ValidationError, Some(shown)) => {
                enrolment(request, frame.fault(Some("code"), t.error_first_code), &caller, shown, problem.code.status())
            }
            (Code::ServiceUnavailable, Some(shown)) => {
                enrolment(request, frame.fault(None, t.error_busy), &caller, shown, problem.code.status())
            }
            (Code::IllegalTransition | Code::ValidationError, _) => {
                factor(request, frame.fault(None, t.error_factor_over), &caller, problem.code.status())
            }
            _ => Err(problem),
        },
    }
}

async fn remove(office: &Office, request: &Request, frame: Frame, caller: Caller) -> Result<Answer, Problem> {
    let call = Call::new(request, Method::DELETE, "/users/me/second-factor", Some(caller)).request()?;
    match change_second_factor::remove(&office.registration.users, call).await {
        Ok(_) => Ok(without_session(frame.see(&format!("session?to=orders&notice={FACTOR_REMOVED}")))),
        Err(problem) => {
            let text = match problem.code {
                Code::ReauthenticationRequired => return Ok(again(&frame)),
                Code::IllegalTransition => frame.t.error_factor_none,
                _ => return Err(problem),
            };
            factor(request, frame.fault(None, text), &caller, problem.code.status())
        }
    }
}
