//! Everything of the running stack, opened at once: what a test starts with.

use crate::{
    Failure, Outcome, api::Api, bus::Bus, contract::Contracts, http::Seen, logs::Logs, machine::Machine,
    mailbox::Mailbox, operator::Terminal, people::Person, provider::Provider, stack::Stack, tables::Tables,
};
use aws_config::{BehaviorVersion, Region, retry::RetryConfig};
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_lambda::primitives::Blob;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider as Tls, rustls_provider::CryptoMode},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// The running stack, from every side it can be seen from.
#[derive(Debug, Clone)]
pub struct BoxOffice {
    /// Where it is.
    pub stack: Arc<Stack>,
    /// As anybody sees it.
    pub api: Api,
    /// As this test's own buyer does.
    pub buyer: Person,
    /// As a MANAGER does.
    pub manager: Person,
    /// As an ADMIN does.
    pub admin: Person,
    /// The stored events.
    pub tables: Tables,
    /// The events on the bus.
    pub bus: Bus,
    /// The executions of the state machine.
    pub machine: Machine,
    /// The contracts of the events.
    pub contracts: Contracts,
    /// The messages sent to people.
    pub mailbox: Mailbox,
    /// The functions' logs.
    pub logs: Logs,
    /// As an operator sees it who has AWS's credentials.
    pub terminal: Terminal,
    provider: Option<Provider>,
    lambda: aws_sdk_lambda::Client,
    sqs: aws_sdk_sqs::Client,
    ssm: aws_sdk_ssm::Client,
}

impl BoxOffice {
    /// The stack that `make up` started.
    ///
    /// # Errors
    /// When there is none.
    pub async fn open() -> Outcome<Self> {
        let stack = Stack::load()?;
        let api = Api::at(&stack.api_url)?;
        Self::open_by(api, stack).await
    }

    /// The same, which remembers there every reply of the API.
    ///
    /// # Errors
    /// When there is none.
    pub async fn open_noting(seen: &Seen) -> Outcome<Self> {
        let stack = Stack::load()?;
        let api = Api::at(&stack.api_url)?.noting(seen);
        Self::open_by(api, stack).await
    }

    async fn open_by(api: Api, stack: Stack) -> Outcome<Self> {
        let stack = Arc::new(stack);
        let aws = aws_config_for(&stack).await;
        let sqs = aws_sdk_sqs::Client::new(&aws);
        let admin = Person::admin(&api).await?;
        Ok(Self {
            buyer: Person::register(&api).await?,
            manager: Person::manager(&api, &admin).await?,
            admin,
            api,
            tables: Tables::new(aws_sdk_dynamodb::Client::new(&aws), stack.clone()),
            bus: Bus::new(aws_sdk_eventbridge::Client::new(&aws), sqs.clone(), stack.clone()),
            machine: Machine::new(aws_sdk_sfn::Client::new(&aws), stack.clone()),
            contracts: Contracts::of_this_checkout(),
            mailbox: Mailbox::of(&stack).await?,
            logs: Logs::new(aws_sdk_cloudwatchlogs::Client::new(&aws), stack.clone()),
            terminal: Terminal::new(stack.clone()),
            ssm: aws_sdk_ssm::Client::new(&aws),
            lambda: aws_sdk_lambda::Client::new(&aws),
            provider: stack.payments_url.as_deref().map(Provider::at).transpose()?,
            sqs,
            stack,
        })
    }

    /// The payment provider, which locally is one whose failures a test can order.
    ///
    /// # Errors
    /// When the stack's payments go to the real one.
    pub fn provider(&self) -> Outcome<&Provider> {
        self.provider.as_ref().ok_or_else(|| {
            Failure::new("this stack's payments go to Stripe itself; what needs the local payment provider cannot run")
        })
    }

    /// Somebody else, registered for this test.
    ///
    /// # Errors
    /// When they are refused.
    pub async fn somebody(&self) -> Outcome<Person> {
        Person::register(&self.api).await
    }

    /// A parameter of this stack's environment: `/boxoffice/<Environment>/<name>`.
    ///
    /// # Errors
    /// When there is none.
    pub async fn parameter(&self, name: &str) -> Outcome<String> {
        let name = format!("/boxoffice/{}/{name}", self.stack.output("ApiStage")?);
        let found = self.ssm.get_parameter().name(&name).with_decryption(true).send().await;
        let found = found.map_err(|error| Failure::of(format_args!("the parameter {name}"), &error))?;
        let value = found.parameter.and_then(|parameter| parameter.value);
        value.ok_or_else(|| Failure::new(format!("the parameter {name} is empty")))
    }

    /// Puts a message in a queue, by the name of its output.
    ///
    /// # Errors
    /// When the queue does not take it.
    pub async fn put_in_queue(&self, queue: &str, body: &str) -> Outcome<()> {
        let sent = self.sqs.send_message().queue_url(self.stack.output(queue)?).message_body(body).send().await;
        sent.map(|_| ()).map_err(|error| Failure::of(format_args!("putting a message in {queue}"), &error))
    }

    /// The messages about this ticket on the queue that operators watch, taken off it.
    ///
    /// # Errors
    /// When the queue does not answer.
    pub async fn stuck_booking_messages(&self, ticket_id: &str) -> Outcome<Vec<String>> {
        self.messages_about("StuckBookingsQueueUrl", ticket_id).await
    }

    /// The messages about this id among what reconcile left to people, taken off the queue.
    ///
    /// # Errors
    /// When the queue does not answer.
    pub async fn findings_about(&self, id: &str) -> Outcome<Vec<String>> {
        self.messages_about("ReconcileFindingsQueueUrl", id).await
    }

    /// Has everything reconciled, on this word; the function's answer.
    ///
    /// # Errors
    /// When it does not answer, or fails.
    pub async fn reconcile(&self, requested_by: &str) -> Outcome<Value> {
        let failed = |error: &dyn std::error::Error| Failure::of("reconciling", error);
        let request = json!({ "requestedBy": requested_by }).to_string();
        let function = self.stack.output("ReconcileFunctionName")?;
        let invoked = self.lambda.invoke().function_name(function).payload(Blob::new(request)).send().await;
        let invoked = invoked.map_err(|e| failed(&e))?;
        let answer = invoked.payload.map(Blob::into_inner).unwrap_or_default();
        let answer: Value = serde_json::from_slice(&answer).map_err(|e| failed(&e))?;
        match invoked.function_error {
            Some(error) => Err(Failure::new(format!("reconciling failed ({error}): {answer}"))),
            None => Ok(answer),
        }
    }

    /// Tests that run at once read one queue. The reader takes every message and keeps those of other tests for them: a message is hidden from nobody
    /// while somebody else looks whose it is.
    async fn messages_about(&self, queue: &str, id: &str) -> Outcome<Vec<String>> {
        static TAKEN: Mutex<Vec<(String, String)>> = Mutex::const_new(Vec::new());
        let queue = self.stack.output(queue)?;
        let failed = |error: &dyn std::error::Error| Failure::of(format_args!("reading {queue}"), error);
        loop {
            let received = self.sqs.receive_message().queue_url(queue).max_number_of_messages(10);
            let received = received.send().await.map_err(|e| failed(&e))?;
            if received.messages().is_empty() {
                break;
            }
            for message in received.messages() {
                let body = message.body().unwrap_or_default();
                TAKEN.lock().await.push((queue.to_owned(), body.to_owned()));
                let receipt = message.receipt_handle().unwrap_or_default();
                let delete = self.sqs.delete_message().queue_url(queue).receipt_handle(receipt);
                delete.send().await.map_err(|e| failed(&e))?;
            }
        }
        let mut taken = TAKEN.lock().await;
        let about_it = taken.extract_if(.., |(from, body)| from == queue && body.contains(id));
        Ok(about_it.map(|(_, body)| body).collect())
    }
}

pub(crate) async fn aws_config_for(stack: &Stack) -> aws_config::SdkConfig {
    let http_client = Builder::new().tls_provider(Tls::Rustls(CryptoMode::Ring)).build_https();
    let retries = RetryConfig::standard().with_max_attempts(5).with_max_backoff(Duration::from_secs(2));
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client)
        .retry_config(retries)
        .region(Region::new(stack.region.clone()));
    if let Some(endpoint) = &stack.aws_endpoint {
        // An emulator asks for credentials and does not look at them; a developer's own must not go there.
        let credentials = Credentials::new("test", "test", None, None, "emulator");
        loader = loader.endpoint_url(endpoint).credentials_provider(credentials);
    }
    loader.load().await
}
