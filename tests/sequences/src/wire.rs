//! A step's requests to the outside, one by one: to DynamoDB, to the payment provider, to Step Functions.
//!
//! Every client of a test's house is on this wire. A call that runs on a wire of its own has its requests counted, and one of them may meet a
//! mishap; or each of them waits until it is let go ([`Gated`]). Any other call is left alone. The scope that a request is sent in tells which call it belongs to.

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::HttpRequest,
    result::ConnectorError,
};
use aws_smithy_types::byte_stream::ByteStream;
use serde_json::Value;
use std::{
    collections::HashSet,
    fmt,
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};
use tokio::sync::{Notify, Semaphore, oneshot};

/// The fate of one request that may write. A read is never in doubt: to die before it is to have died after the write before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// The process dies before it is sent.
    DiesBefore,
    /// It arrives, and the process dies before its answer comes.
    DiesAfter,
    /// It arrives, and its answer gets lost; the process lives, and tries again or gives up as it sees fit.
    AnswerLost,
    /// It never arrives; the process lives.
    Unreachable,
}

impl fmt::Display for Mishap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DiesBefore => "dies before sending",
            Self::DiesAfter => "dies after sending",
            Self::AnswerLost => "loses the answer to",
            Self::Unreachable => "fails to send",
        })
    }
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Mishap(Mishap),
    HeldUp,
}

/// One call's requests.
#[derive(Debug)]
struct Wire {
    sent: AtomicUsize,
    at: usize,
    event: Event,
    met: AtomicBool,
    dead: Notify,
    reached: Semaphore,
    go: Semaphore,
}

/// The requests of a call that each wait until they are let go.
#[derive(Debug, Default)]
struct Gates {
    waiting: Mutex<Vec<Waiting>>,
    going: AtomicUsize,
    is_dead: AtomicBool,
}

#[derive(Debug)]
struct Waiting {
    writes: bool,
    go: oneshot::Sender<Option<Mishap>>,
}

#[derive(Debug, Clone)]
enum Scope {
    One(Arc<Wire>),
    Every(Arc<Gates>),
}

tokio::task_local! {
    static WIRE: Scope;
}

impl Wire {
    fn new(at: usize, event: Event) -> Arc<Self> {
        Arc::new(Self {
            sent: AtomicUsize::new(0),
            at,
            event,
            met: AtomicBool::new(false),
            dead: Notify::new(),
            reached: Semaphore::new(0),
            go: Semaphore::new(0),
        })
    }

    fn met(&self) -> bool {
        self.met.load(Ordering::SeqCst)
    }
}

/// A request on its way: `act` sends it, and `lost` is what its sender sees when no answer comes.
pub(crate) async fn send<T>(writes: bool, act: impl Future<Output = T>, lost: impl FnOnce() -> T) -> T {
    let wire = match WIRE.try_with(Scope::clone) {
        Ok(Scope::One(wire)) => wire,
        Ok(Scope::Every(gates)) => return gates.send(writes, act, lost).await,
        Err(_) => return act.await,
    };
    let counts = writes || matches!(wire.event, Event::HeldUp);
    if !counts || wire.sent.fetch_add(1, Ordering::SeqCst) != wire.at {
        return act.await;
    }
    wire.met.store(true, Ordering::SeqCst);
    match wire.event {
        Event::Mishap(Mishap::DiesBefore) => wire.dead.notify_one(),
        Event::Mishap(Mishap::DiesAfter) => {
            act.await;
            wire.dead.notify_one();
        }
        Event::Mishap(Mishap::AnswerLost) => {
            act.await;
            return lost();
        }
        Event::Mishap(Mishap::Unreachable) => return lost(),
        Event::HeldUp => {
            wire.reached.add_permits(1);
            wire.go.acquire().await.expect("a semaphore that is never closed").forget();
            return act.await;
        }
    }
    // A dead process does nothing more: whoever runs the call drops it.
    pending().await
}

/// The outcome of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ran<T> {
    /// Its answer; none when its process died.
    pub answer: Option<T>,
    /// Whether the request that was to meet something was sent at all.
    pub met: bool,
}

/// Runs a call of which one request that may write, counted from 0, meets a mishap.
pub async fn mishap<T>(at: usize, mishap: Mishap, call: impl Future<Output = T>) -> Ran<T> {
    let wire = Wire::new(at, Event::Mishap(mishap));
    let answer = tokio::select! {
        answer = WIRE.scope(Scope::One(Arc::clone(&wire)), call) => Some(answer),
        () = wire.dead.notified() => None,
    };
    Ran { answer, met: wire.met() }
}

/// Runs a call, and another one, whole, while a request of the first, of all of them counted from 0, is held up. Should there be no such request, the other comes after it.
pub async fn overtaken<T, U>(at: usize, call: impl Future<Output = T>, other: impl Future<Output = U>) -> (Ran<T>, U) {
    let wire = Wire::new(at, Event::HeldUp);
    let mut call = pin!(WIRE.scope(Scope::One(Arc::clone(&wire)), call));
    let early = tokio::select! {
        answer = &mut call => Some(answer),
        reached = wire.reached.acquire() => {
            reached.expect("a semaphore that is never closed").forget();
            None
        }
    };
    let overtaking = other.await;
    wire.go.add_permits(1);
    let answer = match early {
        Some(answer) => answer,
        None => call.await,
    };
    (Ran { answer: Some(answer), met: wire.met() }, overtaking)
}

impl Gates {
    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        let mut waiting = self.waiting.lock().expect("a test that has not panicked");
        // A call that gives up one of its requests drops it.
        waiting.retain(|request| !request.go.is_closed());
        waiting
    }

    async fn send<T>(&self, writes: bool, act: impl Future<Output = T>, lost: impl FnOnce() -> T) -> T {
        let (go, goes) = oneshot::channel();
        self.waiting().push(Waiting { writes, go });
        let answer = match goes.await {
            Ok(None) => act.await,
            Ok(Some(Mishap::AnswerLost)) => {
                act.await;
                lost()
            }
            Ok(Some(Mishap::Unreachable)) => lost(),
            Ok(Some(Mishap::DiesAfter)) => {
                act.await;
                return self.dies().await;
            }
            Ok(Some(Mishap::DiesBefore)) | Err(_) => return self.dies().await,
        };
        self.going.fetch_sub(1, Ordering::SeqCst);
        answer
    }

    async fn dies<T>(&self) -> T {
        self.is_dead.store(true, Ordering::SeqCst);
        // A dead process does nothing more: the caller drops it.
        pending().await
    }
}

/// Why a call does not go on.
#[derive(Debug)]
pub(crate) enum Stop<T> {
    /// Each request that it has sent waits.
    Waits,
    /// It has ended, with this answer.
    Answers(T),
    /// Its process died.
    Died,
}

/// A call whose every request waits until it is let go.
pub(crate) struct Gated<'a, T> {
    gates: Arc<Gates>,
    call: Pin<Box<dyn Future<Output = T> + 'a>>,
}

impl<'a, T> Gated<'a, T> {
    /// The call before its first request.
    pub(crate) fn new(call: impl Future<Output = T> + 'a) -> Self {
        let gates = Arc::<Gates>::default();
        let call = Box::pin(WIRE.scope(Scope::Every(Arc::clone(&gates)), call));
        Self { gates, call }
    }

    /// How many of its requests wait.
    pub(crate) fn waiting(&self) -> usize {
        self.gates.waiting().len()
    }

    /// The places of those that only read.
    pub(crate) fn reads(&self) -> Vec<usize> {
        let waiting = self.gates.waiting();
        let reads = waiting.iter().enumerate().filter(|(_, request)| !request.writes);
        reads.map(|(place, _)| place).collect()
    }

    /// Lets the request at this place go, to its end or into a mishap.
    pub(crate) fn let_go(&self, place: usize, mishap: Option<Mishap>) {
        let request = self.gates.waiting().remove(place);
        self.gates.going.fetch_add(1, Ordering::SeqCst);
        request.go.send(mishap).expect("a request that waits");
    }

    /// Goes on until it has ended, or each request that it has sent waits.
    pub(crate) async fn goes_on(&mut self) -> Stop<T> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Stop<T>> {
        if let Poll::Ready(answer) = self.call.as_mut().poll(context) {
            return Poll::Ready(Stop::Answers(answer));
        }
        if self.gates.is_dead.load(Ordering::SeqCst) {
            return Poll::Ready(Stop::Died);
        }
        if self.gates.going.load(Ordering::SeqCst) == 0 && self.waiting() > 0 {
            return Poll::Ready(Stop::Waits);
        }
        Poll::Pending
    }
}

/// The events that were stored by requests on the wire, in the order of their transactions: what the event store's stream tells.
#[derive(Debug, Clone, Default)]
pub struct Stream(Arc<Mutex<Stored>>);

#[derive(Debug, Default)]
struct Stored {
    events: Vec<Value>,
    known: HashSet<(String, String)>,
}

impl Stream {
    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.0.lock().expect("a test that has not panicked")
    }

    /// All of them from this place on.
    pub fn since(&self, place: usize) -> Vec<Value> {
        self.stored().events.iter().skip(place).cloned().collect()
    }

    /// A transaction was written, now or, should this be its repetition, before.
    fn written(&self, transaction: &[u8], table: &str) {
        let transaction: Value = serde_json::from_slice(transaction).unwrap_or_default();
        for item in transaction.get("TransactItems").and_then(Value::as_array).into_iter().flatten() {
            let Some(put) = item.get("Put").filter(|put| put.get("TableName") == Some(&Value::from(table))) else {
                continue;
            };
            let text = |pointer| put.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            let key = (text("/Item/aggregateId/S"), text("/Item/aggregateVersion/N"));
            let mut stored = self.stored();
            if stored.known.insert(key) {
                stored.events.push(serde_json::from_str(&text("/Item/detail/S")).expect("an event's detail is JSON"));
            }
        }
    }
}

/// The same configuration, with its requests on the wire; the events that they store in this table are told to the stream.
pub fn on_the_wire(config: &SdkConfig, events: &str, stream: &Stream) -> SdkConfig {
    let client = config.http_client().expect("a test's configuration names its HTTP client");
    let (events, stream) = (events.to_owned(), stream.clone());
    let wired = http_client_fn(move |settings, components| {
        let connector = client.http_connector(settings, components);
        SharedHttpConnector::new(OnTheWire { connector, events: events.clone(), stream: stream.clone() })
    });
    config.clone().into_builder().http_client(wired).build()
}

#[derive(Debug)]
struct OnTheWire {
    connector: SharedHttpConnector,
    events: String,
    stream: Stream,
}

impl HttpConnector for OnTheWire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (connector, events, stream) = (self.connector.clone(), self.events.clone(), self.stream.clone());
        let operation = request.headers().get("x-amz-target").unwrap_or_default();
        let writes = !(operation.ends_with(".GetItem") || operation.ends_with(".Query"));
        let transaction =
            operation.ends_with(".TransactWriteItems").then(|| request.body().bytes().map(<[u8]>::to_vec));
        HttpConnectorFuture::new(async move {
            let act = async {
                let mut response = connector.call(request).await?;
                // With its body, so that nothing of a request is left to come once it has gone to its end.
                let body = ByteStream::new(response.take_body()).collect().await;
                let body = body.map_err(|error| ConnectorError::io(error.into()))?.into_bytes();
                *response.body_mut() = body.into();
                if let (Some(Some(transaction)), true) = (transaction, response.status().is_success()) {
                    stream.written(&transaction, &events);
                }
                Ok(response)
            };
            let lost = || Err(ConnectorError::io("the answer got lost".into()));
            send(writes, act, lost).await
        })
    }
}
