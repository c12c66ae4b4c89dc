//! `boxoffice reconcile`: the reconciliation, run now.

use super::stack::{Asker, Configuration, Stack, trace};
use crate::outcome::{Done, Failure};
use boxoffice_aws::client;
use boxoffice_operations::{Reconciler, reconciler::Scope};
use clap::Args;
use serde_json::json;

#[derive(Debug, Args)]
pub(crate) struct Reconcile {
    /// Read every booking and every reservation there ever was, and not only what is open or has changed since it was proven
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    asker: Asker,
    #[command(flatten)]
    stack: Stack,
}

impl Reconcile {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        let operator = self.asker.operator()?;
        let (sdk, trace) = (client::sdk_config(), trace(&operator));
        let configuration = Configuration::of(&sdk, &self.stack.stack, "start-reconcile").await?;
        let reconciler = Reconciler::from_source(&sdk, |name| configuration.variable(name))?;
        let scope = if self.all { Scope::All } else { Scope::Moved };
        let act = reconciler.start(scope, operator.clone(), &trace).await?;
        let words = format!("the reconciliation runs ({act}, by {operator}); what it finds is in its log");
        Ok(Done { words, facts: json!({ "actId": act, "requestedBy": operator }) })
    }
}
