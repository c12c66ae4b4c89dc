//! Where a deployed stack has its things, and who says so: what the commands about a running stack have in common.

use crate::outcome::Failure;
use aws_config::SdkConfig;
use aws_sdk_lambda::{Client, error::ProvideErrorMetadata};
use boxoffice_kernel::{Actor, Operator, OperatorName, Trace};
use clap::Args;
use std::{
    collections::HashMap,
    env,
    io::{self, Write},
};

/// The stack to operate on, and the operator's name.
#[derive(Debug, Args)]
pub(crate) struct Stack {
    /// The name of the CloudFormation stack.
    #[arg(long, default_value = "boxoffice")]
    pub(crate) stack: String,
}

/// The operator's name; it is recorded with what they have done.
#[derive(Debug, Args)]
pub(crate) struct Asker {
    /// The operator's name, by default the logged-in user; recorded with the act as `cli:<name>`.
    #[arg(long = "as", value_name = "NAME")]
    name: Option<OperatorName>,
}

impl Asker {
    pub(crate) fn operator(&self) -> Result<Operator, Failure> {
        self.name().map(Operator::Terminal)
    }

    pub(crate) fn name(&self) -> Result<OperatorName, Failure> {
        if let Some(name) = &self.name {
            return Ok(name.clone());
        }
        let logged_in = ["USER", "LOGNAME"].into_iter().find_map(|variable| env::var(variable).ok());
        let name = logged_in.and_then(|name| name.parse().ok());
        let unknown = || Failure::Refused("who asks? Neither USER nor LOGNAME says: use --as".into());
        name.ok_or_else(unknown)
    }
}

/// Where what this call leads to comes from.
pub(crate) fn trace(operator: &Operator) -> Trace {
    Trace::begun(operator.to_string(), Actor::from(operator))
}

/// A function's own configuration: the names of what it works on.
#[derive(Debug)]
pub(crate) struct Configuration {
    function: String,
    variables: HashMap<String, String>,
}

impl Configuration {
    /// That of this function of the stack.
    pub(crate) async fn of(sdk: &SdkConfig, stack: &str, function: &str) -> Result<Self, Failure> {
        let function = format!("{stack}-{function}");
        let asked = Client::new(sdk).get_function_configuration().function_name(&function).send().await;
        let configuration = asked.map_err(|error| match error.code() {
            Some("ResourceNotFoundException") => {
                Failure::Refused(format!("there is no function {function}: is the stack deployed under that name?"))
            }
            _ => Failure::from_aws(&error),
        })?;
        let variables = configuration.environment.and_then(|environment| environment.variables).unwrap_or_default();
        Ok(Self { function, variables })
    }

    /// The function's error name.
    pub(crate) fn variable(&self, name: &'static str) -> Result<String, Failure> {
        let missing = || Failure::Refused(format!("{} has no {name}; is it of this version?", self.function));
        self.variables.get(name).cloned().ok_or_else(missing)
    }
}

/// Work that takes its time: how far it is goes to where it is in nobody's way.
pub(crate) fn progress(words: &str) {
    let _ = writeln!(io::stderr(), "{words}");
}
