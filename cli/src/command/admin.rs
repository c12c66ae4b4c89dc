//! `boxoffice admin`: users who may do everything.

use super::stack::Asker;
use crate::outcome::{Done, Failure};
use aws_sdk_lambda::{Client, error::ProvideErrorMetadata, primitives::Blob};
use boxoffice_aws::client;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{self, IsTerminal, Read};
use zeroize::Zeroizing;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create an ADMIN; the first one cannot be granted the role by anybody. An existing user with this name is left unchanged.
    ///
    /// Prompts for the password, or reads it from standard input with --password-stdin; never from an argument, which other users of the
    /// machine could see.
    Create(NewAdmin),
}

#[derive(Debug, Args)]
pub(crate) struct NewAdmin {
    /// The username: 3 to 50 letters, digits, dots, underscores or hyphens.
    #[arg(long)]
    username: String,
    /// The email address.
    #[arg(long)]
    email: String,
    /// The first name.
    #[arg(long)]
    first_name: String,
    /// The last name.
    #[arg(long)]
    last_name: String,
    /// The name of the CloudFormation stack.
    #[arg(long, default_value = "boxoffice")]
    stack: String,
    /// Read the password from standard input.
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    asker: Asker,
}

impl Command {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        let Self::Create(new) = self;
        let password = new.password()?;
        create(&Client::new(&client::sdk_config()), &new, &password).await
    }
}

impl NewAdmin {
    fn password(&self) -> Result<Zeroizing<String>, Failure> {
        let unreadable = |error: io::Error| Failure::Refused(format!("no password can be read: {error}"));
        if self.password_stdin {
            let mut text = Zeroizing::new(String::new());
            io::stdin().read_to_string(&mut text).map_err(unreadable)?;
            return Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()));
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::Refused("there is no terminal to ask for a password; use --password-stdin".into()));
        }
        let ask = |prompt: &str| rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(unreadable);
        let password = ask("Password: ")?;
        if *ask("Again: ")? != *password {
            return Err(Failure::Refused("the passwords differ".into()));
        }
        Ok(password)
    }
}

/// The answer of the function `create-admin`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Admin {
    user_id: String,
    created: bool,
}

/// Lambda's answer for a function that failed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionError {
    error_type: String,
    error_message: String,
}

async fn create(lambda: &Client, new: &NewAdmin, password: &str) -> Result<Done, Failure> {
    let function = format!("{}-create-admin", new.stack);
    let payload = json!({
        "username": new.username, "email": new.email, "password": password,
        "firstName": new.first_name, "lastName": new.last_name, "requestedBy": new.asker.name()?
    });
    let call = lambda.invoke().function_name(&function).payload(Blob::new(payload.to_string()));
    let answer = call.send().await.map_err(|error| match error.code() {
        Some("ResourceNotFoundException") => {
            Failure::Refused(format!("there is no function {function}: is the stack deployed under that name?"))
        }
        _ => Failure::from_aws(&error),
    })?;
    let body = answer.payload.map(Blob::into_inner).unwrap_or_default();
    if answer.function_error.is_some() {
        return Err(failure(&body));
    }
    let admin: Admin = serde_json::from_slice(&body)
        .map_err(|error| Failure::Aws(format!("{function} answered what it should not: {error}")))?;
    Ok(done(&new.username, &admin))
}

fn done(username: &str, admin: &Admin) -> Done {
    let words = if admin.created {
        format!("{username} is an ADMIN, {}", admin.user_id)
    } else {
        format!("{username} is an ADMIN already, {}; the password stays as it was", admin.user_id)
    };
    Done { words, facts: json!({ "userId": admin.user_id, "created": admin.created }) }
}

fn failure(body: &[u8]) -> Failure {
    match serde_json::from_slice::<FunctionError>(body) {
        // A retry gets the same answer.
        Ok(error)
            if matches!(error.error_type.as_str(), "UsernameTaken" | "EmailTaken" | "WeakPassword" | "Defect") =>
        {
            Failure::Refused(error.error_message)
        }
        Ok(error) => Failure::Aws(format!("{}: {}", error.error_type, error.error_message)),
        Err(_) => {
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            Failure::Aws(format!("create-admin failed: {body}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_told_from_an_outage() {
        let of = |kind: &str| failure(json!({ "errorType": kind, "errorMessage": "why" }).to_string().as_bytes());
        assert!(matches!(of("UsernameTaken"), Failure::Refused(_)));
        assert!(matches!(of("Transient"), Failure::Aws(_)));
        assert!(matches!(failure(b"nonsense"), Failure::Aws(_)));
    }

    #[test]
    fn an_existing_result_counts_as_success() {
        let told = done("ada", &Admin { user_id: "usr_1".into(), created: false });
        assert!(told.words.contains("already"), "{}", told.words);
        assert_eq!(told.facts["created"], false);
    }
}
