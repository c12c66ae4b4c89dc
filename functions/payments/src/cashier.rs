//! Charging, reversing and expiring: where the payment, the provider and the waiting saga meet.
//!
//! Every function here may stop anywhere and be run again, by whoever: each reads the payment, does what its status calls for next, and writes on
//! condition that nobody was faster. What moves money at the provider carries a key of the payment's own.

use crate::{
    domain::{IntentId, Method, MethodToken, NotPayable, Payment, RefundWish, Status},
    events::RefundedBy,
    gateway::{Cancellation, Charge, GatewayError, Opened, PaymentGateway},
    store::{Instruction, PaymentStore},
};
use boxoffice_aws::{
    StoreError,
    transaction::{Attempt, ROUNDS, Written, until_current},
};
use boxoffice_kernel::{PaymentId, Timestamp, Trace};

/// Charges, reverses and expires payments.
#[derive(Debug, Clone)]
pub struct Cashier<G> {
    store: PaymentStore,
    gateway: G,
    saga: aws_sdk_sfn::Client,
}

/// Why a payment is not where it should be.
#[derive(Debug, thiserror::Error)]
pub enum CashierError {
    /// No such payment.
    #[error("there is no such payment")]
    NotFound,
    /// It cannot be paid (any more).
    #[error(transparent)]
    NotPayable(#[from] NotPayable),
    /// It has no money to give back.
    #[error("a payment that is {0} has nothing to refund")]
    NotRefundable(Status),
    /// The provider did not answer. The payment may be run again.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<G: PaymentGateway> Cashier<G> {
    /// A cashier for the payments of this store, with this provider, reporting to that saga.
    pub fn new(store: PaymentStore, gateway: G, saga: aws_sdk_sfn::Client) -> Self {
        Self { store, gateway, saga }
    }

    async fn load(&self, id: PaymentId) -> Result<Payment, CashierError> {
        self.store.get(id).await?.ok_or(CashierError::NotFound)
    }

    /// The buyer pays: charges the payment and tells the saga. The method is recorded as the charge begins; the one that was recorded before stands
    /// where none is named, and where an attempt under way is resumed.
    ///
    /// # Errors
    /// When the payment cannot be paid, or there is no answer; then paying again resumes.
    pub async fn pay(
        &self,
        id: PaymentId,
        method: Option<Method>,
        token: &MethodToken,
        trace: &Trace,
    ) -> Result<Payment, CashierError> {
        until_current(|| async {
            let payment = self.load(id).await?;
            let now = Timestamp::now();
            payment.may_be_paid(now)?;
            let started = if payment.status == Status::Processing {
                payment
            } else {
                let method = method.unwrap_or(payment.method);
                let Ok(started) = payment.start(method, now) else { return Ok(Attempt::Overtaken) };
                let instruction = Instruction { method, token: Some(token.clone()) };
                let written = self.store.advance(&payment, &started, Some(&instruction), RefundedBy::Saga, trace);
                if written.await? == Written::Stale {
                    return Ok(Attempt::Overtaken);
                }
                started
            };
            let settled = self.charge(started, trace).await?;
            self.tell(&settled).await;
            Ok::<_, CashierError>(Attempt::Done(settled))
        })
        .await
    }

    /// Charges a payment that is being charged, until it is settled one way or the other.
    ///
    /// # Errors
    /// When there is no answer; then running it again resumes.
    pub async fn charge(&self, mut payment: Payment, trace: &Trace) -> Result<Payment, CashierError> {
        for _ in 0..ROUNDS {
            if payment.status != Status::Processing {
                return Ok(payment);
            }
            let settled = match self.intent(&payment).await? {
                Opened::Declined { reason } => payment.fail(reason, Timestamp::now()),
                Opened::Intent(intent) => {
                    let charge = self.gateway.confirm(&payment, &intent).await?;
                    payment.intent = Some(intent);
                    match charge {
                        Charge::Succeeded => payment.succeed(Timestamp::now()),
                        Charge::Declined { reason } => payment.fail(reason, Timestamp::now()),
                        Charge::Cancelled => payment.expire("the payment was called off".into(), Timestamp::now()),
                    }
                }
            };
            if let Ok(settled) = settled
                && self.store.advance(&payment, &settled, None, RefundedBy::Saga, trace).await? == Written::Yes
            {
                return Ok(settled);
            }
            payment = self.load(payment.id).await?;
        }
        Err(overtaken().into())
    }

    /// The payment's intent, recorded before any money can move: opened now unless it is known. Opening it again, by the same key, finds the one
    /// that a crash kept from being recorded.
    async fn intent(&self, payment: &Payment) -> Result<Opened, CashierError> {
        if let Some(intent) = &payment.intent {
            return Ok(Opened::Intent(intent.clone()));
        }
        let instruction = self.store.instruction(payment.id).await?;
        let Some(token) = instruction.and_then(|instruction| instruction.token) else {
            // Settled in between, or it would be there.
            return Err(overtaken().into());
        };
        let opened = self.gateway.open(payment, &token).await?;
        if let Opened::Intent(intent) = &opened
            && self.store.remember_intent(payment, intent).await? == Written::Stale
        {
            return Err(overtaken().into());
        }
        Ok(opened)
    }

    /// Takes a payment back, whatever became of it: a pending one ends, one under way is called off or else given back, a charged one is given
    /// back. Where there is none yet, a void one takes its place, so that none can come afterwards.
    ///
    /// # Errors
    /// When there is no answer; then running it again resumes.
    pub async fn reverse(&self, void: Payment, reason: &str, trace: &Trace) -> Result<Payment, CashierError> {
        until_current(|| async {
            let Some(payment) = self.store.get(void.id).await? else {
                return Ok(Attempt::when(self.store.create(&void, trace).await?, void.clone()));
            };
            match payment.status {
                Status::Failed | Status::Expired | Status::Refunded => Ok::<_, CashierError>(Attempt::Done(payment)),
                Status::Success => self.give_back(&payment, reason, RefundedBy::Saga, trace).await,
                Status::Pending | Status::Processing => {
                    if let Attempt::Done(ended) = self.end(&payment, reason, trace).await? {
                        self.tell(&ended).await;
                    }
                    // Ended, charged after all, or moved by somebody else: look again at which.
                    Ok(Attempt::Overtaken)
                }
            }
        })
        .await
    }

    /// The hold has ended: ends a payment that nobody made, and asks the provider about one under way.
    ///
    /// # Errors
    /// When there is no answer; then running it again resumes.
    pub async fn expire(&self, id: PaymentId, trace: &Trace) -> Result<Payment, CashierError> {
        until_current(|| async {
            let payment = self.load(id).await?;
            if !matches!(payment.status, Status::Pending | Status::Processing) {
                return Ok(Attempt::Done(payment));
            }
            self.end(&payment, "HoldExpired", trace).await
        })
        .await
    }

    /// Ends a payment that is not settled. One that turns out to have been charged ends as charged.
    ///
    /// Without a recorded intent there is nothing to ask the provider about: only a recorded one is ever confirmed, and none can be
    /// recorded any more once this is written. So an outage of the provider does not keep a booking from being undone.
    async fn end(&self, payment: &Payment, reason: &str, trace: &Trace) -> Result<Attempt<Payment>, CashierError> {
        let ended = match (payment.status, &payment.intent) {
            (Status::Processing, Some(intent)) => match self.gateway.cancel(intent).await? {
                Cancellation::Cancelled => payment.expire(reason.to_owned(), Timestamp::now()),
                Cancellation::AlreadySucceeded => payment.succeed(Timestamp::now()),
            },
            _ => payment.expire(reason.to_owned(), Timestamp::now()),
        };
        let Ok(ended) = ended else { return Ok(Attempt::Overtaken) };
        let written = self.store.advance(payment, &ended, None, RefundedBy::Saga, trace).await?;
        Ok(Attempt::when(written, ended))
    }

    async fn give_back(
        &self,
        payment: &Payment,
        reason: &str,
        by: RefundedBy,
        trace: &Trace,
    ) -> Result<Attempt<Payment>, CashierError> {
        let intent: &IntentId = payment.intent.as_ref().ok_or_else(|| {
            StoreError::malformed("payment", "it was charged, but the provider's id for it is not recorded")
        })?;
        self.gateway.refund(payment, intent).await?;
        let Ok(refunded) = payment.refund(reason.to_owned(), Timestamp::now()) else { return Ok(Attempt::Overtaken) };
        let written = self.store.advance(payment, &refunded, None, by, trace).await?;
        Ok(Attempt::when(written, refunded))
    }

    /// Gives a payment back because somebody asked for it. That is written down first: once the provider has been asked the money may be gone, and
    /// whoever asked may never ask again.
    ///
    /// # Errors
    /// When it has no money to give back, or there is no answer; then asking again resumes, and so does reconcile.
    pub async fn refund(&self, id: PaymentId, reason: &str, trace: &Trace) -> Result<Payment, CashierError> {
        until_current(|| async {
            let payment = self.load(id).await?;
            if payment.status != Status::Success {
                return Err(CashierError::NotRefundable(payment.status));
            }
            if payment.refund_wish.is_none() {
                let wish = RefundWish { reason: reason.to_owned(), since: Timestamp::now() };
                if self.store.remember_refund_wish(id, &wish).await? == Written::Stale {
                    return Ok(Attempt::Overtaken);
                }
            }
            self.give_back(&payment, reason, RefundedBy::Request, trace).await
        })
        .await
    }

    /// Leaves word that the saga waits for this payment, or tells it at once what it waits for.
    ///
    /// # Errors
    /// When the store does.
    pub async fn wait_for(&self, id: PaymentId, task_token: &str) -> Result<(), CashierError> {
        if self.store.leave_word(id, task_token).await? == Written::Stale {
            let settled = self.load(id).await?;
            self.report(&settled, task_token).await;
        }
        Ok(())
    }

    /// Tells the waiting saga what became of its payment, if one waits. Word that gets lost is not lost for good: the saga looks for itself when
    /// the hold ends.
    async fn tell(&self, payment: &Payment) {
        match self.store.task_token(payment.id).await {
            Ok(Some(task_token)) => self.report(payment, &task_token).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, payment_id = %payment.id, "the waiting saga was not told"),
        }
    }

    async fn report(&self, payment: &Payment, task_token: &str) {
        let outcome = match payment.status {
            Status::Success => {
                let output = serde_json::json!({ "status": payment.status }).to_string();
                let sent = self.saga.send_task_success().task_token(task_token).output(output).send().await;
                sent.map(|_| ()).map_err(|error| aws_sdk_sfn::error::DisplayErrorContext(error).to_string())
            }
            Status::Failed | Status::Expired | Status::Refunded => {
                let name = if payment.status == Status::Failed { "PaymentDeclined" } else { "PaymentVoided" };
                let cause = payment.failure_reason.clone().unwrap_or_default();
                let sent = self.saga.send_task_failure().task_token(task_token).error(name).cause(cause).send().await;
                sent.map(|_| ()).map_err(|error| aws_sdk_sfn::error::DisplayErrorContext(error).to_string())
            }
            Status::Pending | Status::Processing => Ok(()),
        };
        if let Err(error) = outcome {
            // Its wait has ended, or Step Functions is out of reach; either way it looks for itself when the hold ends.
            tracing::info!(error, payment_id = %payment.id, "the waiting saga was not told");
        }
    }
}

fn overtaken() -> StoreError {
    StoreError::Unavailable("the payment was moved by someone else in between".into())
}
