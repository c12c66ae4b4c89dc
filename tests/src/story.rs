//! Shows, bookings and what becomes of them: the words that tests are written in.
//!
//! ```text
//! let house = BoxOffice::open().await?;
//! let show = house.show(10).await?;
//! let booking = show.order(2).paid_with(Card::Good).booked().await?;
//! booking.until_confirmed().await?;
//! assert_eq!(show.seats().await?, Seats { available: 8, held: 0, sold: 2 });
//! ```

use crate::{
    BoxOffice, Failure, Outcome, ensure,
    http::{Reply, Request},
    model::{
        Cents, Inventory, NextAction, Notification, NotificationStatus, Payment, PaymentStatus, Saga, SagaStatus,
        Seats, Ticket, TicketStatus,
    },
    people::Person,
    provider::Money,
    transcript::History,
    wait::{AFTER_ALL_RETRIES, Look, SOON, until},
};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A name that nobody has used before: tests run beside each other and again.
pub fn fresh(what: &str) -> String {
    format!("{what}-{}", uuid::Uuid::now_v7().simple())
}

/// An id of this kind, of something that does not exist.
pub fn fresh_id(prefix: &str) -> String {
    format!("{prefix}_{}", uuid::Uuid::now_v7().simple())
}

/// A number below this one that a test beside or after this one hardly has too.
pub fn random(below: u32) -> u32 {
    // The last 32 bits of a UUIDv7 are random.
    let [.., a, b, c, d] = uuid::Uuid::now_v7().into_bytes();
    u32::from_be_bytes([a, b, c, d]) % below
}

/// So many days from now, as the API spells instants.
pub fn in_days(days: i64) -> String {
    from_now(time::Duration::days(days))
}

/// So many seconds from now.
pub fn in_seconds(seconds: i64) -> String {
    from_now(time::Duration::seconds(seconds))
}

fn from_now(duration: time::Duration) -> String {
    let instant = OffsetDateTime::now_utc().saturating_add(duration);
    // Formatting fails only for years beyond 9999.
    instant.replace_nanosecond(0).unwrap_or(instant).format(&Rfc3339).unwrap_or_default()
}

/// A card, by how it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Card {
    /// Is charged.
    Good,
    /// Is declined.
    Declined,
    /// Is declined in other ways, each another card.
    DeclinedToo(u8),
    /// Asks its holder to confirm at the bank that it is they who pay.
    AsksForAction,
}

impl Card {
    /// Stripe's test payment method that behaves so.
    pub fn token(self) -> &'static str {
        match self {
            Self::Good => "pm_card_visa",
            Self::Declined => "pm_card_chargeDeclined",
            Self::DeclinedToo(0) => "pm_card_chargeDeclinedInsufficientFunds",
            Self::DeclinedToo(1) => "pm_card_chargeDeclinedExpiredCard",
            Self::DeclinedToo(2) => "pm_card_chargeDeclinedIncorrectCvc",
            Self::DeclinedToo(_) => "pm_card_chargeDeclinedProcessingError",
            Self::AsksForAction => "pm_card_threeDSecure2Required",
        }
    }
}

/// A JSON object to be sent, of which a test changes the one field it is about.
#[derive(Debug, Clone)]
pub struct Body(Map<String, Value>);

impl Body {
    /// A body with these fields.
    pub fn of(fields: Value) -> Self {
        match fields {
            Value::Object(fields) => Self(fields),
            _ => Self(Map::new()),
        }
    }

    /// The request that puts such an event on sale, with limits that are in nobody's way.
    pub fn show(seats: u32) -> Self {
        Self::of(json!({
            "eventName": fresh("Show"), "eventDate": in_days(30), "totalSeats": seats,
            "price": 49.90, "currency": "EUR", "location": "Concert Hall, Vienna",
            "maxPerOrder": 60, "maxHeldPerBuyer": 1_000_000, "maxPerBuyer": 1_000_000,
        }))
    }

    /// The request that registers somebody whom nobody knows yet.
    pub fn user() -> Self {
        let username = fresh("buyer");
        Self::of(json!({
            "username": username, "email": format!("{username}@example.org"), "password": fresh("a secret"),
            "firstName": "Robin", "lastName": "Buyer",
        }))
    }

    /// A field's text.
    pub fn text(&self, field: &str) -> String {
        self.0.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// The same with this field.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0.insert(field.to_owned(), value.into());
        self
    }

    /// The same without this field.
    #[must_use]
    pub fn without(mut self, field: &str) -> Self {
        self.0.remove(field);
        self
    }

    /// To be sent.
    pub fn json(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

/// An event on sale.
#[derive(Debug, Clone)]
pub struct Show {
    house: BoxOffice,
    /// As it was when it went on sale.
    pub inventory: Inventory,
}

impl BoxOffice {
    /// Puts a new event on sale, with so many seats at 49.90 EUR.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn show(&self, seats: u32) -> Outcome<Show> {
        self.show_with(&Body::show(seats)).await
    }

    /// Puts a new event on sale.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn show_with(&self, body: &Body) -> Outcome<Show> {
        let inventory: Inventory = self.manager.post_inventory(&body.json()).send().await?.answer(201)?;
        Ok(Show { house: self.clone(), inventory })
    }
}

impl Show {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.inventory.id
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.inventory.event_name
    }

    /// As it is now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn now(&self) -> Outcome<Inventory> {
        self.house.api.inventory(self.id()).await
    }

    /// Where its seats are now; they always add up.
    ///
    /// # Errors
    /// When they do not.
    pub async fn seats(&self) -> Outcome<Seats> {
        let now = self.now().await?;
        let seats = Seats { available: now.available_seats, held: now.held_seats, sold: now.sold_seats };
        ensure!(
            seats.total() == now.total_seats,
            "the seats of {} do not add up: {} total is not {seats}",
            self.id(),
            now.total_seats
        );
        Ok(seats)
    }

    /// The test's own buyer's order for so many seats, to be paid later unless said otherwise.
    pub fn order(&self, quantity: u32) -> Order {
        self.order_of(&self.house.buyer, quantity)
    }

    /// Somebody's order for so many seats.
    pub fn order_of(&self, buyer: &Person, quantity: u32) -> Order {
        let body = json!({ "inventoryId": self.id(), "quantity": quantity });
        Order { house: self.house.clone(), buyer: buyer.clone(), body: Body::of(body), key: fresh("order") }
    }
}

impl BoxOffice {
    /// Somebody shows that they read the mail of their address: of the one that waits to be theirs, or of the one they registered with.
    ///
    /// # Errors
    /// When no mail comes, or its token is refused.
    pub async fn verified_at(&self, person: &Person, email: &str) -> Outcome<()> {
        person.post("/users/me/email-verification").send().await?.with_status(204)?;
        let mail = self.mailbox.until_mailed_about(email, "Verify your email address").await?;
        let token = mail.body_text.lines().find(|line| line.len() == 43).unwrap_or_default();
        self.api.post("/users/email-verification").json(&json!({ "token": token })).send().await?.with_status(204)?;
        Ok(())
    }

    /// Somebody shows that they read the mail of the address they registered with: only then are messages sent there.
    ///
    /// # Errors
    /// As [`Self::verified_at`].
    pub async fn verified(&self, person: &Person) -> Outcome<()> {
        self.verified_at(person, person.email()).await
    }

    /// Somebody shows that they read the text messages to this number.
    ///
    /// # Errors
    /// When no message comes, or its token is refused.
    pub async fn verified_by_phone(&self, person: &Person, phone: &str) -> Outcome<()> {
        person.post("/users/me/phone-verification").send().await?.with_status(204)?;
        let text = until(format_args!("a text message has come to {phone}"), SOON, async || {
            let texts = self.mailbox.texts_to(phone).await?;
            Ok(Look::done_if(!texts.is_empty(), texts))
        })
        .await?;
        let token = text.iter().find_map(|text| text.split_whitespace().find(|word| word.len() == 12));
        let body = json!({ "token": token.unwrap_or_default() });
        self.api.post("/users/phone-verification").json(&body).send().await?.with_status(204)?;
        Ok(())
    }

    /// Waits until so many messages to this person are settled, and shows them, the newest first.
    ///
    /// # Errors
    /// When they never are.
    pub async fn until_notified(&self, person: &Person, times: usize) -> Outcome<Vec<Notification>> {
        until(format_args!("{times} messages to {} are settled", person.id()), SOON, async || {
            let all = person.notifications_of(person.id()).await?;
            let settled = all.iter().filter(|message| message.status != NotificationStatus::Pending).count();
            Ok(Look::done_if(settled >= times, all))
        })
        .await
    }
}

/// An order that a buyer is about to send.
#[derive(Debug, Clone)]
#[must_use]
pub struct Order {
    house: BoxOffice,
    /// The buyer.
    pub buyer: Person,
    /// The body.
    pub body: Body,
    /// The idempotency key.
    pub key: String,
}

impl Order {
    /// To be charged to this card at once.
    pub fn paid_with(self, card: Card) -> Self {
        self.with("paymentMethodToken", card.token())
    }

    /// With this field.
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.body = self.body.with(field, value);
        self
    }

    /// Without this field.
    pub fn without(mut self, field: &str) -> Self {
        self.body = self.body.without(field);
        self
    }

    /// The request this makes.
    pub fn request(&self) -> Request {
        self.buyer.post_ticket(&self.key, &self.body.json())
    }

    /// Sends it, whatever comes back.
    ///
    /// # Errors
    /// When nothing comes back.
    pub async fn sent(&self) -> Outcome<Reply> {
        self.request().send().await
    }

    /// The answer to the order, retried under its own key while the platform answers 502, 503 or 504: the API asks its clients to do so, and a
    /// laptop that is asked 200 things at once needs it.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn answered(&self) -> Outcome<Reply> {
        let deadline = Instant::now() + AFTER_ALL_RETRIES;
        loop {
            let reply = self.sent().await?;
            if !matches!(reply.status, 502..=504) || Instant::now() > deadline {
                return Ok(reply);
            }
            // As its Retry-After says.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Sends it, and gets a ticket.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn booked(&self) -> Outcome<Booking> {
        self.got(&self.sent().await?)
    }

    /// The booking that this reply says was made.
    ///
    /// # Errors
    /// When it is a refusal.
    pub fn got(&self, reply: &Reply) -> Outcome<Booking> {
        Ok(Booking { house: self.house.clone(), buyer: self.buyer.clone(), ticket: reply.answer(201)? })
    }
}

/// A ticket and all that belongs to it.
#[derive(Debug, Clone)]
pub struct Booking {
    house: BoxOffice,
    /// The owner, who also asks after it.
    pub buyer: Person,
    /// The ticket as it was when it was booked.
    pub ticket: Ticket,
}

impl Booking {
    /// The ticket's id.
    pub fn id(&self) -> &str {
        &self.ticket.id
    }

    /// The payment's id.
    pub fn payment_id(&self) -> &str {
        &self.ticket.payment_id
    }

    /// The reservation's id, which follows from the ticket's.
    pub fn reservation_id(&self) -> String {
        self.id().replacen("tkt_", "rsv_", 1)
    }

    /// The ticket as it is now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn now(&self) -> Outcome<Ticket> {
        self.buyer.ticket(self.id()).await
    }

    /// The payment as it is now.
    ///
    /// # Errors
    /// When it cannot be read, or is not there yet.
    pub async fn payment(&self) -> Outcome<Payment> {
        self.buyer.payment(self.payment_id()).await
    }

    /// The saga as it is now.
    ///
    /// # Errors
    /// When it cannot be read, or is not there yet.
    pub async fn saga(&self) -> Outcome<Saga> {
        self.buyer.saga(self.id()).await
    }

    /// The stored events of the booking.
    ///
    /// # Errors
    /// When it cannot be read, or an event breaks its contract.
    pub async fn history(&self) -> Outcome<History> {
        History::read(&self.house, self.id(), &self.reservation_id(), self.payment_id()).await
    }

    /// The amounts that the provider charged and gave back for it.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub async fn money(&self) -> Outcome<Money> {
        self.house.provider()?.money(self.id()).await
    }

    /// The buyer pays.
    ///
    /// # Errors
    /// When nothing comes back.
    pub async fn pay(&self, card: Card) -> Outcome<Reply> {
        self.buyer.process(self.payment_id(), card.token()).send().await
    }

    /// The buyer tries one declined card after another, until the payment has failed and the booking is undone.
    ///
    /// # Errors
    /// When a card is not declined, or the booking goes on.
    pub async fn declined_for_good(&self) -> Outcome<()> {
        self.until_awaited().await?;
        for card in [Card::Declined].into_iter().chain((0..4).map(Card::DeclinedToo)) {
            self.pay(card).await?.refusal(402, "PAYMENT_DECLINED")?;
        }
        self.until_cancelled("PAYMENT_DECLINED").await?;
        Ok(())
    }

    /// Waits for the act that the buyer owes before the payment can succeed: a visit to the page of their bank.
    ///
    /// # Errors
    /// When nothing is asked of them.
    pub async fn until_asked_for_action(&self) -> Outcome<NextAction> {
        until(format_args!("the buyer of {} is asked to authenticate", self.id()), SOON, async || {
            let found = self.payment().await.ok().and_then(|payment| payment.next_action);
            Ok(found.map_or_else(|| Look::NotYet("no action".into()), Look::Done))
        })
        .await
    }

    /// The buyer is through with their bank's page.
    ///
    /// # Errors
    /// When the provider waits for nothing.
    pub async fn authenticates(&self, succeeds: bool) -> Outcome<()> {
        self.house.provider()?.authenticate(self.id(), succeeds).await
    }

    /// The buyer comes back from their bank's page, and asks how it went.
    ///
    /// # Errors
    /// When nothing comes back.
    pub async fn comes_back(&self) -> Outcome<Reply> {
        let path = format!("/payments/{}/process", self.payment_id());
        self.buyer.post(&path).json(&json!({})).send().await
    }

    /// The buyer cancels.
    ///
    /// # Errors
    /// When nothing comes back.
    pub async fn cancel(&self) -> Outcome<Reply> {
        self.buyer.cancel(self.id()).send().await
    }

    /// Waits until the saga waits for the buyer, and gives the payment. The buyer may pay before that.
    ///
    /// # Errors
    /// When the saga never does.
    pub async fn until_awaited(&self) -> Outcome<Payment> {
        until(format_args!("the saga of {} waits for its buyer", self.id()), SOON, async || {
            let Some(saga) = self.saga_if_any().await? else { return Ok(Look::NotYet("no saga".into())) };
            Ok(Look::done_if(saga.step("await-payment").is_some(), saga))
        })
        .await?;
        self.payment().await
    }

    async fn saga_if_any(&self) -> Outcome<Option<Saga>> {
        let reply = self.buyer.get(&format!("/sagas/{}", self.id())).send().await?;
        if reply.status == 404 { Ok(None) } else { reply.answer(200).map(Some) }
    }

    /// Waits until the saga has this status.
    ///
    /// # Errors
    /// When it never has.
    pub async fn until_saga_is(&self, status: SagaStatus, within: Duration) -> Outcome<Saga> {
        until(format_args!("the saga of {} is {status:?}", self.id()), within, async || {
            let Some(saga) = self.saga_if_any().await? else { return Ok(Look::NotYet("no saga".into())) };
            Ok(Look::done_if(saga.status == status, saga))
        })
        .await
    }

    /// Waits until the ticket is no longer pending and its saga has ended, or until it is an operator's case.
    ///
    /// # Errors
    /// When that never happens.
    pub async fn until_settled(&self, within: Duration) -> Outcome<(Ticket, Saga)> {
        until(format_args!("{} is settled", self.id()), within, async || {
            let ticket = self.now().await?;
            let Some(saga) = self.saga_if_any().await? else { return Ok(Look::NotYet("no saga".into())) };
            let settled = match saga.status {
                SagaStatus::NeedsAttention => true,
                SagaStatus::Completed | SagaStatus::Compensated => ticket.status != TicketStatus::Pending,
                SagaStatus::Started | SagaStatus::InProgress | SagaStatus::Compensating => false,
            };
            Ok(Look::done_if(settled, (ticket, saga)))
        })
        .await
    }

    /// Waits until the ticket is confirmed, and sees that it is paid: once, in full, and not given back.
    ///
    /// # Errors
    /// When it is not so.
    pub async fn until_confirmed(&self) -> Outcome<Ticket> {
        let (ticket, saga) = self.until_settled(AFTER_ALL_RETRIES).await?;
        let (id, steps) = (self.id(), saga.transcript());
        ensure!(
            (ticket.status, saga.status) == (TicketStatus::Confirmed, SagaStatus::Completed),
            "{id} should be confirmed; it is {:?} ({:?}), its saga {:?}:\n{steps}",
            ticket.status,
            ticket.cancellation_reason,
            saga.status
        );
        self.check_money().await?;
        Ok(ticket)
    }

    /// Waits until the ticket is cancelled for this reason, and sees that no money is left behind.
    ///
    /// # Errors
    /// When it is not so.
    pub async fn until_cancelled(&self, reason: &str) -> Outcome<Ticket> {
        let id = self.id();
        let ticket = until(format_args!("{id} is cancelled and its saga ended"), AFTER_ALL_RETRIES, async || {
            let ticket = self.now().await?;
            let Some(saga) = self.saga_if_any().await? else { return Ok(Look::NotYet("no saga".into())) };
            match (ticket.status, saga.status) {
                (TicketStatus::Cancelled, SagaStatus::Compensated) => Ok(Look::Done(ticket)),
                (status, SagaStatus::NeedsAttention) => {
                    let steps = saga.transcript();
                    Err(Failure::new(format!("{id} is {status:?}, and its saga needs attention:\n{steps}")))
                }
                (status, saga) => Ok(Look::NotYet(format!("the ticket is {status:?}, the saga {saga:?}"))),
            }
        })
        .await?;
        let told = ticket.cancellation_reason.as_deref();
        ensure!(told == Some(reason), "{id} should be cancelled for {reason}; it says {told:?}");
        self.check_money().await?;
        Ok(ticket)
    }

    /// The rule of the whole: a confirmed ticket is paid, once and in full; a cancelled one has no money of the buyer.
    ///
    /// # Errors
    /// When the rule is broken.
    pub async fn check_money(&self) -> Outcome<()> {
        let (id, ticket) = (self.id(), self.now().await?);
        let status = self.payment().await?.status;
        let provider = self.house.provider()?;
        let (money, charges) = (provider.money(id).await?, provider.charges(id).await?);
        match ticket.status {
            TicketStatus::Confirmed | TicketStatus::Completed => {
                ensure!(status == PaymentStatus::Success, "{id} is confirmed, its payment {status:?}");
                let Cents(price) = ticket.total_amount;
                ensure!(
                    money == (Money { charged: price, refunded: 0 }) && charges == 1,
                    "{id} is confirmed for {price} cents; the provider says {money:?} in {charges} charges"
                );
            }
            TicketStatus::Cancelled => {
                use PaymentStatus::{Expired, Failed, Refunded};
                ensure!(matches!(status, Failed | Refunded | Expired), "{id} is cancelled, its payment {status:?}");
                ensure!(
                    money.charged == money.refunded && charges <= 1,
                    "{id} is cancelled; the provider says {money:?} in {charges} charges"
                );
                let refunded = status == Refunded;
                ensure!(
                    refunded == (money.refunded > 0),
                    "{id}: its payment is {status:?}, the provider says {money:?}"
                );
            }
            TicketStatus::Pending => return Err(Failure::new(format!("{id} is still pending"))),
        }
        Ok(())
    }
}
