//! The booking saga's executions, as Step Functions shows them.

use crate::{
    Failure, Outcome,
    stack::Stack,
    story::fresh,
    wait::{Look, SOON, until},
};
use aws_sdk_sfn::{
    Client,
    types::{ExecutionListItem, ExecutionStatus},
};
use std::{error::Error, sync::Arc};

/// The state machine.
#[derive(Debug, Clone)]
pub struct Machine {
    client: Client,
    stack: Arc<Stack>,
}

/// One run of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// Its ARN.
    pub arn: String,
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, …
    pub status: String,
    /// The execution's input.
    pub input: String,
}

fn failed(error: &dyn Error) -> Failure {
    Failure::of("asking Step Functions", error)
}

impl Machine {
    pub(crate) fn new(client: Client, stack: Arc<Stack>) -> Self {
        Self { client, stack }
    }

    fn arn(&self) -> Outcome<&str> {
        self.stack.output("BookingSagaArn")
    }

    /// The executions whose input speaks of this ticket, newest first.
    ///
    /// # Errors
    /// When Step Functions does not answer.
    pub async fn executions_about(&self, ticket_id: &str) -> Outcome<Vec<Execution>> {
        self.executions(self.arn()?, ticket_id).await
    }

    /// The executions that walk over the bookings of this event, newest first.
    ///
    /// # Errors
    /// When Step Functions does not answer.
    pub async fn walks_over(&self, inventory_id: &str) -> Outcome<Vec<Execution>> {
        self.executions(self.stack.output("EventCancellationArn")?, inventory_id).await
    }

    async fn executions(&self, machine: &str, about: &str) -> Outcome<Vec<Execution>> {
        // A test's own executions are among the newest; a busy stack's thousands of others need not be read.
        const NEWEST: usize = 400;
        let mut items: Vec<ExecutionListItem> = Vec::new();
        let mut pages =
            self.client.list_executions().state_machine_arn(machine).max_results(100).into_paginator().send();
        while let Some(page) = pages.next().await {
            items.extend_from_slice(page.map_err(|e| failed(&e))?.executions());
            if items.len() >= NEWEST {
                break;
            }
        }
        items.sort_by_key(|item| std::cmp::Reverse(item.start_date().as_nanos()));
        let mut about_it = Vec::new();
        for item in items.iter().take(NEWEST) {
            let execution = self.execution(item.execution_arn()).await?;
            if execution.input.contains(about) {
                about_it.push(execution);
            }
        }
        Ok(about_it)
    }

    /// An execution as it is now.
    ///
    /// # Errors
    /// When Step Functions does not answer.
    pub async fn execution(&self, arn: &str) -> Outcome<Execution> {
        let described = self.client.describe_execution().execution_arn(arn).send().await.map_err(|e| failed(&e))?;
        Ok(Execution {
            arn: arn.to_owned(),
            status: described.status().as_str().to_owned(),
            input: described.input().unwrap_or_default().to_owned(),
        })
    }

    /// Its definition.
    ///
    /// # Errors
    /// When Step Functions does not answer.
    pub async fn definition(&self) -> Outcome<String> {
        let described = self.client.describe_state_machine().state_machine_arn(self.arn()?).send().await;
        Ok(described.map_err(|e| failed(&e))?.definition().to_owned())
    }

    /// Gives it another definition, for everybody and until it gets another: for a program that has the stack to itself.
    ///
    /// # Errors
    /// When Step Functions does not take it.
    pub async fn redefine(&self, definition: &str) -> Outcome<()> {
        let update = self.client.update_state_machine().state_machine_arn(self.arn()?).definition(definition);
        update.send().await.map(|_| ()).map_err(|e| failed(&e))
    }

    /// Starts it once more with the same input, as a redelivered event would.
    ///
    /// # Errors
    /// When Step Functions does not.
    pub async fn start_again(&self, earlier: &Execution) -> Outcome<Execution> {
        let start = self.client.start_execution().state_machine_arn(self.arn()?).name(fresh("e2e-again"));
        let started = start.input(&earlier.input).send().await.map_err(|e| failed(&e))?;
        self.execution(started.execution_arn()).await
    }

    /// Stops it where it is, as an operator's mistake would: nothing of it is undone.
    ///
    /// # Errors
    /// When Step Functions does not.
    pub async fn stop(&self, execution: &Execution) -> Outcome<()> {
        let stopped = self.client.stop_execution().execution_arn(&execution.arn).cause("an e2e test").send().await;
        stopped.map(|_| ()).map_err(|e| failed(&e))
    }

    /// Waits until the execution has ended.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn until_ended(&self, execution: &Execution) -> Outcome<Execution> {
        until(format_args!("{} ends", execution.arn), SOON, async || {
            let execution = self.execution(&execution.arn).await?;
            Ok(Look::done_if(execution.status != ExecutionStatus::Running.as_str(), execution))
        })
        .await
    }

    /// Waits until so many executions speak of this ticket.
    ///
    /// # Errors
    /// When there never are.
    pub async fn until_started(&self, ticket_id: &str, times: usize) -> Outcome<Vec<Execution>> {
        until(format_args!("{times} executions about {ticket_id} have started"), SOON, async || {
            let executions = self.executions_about(ticket_id).await?;
            Ok(Look::done_if(executions.len() >= times, executions))
        })
        .await
    }
}
