//! The circuit breaker that every instance shares: AP-38 and AP-39, and the gateway behind it.

use crate::{
    fixture::{card, pending, store},
    provider::{Call, Provider, Side},
};
use boxoffice_kernel::{Actor, Timestamp};
use boxoffice_payments::{
    breaker::{Breaker, Settings},
    events::RefundedBy,
    gateway::{CalledOff, Cancellation, Charge, GatewayError, Opened, PaymentGateway, Returned},
    guarded::Guarded,
    refund::Refund,
    timed::Timed,
};
use boxoffice_runtime::Metrics;
use boxoffice_testing::{Database, for_each_dynamodb};
use std::time::Duration;

const SETTINGS: Settings = Settings { window: 4, failure_percent: 50, open_seconds: 1, trials: 2 };

fn guarded(database: &Database, provider: &Provider) -> Guarded<Provider> {
    Guarded::new(provider.clone(), store(database), SETTINGS)
}

async fn open(gateway: &impl PaymentGateway) -> Result<Opened, GatewayError> {
    gateway.open(&pending(), &card("pm_card")).await
}

async fn fail(gateway: &impl PaymentGateway, provider: &Provider) {
    provider.lose(Call::Open, Side::Before);
    assert!(matches!(open(gateway).await, Err(GatewayError::Unavailable(_))));
}

#[tokio::test]
async fn a_breaker_nobody_wrote_is_closed() {
    for_each_dynamodb(|database| async move {
        assert_eq!(store(&database).breaker().await.unwrap(), (Breaker::default(), 0));
    })
    .await;
}

#[tokio::test]
async fn the_breaker_is_read_as_it_was_written_in_each_of_its_states() {
    for_each_dynamodb(|database| async move {
        let (store, until) = (store(&database), Timestamp::now());
        let states = [
            Breaker::Closed { failures: vec![true, false, true] },
            Breaker::Open { until },
            Breaker::HalfOpen { admitted: 2, succeeded: 1, until },
            Breaker::default(),
        ];
        for (state, version) in states.into_iter().zip(0..) {
            assert!(store.write_breaker(&state, version).await.unwrap());
            assert_eq!(store.breaker().await.unwrap(), (state, version + 1));
        }
    })
    .await;
}

#[tokio::test]
async fn a_breaker_that_someone_else_wrote_first_is_not_written_over() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let open = Breaker::Open { until: Timestamp::now() };
        assert!(store.write_breaker(&open, 0).await.unwrap());
        assert!(!store.write_breaker(&Breaker::default(), 0).await.unwrap());
        assert_eq!(store.breaker().await.unwrap(), (open.clone(), 1));
        let closed = Breaker::default();
        let (a, b) = tokio::join!(store.write_breaker(&closed, 1), store.write_breaker(&open, 1));
        assert_ne!(a.unwrap(), b.unwrap());
        assert_eq!(store.breaker().await.unwrap().1, 2);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_left_alone_by_every_instance_until_trials_succeed() {
    for_each_dynamodb(|database| async move {
        let provider = Provider::default();
        let (one, other) = (guarded(&database, &provider), guarded(&database, &provider));
        fail(&one, &provider).await;
        open(&other).await.unwrap();
        fail(&other, &provider).await;

        let asked = provider.calls(Call::Open);
        for gateway in [&one, &other] {
            assert!(matches!(open(gateway).await, Err(GatewayError::Unavailable(_))));
        }
        assert_eq!(provider.calls(Call::Open), asked, "an open breaker let a call through");

        tokio::time::sleep(Duration::from_millis(1100)).await;
        open(&one).await.unwrap();
        open(&other).await.unwrap();
        assert_eq!(store(&database).breaker().await.unwrap().0, Breaker::default());
        // Recovered, with its failures forgotten: one more does not open it.
        fail(&one, &provider).await;
        open(&one).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_shut_breaker_lets_nothing_through_whatever_it_is_for() {
    for_each_dynamodb(|database| async move {
        let provider = Provider::default();
        // As functions have it.
        let timed = Timed::new(provider.clone(), Metrics::new("store-test", "boxoffice"));
        let gateway = Guarded::new(timed, store(&database), SETTINGS);
        let payment = pending();
        let Opened::Intent(intent) = gateway.open(&payment, &card("pm_card")).await.unwrap() else {
            panic!("declined")
        };
        assert_eq!(gateway.confirm(&payment, &intent).await, Ok(Charge::Succeeded));
        assert_eq!(gateway.cancel(&intent, CalledOff::Payment).await, Ok(Cancellation::AlreadySucceeded));
        assert!(gateway.look(&intent).await.unwrap().is_some());
        let (id, amount) = (payment.id.refund("whole"), payment.money.amount);
        let refund = Refund::wanted(id, amount, "asked for", RefundedBy::Saga, Actor::System, payment.created_at);
        let returned = gateway.refund(&payment, &intent, &refund).await.unwrap();
        assert!(matches!(returned, Returned::Refund(_)), "{returned:?}");
        assert_eq!(gateway.moved(&intent).await.unwrap().refunds.len(), 1);
        for _ in 0..SETTINGS.window {
            fail(&gateway, &provider).await;
            if matches!(store(&database).breaker().await.unwrap().0, Breaker::Open { .. }) {
                break;
            }
        }
        let calls = [Call::Open, Call::Confirm, Call::Look, Call::Cancel, Call::Moved, Call::Refund];
        let asked = calls.map(|call| provider.calls(call));
        let shut = |refused: GatewayError| assert!(refused.to_string().contains("circuit breaker"), "{refused}");
        shut(open(&gateway).await.unwrap_err());
        shut(gateway.confirm(&payment, &intent).await.unwrap_err());
        shut(gateway.cancel(&intent, CalledOff::Payment).await.unwrap_err());
        shut(gateway.look(&intent).await.unwrap_err());
        shut(gateway.moved(&intent).await.unwrap_err());
        shut(gateway.refund(&payment, &intent, &refund).await.unwrap_err());
        assert_eq!(calls.map(|call| provider.calls(call)), asked);
    })
    .await;
}

#[tokio::test]
async fn a_failed_trial_shuts_the_provider_off_again() {
    for_each_dynamodb(|database| async move {
        let provider = Provider::default();
        let gateway = guarded(&database, &provider);
        fail(&gateway, &provider).await;
        fail(&gateway, &provider).await;
        tokio::time::sleep(Duration::from_millis(1100)).await;
        fail(&gateway, &provider).await;
        let asked = provider.calls(Call::Open);
        assert!(open(&gateway).await.is_err());
        assert_eq!(provider.calls(Call::Open), asked);
    })
    .await;
}

#[tokio::test]
async fn no_more_trials_go_through_than_the_settings_say() {
    for_each_dynamodb(|database| async move {
        let provider = Provider::default();
        let gateway = guarded(&database, &provider);
        fail(&gateway, &provider).await;
        fail(&gateway, &provider).await;
        let asked = provider.calls(Call::Open);
        tokio::time::sleep(Duration::from_millis(1100)).await;
        // Both trials are under way and unanswered when the third call comes.
        let held = [provider.hold_up(Call::Open, Side::Before), provider.hold_up(Call::Open, Side::Before)];
        let trials = held.clone().map(|_| {
            let gateway = gateway.clone();
            tokio::spawn(async move { open(&gateway).await })
        });
        for held in &held {
            held.reached().await;
        }
        assert!(matches!(open(&gateway).await, Err(GatewayError::Unavailable(_))));
        assert_eq!(provider.calls(Call::Open), asked + 2);
        for held in held {
            held.go();
        }
        for trial in trials {
            trial.await.unwrap().unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_decline_is_an_answer_and_costs_no_write() {
    for_each_dynamodb(|database| async move {
        let provider = Provider::default();
        let gateway = guarded(&database, &provider);
        for _ in 0..6 {
            let declined = gateway.open(&pending(), &card("pm_declined_at_once")).await.unwrap();
            assert!(matches!(declined, Opened::Declined { .. }));
        }
        assert_eq!(store(&database).breaker().await.unwrap(), (Breaker::default(), 0));
    })
    .await;
}

#[tokio::test]
async fn all_instances_together_call_the_provider_so_often_a_second_and_the_control_as_often_as_asked() {
    for_each_dynamodb(|database| async move {
        const CALLS: u32 = 12;
        for (pace, is_limited) in [(1, true), (0, false)] {
            let (provider, began) = (Provider::default(), Timestamp::now());
            let instances = [(); 2].map(|()| guarded(&database, &provider).at_pace(pace));
            let mut refused = 0;
            for call in 0..CALLS {
                match open(&instances[call as usize % 2]).await {
                    Ok(_) => {}
                    Err(GatewayError::NotReady(_)) => refused += 1,
                    Err(error) => panic!("{error}"),
                }
            }
            let seconds = u32::try_from(Timestamp::now().unix_seconds() - began.unix_seconds() + 1).unwrap();
            let asked = provider.calls(Call::Open);
            assert_eq!(asked + refused, CALLS);
            assert!(if is_limited { asked <= seconds } else { asked == CALLS }, "{asked} calls in {seconds} s");
            // A call refused for its pace is no sample of the breaker's.
            assert!(matches!(store(&database).breaker().await.unwrap(), (Breaker::Closed { .. }, _)));
        }
    })
    .await;
}
