//! The abilities of the platform under the stack, found out by trying.
//!
//! A test asks what the platform does, and never which platform it is. Where the platform cannot show something, the test leaves that part out, and nothing
//! else; each omission is a line of `run/left-out.jsonl` beside the stack's file, from which `scripts/platform_report.py` makes the report of a run. Each run asks anew: a
//! platform that has learned something has to show it.

use crate::{
    Failure, Outcome,
    api::Api,
    box_office::aws_config_for,
    ensure,
    http::{Http, Reply},
    model::Problem,
    stack::Stack,
    story::fresh,
};
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;
use std::{fs::OpenOptions, io::Write, sync::OnceLock};
use tokio::sync::OnceCell;

/// Something that one platform shows and another does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// A refusal that the gateway answers by itself has the form that the template gives it.
    ShapesItsRefusals,
    /// A function hears an address that a test can choose.
    TellsAddresses,
    /// Requests that no client sends by mistake reach a function as they came.
    HandsOnOddities,
}

impl Ability {
    const fn name(self) -> &'static str {
        match self {
            Self::ShapesItsRefusals => "The gateway's own refusals have the form that the template gives them",
            Self::TellsAddresses => "A function hears the caller's address, and a test can choose it",
            Self::HandsOnOddities => "A function gets a malformed request as it was sent",
        }
    }

    async fn probe(self) -> Outcome<bool> {
        let stack = Stack::load()?;
        match self {
            Self::ShapesItsRefusals => {
                // Refused by the gateway where it validates bodies, and else by the function, for want of a token.
                let reply = Http::new(&stack.api_url)?.post(["tickets"]).text("application/json", "[]").send().await?;
                Ok(reply.header("content-type").is_some_and(|kind| kind.starts_with("application/problem+json")))
            }
            Self::TellsAddresses => {
                let api = Api::at(&stack.api_url)?;
                let address = format!("198.51.100.{}", std::process::id() % 250);
                api.log_in(&fresh("nobody"), "not a password").from_address(&address).send().await?;
                let aws = aws_config_for(&stack).await;
                let failed = |error: &dyn std::error::Error| Failure::of("looking for an address", error);
                let login = aws_sdk_lambda::Client::new(&aws)
                    .get_function_configuration()
                    .function_name(format!("{}-login", stack.stack_name));
                let login = login.send().await.map_err(|e| failed(&e))?;
                let variables = login.environment().and_then(|environment| environment.variables());
                let table = variables.and_then(|variables| variables.get("SESSIONS_TABLE")).cloned();
                let key = AttributeValue::S(format!("FAIL#address#{address}"));
                let tries = aws_sdk_dynamodb::Client::new(&aws)
                    .get_item()
                    .set_table_name(table)
                    .key("pk", key)
                    .key("sk", AttributeValue::S("FAIL".to_owned()));
                Ok(tries.send().await.map_err(|e| failed(&e))?.item.is_some())
            }
            Self::HandsOnOddities => {
                // Without a token: a function refuses both before it reads them.
                let http = Http::new(&stack.api_url)?;
                let odd = |kind: &str, body: String| http.post(["inventory"]).text(kind, body);
                let nested = format!("{{\"a\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
                for request in
                    [odd("multipart/form-data; boundary=x", "{}".to_owned()), odd("application/json", nested)]
                {
                    if is_the_gateways_own(&request.send().await?) {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }

    fn found(self) -> &'static OnceCell<bool> {
        static SHAPES_ITS_REFUSALS: OnceCell<bool> = OnceCell::const_new();
        static TELLS_ADDRESSES: OnceCell<bool> = OnceCell::const_new();
        static HANDS_ON_ODDITIES: OnceCell<bool> = OnceCell::const_new();
        match self {
            Self::ShapesItsRefusals => &SHAPES_ITS_REFUSALS,
            Self::TellsAddresses => &TELLS_ADDRESSES,
            Self::HandsOnOddities => &HANDS_ON_ODDITIES,
        }
    }
}

/// Whether the platform can do this. Where it cannot, what the test then leaves out goes into the report.
///
/// # Errors
/// When it cannot be found out, or the omission cannot be written down.
pub async fn can(ability: Ability, left_out_otherwise: &str) -> Outcome<bool> {
    let can = *ability.found().get_or_try_init(|| ability.probe()).await?;
    if !can {
        note(ability, left_out_otherwise)?;
    }
    Ok(can)
}

/// One line, of less than a page, so that lines of tests that run at once do not mix.
fn note(ability: Ability, left_out: &str) -> Outcome<()> {
    static NOTES: OnceLock<std::sync::Mutex<Vec<String>>> = OnceLock::new();
    let line = json!({ "ability": ability.name(), "leftOut": left_out }).to_string();
    let mut noted = NOTES.get_or_init(Default::default).lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if noted.contains(&line) {
        return Ok(());
    }
    let file = Stack::load()?.folder.join("run").join("left-out.jsonl");
    let failed = |error: std::io::Error| Failure::of(file.display(), &error);
    let mut report = OpenOptions::new().create(true).append(true).open(&file).map_err(failed)?;
    report.write_all(format!("{line}\n").as_bytes()).map_err(failed)?;
    noted.push(line);
    Ok(())
}

/// Whether this is a refusal by the gateway itself, which reaches no function and so has no correlation id.
pub fn is_the_gateways_own(reply: &Reply) -> bool {
    reply.header("x-correlation-id").is_none()
}

/// A refusal with this status and code: by a function, in every part; by the gateway, as far as the platform lets a template say what it answers.
///
/// # Errors
/// When it is another refusal, or none.
pub async fn refused_by_either(reply: &Reply, status: u16, code: &str) -> Outcome<Option<Problem>> {
    if !is_the_gateways_own(reply) {
        return reply.refusal(status, code).map(Some);
    }
    let other = reply.status != status && reply.status >= 400;
    let without =
        format!("that what is to be refused with {status} {code} is not answered by the gateway with {}", reply.status);
    if other && !can(Ability::HandsOnOddities, &without).await? {
        return Ok(None);
    }
    reply.with_status(status)?;
    if can(
        Ability::ShapesItsRefusals,
        &format!("that what the gateway refuses by itself is problem+json with the code {code}"),
    )
    .await?
    {
        let problem: Problem = reply.answer(status)?;
        ensure!(problem.code == code, "{} refused with {} and not {code}: {}", reply.what, problem.code, reply.body);
    }
    Ok(None)
}
