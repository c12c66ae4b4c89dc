//! The functions' logs, as `CloudWatch` keeps them.

use crate::{Failure, Outcome, stack::Stack};
use aws_sdk_cloudwatchlogs::Client;
use std::{
    error::Error,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// The log groups of the running stack.
#[derive(Debug, Clone)]
pub struct Logs {
    client: Client,
    stack: Arc<Stack>,
}

/// A moment from which on logs are read.
#[derive(Debug, Clone, Copy)]
pub struct Since(i64);

impl Since {
    /// Now.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(since.as_millis().try_into().unwrap_or(i64::MAX))
    }
}

fn failed(error: &dyn Error) -> Failure {
    Failure::of("reading the functions' logs", error)
}

impl Logs {
    pub(crate) fn new(client: Client, stack: Arc<Stack>) -> Self {
        Self { client, stack }
    }

    /// Every line that any function of the stack has logged since then, with its function's name in front.
    ///
    /// # Errors
    /// When `CloudWatch` does not answer.
    pub async fn lines(&self, since: Since) -> Outcome<Vec<String>> {
        let prefix = format!("/aws/lambda/{}-", self.stack.stack_name);
        let groups = self.client.describe_log_groups().log_group_name_prefix(&prefix).into_paginator().items().send();
        let groups = groups.collect::<Result<Vec<_>, _>>().await.map_err(|e| failed(&e))?;
        let mut lines = Vec::new();
        for name in groups.iter().filter_map(|group| group.log_group_name()) {
            let events = self.client.filter_log_events().log_group_name(name).start_time(since.0);
            let mut pages = events.into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|e| failed(&e))?;
                let function = name.strip_prefix(&prefix).unwrap_or(name);
                let messages = page.events().iter().filter_map(|event| event.message());
                lines.extend(messages.map(|message| format!("{function}: {message}")));
            }
        }
        Ok(lines)
    }
}
