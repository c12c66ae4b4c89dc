//! `boxoffice reconcile`: the reconciliation, run now.

use super::stack::{Asker, Configuration, Stack, trace};
use crate::outcome::{Done, Failure};
use boxoffice_aws::client;
use boxoffice_operations::Reconciler;
use clap::Args;
use serde_json::json;

#[derive(Debug, Args)]
pub(crate) struct Reconcile {
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
        let act = reconciler.start(operator.clone(), &trace).await?;
        let words = format!("the reconciliation runs ({act}, by {operator}); what it finds is in its log");
        Ok(Done { words, facts: json!({ "actId": act, "requestedBy": operator }) })
    }
}
