//! A step's requests to the outside, one by one: to DynamoDB, to the payment provider, to Step Functions.
//!
//! Every client of a test's house is on this wire. A call that runs on a wire of its own has its requests counted, and one of them may meet a
//! mishap; a call that does not is left alone. Which call a request belongs to is known by the task that sends it.

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::HttpRequest,
    result::ConnectorError,
};
use std::{
    fmt,
    future::{Future, pending},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::sync::{Notify, Semaphore};

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

tokio::task_local! {
    static WIRE: Arc<Wire>;
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
    let Ok(wire) = WIRE.try_with(Arc::clone) else { return act.await };
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
        answer = WIRE.scope(Arc::clone(&wire), call) => Some(answer),
        () = wire.dead.notified() => None,
    };
    Ran { answer, met: wire.met() }
}

/// Runs a call, and another one, whole, while a request of the first, of all of them counted from 0, is held up. Should there be no such request, the other comes after it.
pub async fn overtaken<T, U>(at: usize, call: impl Future<Output = T>, other: impl Future<Output = U>) -> (Ran<T>, U) {
    let wire = Wire::new(at, Event::HeldUp);
    let mut call = pin!(WIRE.scope(Arc::clone(&wire), call));
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

/// The same configuration, with its requests on the wire.
pub fn on_the_wire(config: &SdkConfig) -> SdkConfig {
    let client = config.http_client().expect("a test's configuration names its HTTP client");
    let wired = http_client_fn(move |settings, components| {
        SharedHttpConnector::new(OnTheWire(client.http_connector(settings, components)))
    });
    config.clone().into_builder().http_client(wired).build()
}

#[derive(Debug)]
struct OnTheWire(SharedHttpConnector);

impl HttpConnector for OnTheWire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = self.0.clone();
        let operation = request.headers().get("x-amz-target").unwrap_or_default();
        let writes = !(operation.ends_with(".GetItem") || operation.ends_with(".Query"));
        HttpConnectorFuture::new(async move {
            let lost = || Err(ConnectorError::io("the answer got lost".into()));
            send(writes, connector.call(request), lost).await
        })
    }
}
