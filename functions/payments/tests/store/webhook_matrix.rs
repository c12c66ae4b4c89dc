//! The webhook's fault matrix: whatever becomes of the provider's events, money at the provider, the payment's state and what its events add up to agree at rest.
//!
//! Where true events arrive, they do it alone; where none does, reconcile asks. Two controls show that the matrix notices: a receiver that believes
//! what an event says, and one that marks an event as handled before its work is done.

use crate::{
    fixture::Desk,
    provider::{Call, Side},
    webhook,
};
use boxoffice_kernel::Timestamp;
use boxoffice_payments::{
    dispute,
    domain::{Payment, Status},
};
use boxoffice_runtime::Code;
use boxoffice_testing::{Database, for_each_dynamodb, trace};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Mutex};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Lost,
    Twice,
    BeforeTheAnswer,
    TenMinutesLate,
    Forged,
    OfAnotherAccount,
    OutOfOrder,
}

const FAULTS: [Fault; 7] = [
    Fault::Lost,
    Fault::Twice,
    Fault::BeforeTheAnswer,
    Fault::TenMinutesLate,
    Fault::Forged,
    Fault::OfAnotherAccount,
    Fault::OutOfOrder,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    Plain,
    RequiresAction,
    Abandoned,
    CompletedAfterExpiry,
    Refund,
    Dispute,
}

const ROWS: [Row; 6] =
    [Row::Plain, Row::RequiresAction, Row::Abandoned, Row::CompletedAfterExpiry, Row::Refund, Row::Dispute];

/// The function that hears of the provider's events.
#[derive(Debug)]
enum Receiver {
    Ours,
    /// Control: believes what an event says.
    Trusting,
    /// Control: marks an event as handled, then does the work; its retry does nothing.
    Forgetful(Mutex<BTreeSet<String>>),
}

impl Fault {
    /// Whether the provider's own events arrive.
    fn delivers(self) -> bool {
        !matches!(self, Self::Lost | Self::Forged | Self::OfAnotherAccount)
    }
}

fn event(id: usize, kind: &str, intent: &str) -> Value {
    let object = kind.rsplit_once('.').map_or(kind, |(object, _)| object);
    let about = if object == "payment_intent" {
        json!({ "object": object, "id": intent })
    } else {
        json!({ "object": object, "id": "obj_1", "payment_intent": intent })
    };
    json!({ "id": format!("evt_{id}"), "type": kind, "data": { "object": about } })
}

/// A cell of the matrix: a payment of its own at a provider of its own.
struct Cell<'a> {
    desk: Desk,
    database: &'a Database,
    payment: Payment,
    receiver: &'a Receiver,
}

impl Cell<'_> {
    async fn hear(&self, event: &Value, secret: &str) -> Result<u16, Code> {
        match self.receiver {
            Receiver::Ours => webhook::status(&self.desk, event, secret).await,
            Receiver::Trusting => {
                let payment = self.desk.stored(&self.payment).await;
                let now = Timestamp::now();
                let after = match event["type"].as_str().unwrap() {
                    "payment_intent.succeeded" => payment.succeed(now),
                    "payment_intent.canceled" => payment.expire("canceled".into(), now),
                    _ => return Ok(204),
                };
                if let Ok(after) = after {
                    self.desk.store.advance(&payment, &after, None, &trace()).await.unwrap();
                }
                Ok(204)
            }
            Receiver::Forgetful(handled) => {
                if !handled.lock().unwrap().insert(event["id"].to_string()) {
                    return Ok(204);
                }
                webhook::status(&self.desk, event, secret).await
            }
        }
    }

    /// Delivers an event, again and again until it is accepted, as the provider does.
    async fn deliver(&self, event: &Value) {
        for _ in 0..5 {
            if self.hear(event, "whsec_new").await == Ok(204) {
                return;
            }
        }
        panic!("{event} is never accepted");
    }

    async fn intent(&self) -> String {
        self.desk.stored(&self.payment).await.intent.unwrap().to_string()
    }

    /// Somebody says that the opposite has happened: with a guessed secret, and with a right one, as one who stole it might.
    async fn forge(&self, says: &str) {
        let lie = event(99, says, &self.intent().await);
        if matches!(self.receiver, Receiver::Ours) {
            assert_eq!(self.hear(&lie, "whsec_guessed").await, Err(Code::ValidationError));
        }
        self.deliver(&lie).await;
    }

    /// Has the buyer and the provider act, and gives the events that the provider has to tell of it.
    async fn happen(&self, fault: Fault, row: Row) -> Vec<Value> {
        let (desk, payment) = (&self.desk, &self.payment);
        let card = match row {
            Row::RequiresAction | Row::Abandoned => "pm_authenticates",
            Row::CompletedAfterExpiry => "pm_settles_later",
            _ => "pm_card",
        };
        if fault == Fault::BeforeTheAnswer && card == "pm_card" {
            let confirmed = desk.provider.hold_up(Call::Confirm, Side::After);
            let paying = tokio::spawn({
                let (desk, payment) = (desk.clone(), payment.clone());
                async move { desk.pay(&payment, card).await.map(drop).unwrap() }
            });
            confirmed.reached().await;
            self.deliver(&event(0, "payment_intent.succeeded", &self.intent().await)).await;
            confirmed.go();
            paying.await.unwrap();
        } else {
            desk.pay(payment, card).await.unwrap();
        }
        if fault == Fault::Forged {
            let is_open = matches!(row, Row::RequiresAction | Row::Abandoned | Row::CompletedAfterExpiry);
            self.forge(if is_open { "payment_intent.succeeded" } else { "payment_intent.canceled" }).await;
        }
        let payment = desk.stored(payment).await;
        let kinds: &[&str] = match row {
            Row::Plain => &["payment_intent.created", "payment_intent.succeeded"],
            Row::RequiresAction => {
                desk.provider.decide(&payment, true);
                &["payment_intent.requires_action", "payment_intent.succeeded"]
            }
            Row::Abandoned => &["payment_intent.created", "payment_intent.requires_action"],
            Row::CompletedAfterExpiry => {
                let unknown = desk.expire(&payment).await;
                assert!(unknown.is_err() || !matches!(self.receiver, Receiver::Ours), "{unknown:?}");
                desk.provider.decide(&payment, true);
                &["payment_intent.processing", "payment_intent.succeeded"]
            }
            Row::Refund => {
                assert!(desk.provider.refund_by_hand(&payment, 2000));
                &["payment_intent.succeeded", "refund.created", "charge.refunded"]
            }
            Row::Dispute => {
                desk.provider.dispute(&payment, 9980);
                desk.provider.close_disputes(dispute::State::Lost);
                &["payment_intent.succeeded", "charge.dispute.created", "charge.dispute.closed"]
            }
        };
        let intent = payment.intent.unwrap().to_string();
        kinds.iter().enumerate().map(|(id, kind)| event(id + 1, kind, &intent)).collect()
    }

    /// The end of the hold, and where no event could come reconcile.
    async fn come_to_rest(&self, row: Row, reconcile: bool) {
        if matches!(row, Row::Abandoned | Row::CompletedAfterExpiry) {
            self.desk.expire(&self.payment).await.unwrap();
        }
        if row == Row::CompletedAfterExpiry {
            // The seats went meanwhile, and the saga takes the booking back.
            self.desk.reverse(&self.payment).await.unwrap();
        }
        if reconcile {
            self.desk.cashier.settle_money(self.payment.id, &trace()).await.unwrap();
        }
    }

    /// How much is at the provider, by its state and by its events, in minor units.
    async fn money(&self) -> [i64; 3] {
        let whole = i64::try_from(self.payment.money.amount.minor()).unwrap();
        let minor = |minor: u64| i64::try_from(minor).unwrap();
        let stored = self.desk.stored(&self.payment).await;
        let at_provider = match &stored.intent {
            Some(intent) => {
                let charged = i64::from(self.desk.provider.money_moved().0) * whole;
                charged - minor(self.desk.provider.has_left(intent) + self.desk.provider.disputed(intent))
            }
            None => 0,
        };
        let by_state = match stored.status {
            Status::Success | Status::Refunded => whole - minor(stored.left_account() + stored.disputed()),
            _ => 0,
        };
        [at_provider, by_state, self.by_events().await]
    }

    async fn by_events(&self) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "cents")]
        let cents = |amount: &Value| (amount.as_f64().unwrap() * 100.0).round() as i64;
        let mut sum = 0;
        for event in self.database.events_of(self.payment.id).await {
            let data = event.data();
            sum += match event.event_type.as_str() {
                "PaymentCompleted" => cents(&data["amount"]),
                "PaymentRefundPending" => -cents(&data["refundAmount"]),
                "PaymentRefunded" | "PaymentPartlyRefunded" if data["paidFrom"] == "ACCOUNT" => {
                    -cents(&data["refundAmount"])
                }
                "PaymentRefundFailed" if data["cameBack"] == true => cents(&data["refundAmount"]),
                "PaymentDisputed" => -cents(&data["disputeAmount"]),
                "PaymentDisputeClosed" if data["outcome"] == "WON" => cents(&data["disputeAmount"]),
                _ => 0,
            };
        }
        sum
    }
}

/// The violation of a cell, in words.
async fn violation(database: &Database, receiver: &Receiver, fault: Fault, row: Row) -> Option<String> {
    let desk = Desk::new(database.clone());
    let payment = desk.pending().await;
    let cell = Cell { desk, database, payment, receiver };
    let mut events = cell.happen(fault, row).await;
    match fault {
        Fault::Lost | Fault::Forged => events.clear(),
        Fault::OfAnotherAccount => {
            for event in &mut events {
                event["account"] = json!("acct_another");
            }
        }
        Fault::OutOfOrder => events.reverse(),
        Fault::TenMinutesLate => cell.come_to_rest(row, false).await,
        Fault::Twice => {
            // So many looks get no answer, so that the provider repeats events.
            for _ in &events {
                cell.desk.provider.lose(Call::Look, Side::Before);
            }
            events = events.iter().flat_map(|event| [event.clone(), event.clone()]).collect();
        }
        Fault::BeforeTheAnswer => {}
    }
    for event in &events {
        cell.deliver(event).await;
    }
    cell.desk.provider.forget_mishaps();
    cell.come_to_rest(row, !fault.delivers()).await;
    let [at_provider, by_state, by_events] = cell.money().await;
    let status = cell.desk.status(&cell.payment).await;
    let agrees = at_provider == by_state && at_provider == by_events;
    let rests = !matches!(status, Status::Pending | Status::Processing);
    (!agrees || !rests).then(|| {
        format!(
            "{fault:?} × {row:?}: {status}, {at_provider} at the provider, {by_state} by state, {by_events} by events"
        )
    })
}

async fn violations(database: &Database, receiver: &Receiver, faults: &[Fault]) -> Vec<String> {
    let mut found = Vec::new();
    for fault in faults {
        for row in ROWS {
            found.extend(violation(database, receiver, *fault, row).await);
        }
    }
    found
}

#[tokio::test]
async fn a_payment_and_its_money_agree_under_every_webhook_fault() {
    for_each_dynamodb(|database| async move {
        let found = violations(&database, &Receiver::Ours, &FAULTS).await;
        assert!(found.is_empty(), "{found:#?}");
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_believes_events_is_caught() {
    for_each_dynamodb(|database| async move {
        let caught = violation(&database, &Receiver::Trusting, Fault::Forged, Row::Abandoned).await;
        assert!(caught.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_marks_an_event_before_its_work_is_caught() {
    for_each_dynamodb(|database| async move {
        let receiver = Receiver::Forgetful(Mutex::default());
        let caught = violation(&database, &receiver, Fault::Twice, Row::Refund).await;
        assert!(caught.is_some());
    })
    .await;
}
