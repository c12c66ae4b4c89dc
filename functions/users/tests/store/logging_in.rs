//! AP-96 to AP-98, AP-320, AP-321 and AP-87: who gets in, and how often one may guess.

use crate::fixture::{ADDRESS, House, LIMITS, PASSWORD, given, hasher, origin};
use boxoffice_kernel::{Fingerprint, SessionId, Timestamp};
use boxoffice_runtime::metrics::Metrics;
use boxoffice_testing::{Database, Table, for_each_dynamodb};
use boxoffice_users::{
    Doorkeeper,
    doorkeeper::{Admitted, Denied},
    password::{Hasher, Verdict},
    security::SecurityLog,
    session::{DeviceToken, Strength},
    throttle::{Limits, Wait},
    tries::{ChargeError, Source},
};
use tokio::task::JoinSet;

const WRONG: &str = "incorrect horse";

fn wait(outcome: Result<Admitted, Denied>) -> u64 {
    match outcome {
        Err(Denied::Wait(Wait { seconds })) => seconds,
        other => panic!("not told to wait: {other:?}"),
    }
}

fn wrong(outcome: Result<Admitted, Denied>) {
    assert!(matches!(outcome, Err(Denied::Wrong)), "{outcome:?}");
}

/// Failed tries that are kept of a source, or of an account in all.
async fn tries(database: &Database) -> usize {
    let items = database.items(Table::Sessions).await;
    let failed = items.iter().filter(|item| {
        let key = item["pk"].as_s().unwrap();
        let of_account = key.starts_with("FAIL#source#") || key.starts_with("FAIL#account#");
        of_account && item["count"].as_n().unwrap() != "0"
    });
    failed.count()
}

#[tokio::test]
async fn the_right_password_lets_in_by_name_and_by_mail_and_leaves_nothing_charged() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        for name in ["Ada", "aDa", "ada@EXAMPLE.org"] {
            assert_eq!(house.admit(name, PASSWORD).await.unwrap().account.user, ada);
            assert_eq!(tries(&database).await, 0);
        }
        wrong(house.admit("ada", WRONG).await);
        assert_eq!(tries(&database).await, 2);
        house.admit("ada", PASSWORD).await.unwrap();
        assert_eq!(tries(&database).await, 1, "the failure counts among those of strangers");
    })
    .await;
}

#[tokio::test]
async fn after_the_free_tries_comes_a_delay_even_for_the_right_password_and_then_it_is_over() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let account = house.ada().await.id.to_string();
        let here = || Source::Stranger(ADDRESS.to_owned());
        // A clock that stands still ten minutes ahead: the delay lasts for as long as the test takes.
        let ahead = Timestamp::now().plus_seconds(600);
        for _ in 0..LIMITS.free {
            house.throttle.charge(&account, here(), ahead).await.unwrap();
        }
        let early = house.throttle.charge(&account, here(), ahead).await;
        assert!(matches!(early, Err(ChargeError::Wait(Wait { seconds: 1 }))), "{early:?}");
        assert!((1..=601).contains(&wait(house.admit("ada", PASSWORD).await)));
        let charged = house.throttle.charge(&account, here(), ahead.plus_seconds(1)).await.unwrap();
        house.throttle.forgive(charged).await.unwrap();
        house.admit("ada", PASSWORD).await.unwrap();
        // The owner has come: what was charged is forgotten, and tries are free again.
        for _ in 0..LIMITS.free {
            wrong(house.admit("ada", WRONG).await);
        }
    })
    .await;
}

#[tokio::test]
async fn too_many_failures_lock_out_their_source_and_nobody_else() {
    for_each_dynamodb(|database| async move {
        let house = House::limited(&database, Limits { free: 9, lockout: 3, account_delay_seconds: 0, ..LIMITS });
        house.ada().await;
        house.register("grace", "grace@example.org").await.unwrap();
        for _ in 0..3 {
            wrong(house.admit("ada", WRONG).await);
        }
        let seconds = wait(house.admit("ada", PASSWORD).await);
        assert!((600..=900).contains(&seconds), "{seconds}");
        house.admit("grace", PASSWORD).await.unwrap();
        house.admit_from("198.51.100.7", "ada", PASSWORD).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_known_device_is_let_in_while_strangers_guess_and_wait() {
    for_each_dynamodb(|database| async move {
        let house = House::limited(&database, Limits { free: 9, lockout: 3, account_delay_seconds: 600, ..LIMITS });
        let ada = house.ada().await;
        let (admitted, device) = house.knock(ADDRESS, None, "ada", PASSWORD).await.unwrap();
        house.sessions.open(ada.id, admitted.generation, Strength::Password, &device).await.unwrap();
        for guess in 0..3 {
            wrong(house.admit_from(&format!("198.51.100.{guess}"), "ada", WRONG).await);
        }
        // The address that the device had before is a stranger's without it.
        assert!((300..=600).contains(&wait(house.admit("ada", PASSWORD).await)));
        let (_, same) = house.knock(ADDRESS, Some(&device), "ada", PASSWORD).await.unwrap();
        assert_eq!(same.hash(), device.hash());
        // A token that is made up, or another's, makes no device known, and one that guesses is locked out itself.
        let made_up = DeviceToken::issue().unwrap();
        assert!((300..=600).contains(&wait(
            house.knock("203.0.113.9", Some(&made_up), "ada", PASSWORD).await.map(|(admitted, _)| admitted)
        )));
        for _ in 0..3 {
            wrong(house.knock(ADDRESS, Some(&device), "ada", WRONG).await.map(|(admitted, _)| admitted));
        }
        let locked_out = house.knock(ADDRESS, Some(&device), "ada", PASSWORD).await.map(|(admitted, _)| admitted);
        assert!(wait(locked_out) >= 700);
    })
    .await;
}

/// A stranger guesses from many addresses for four hours, by a clock that is moved; the owner comes from an address of their own in between.
#[tokio::test]
async fn hours_of_guessing_keep_the_owner_waiting_no_longer_than_documented() {
    for_each_dynamodb(|database| async move {
        let limits = Limits { account_delay_seconds: 30, ..LIMITS };
        let throttle = House::limited(&database, limits).throttle;
        let start = Timestamp::now();
        let stranger = |number: u32| Source::Stranger(format!("198.51.100.{number}"));
        let owner = || Source::Stranger("203.0.113.7".to_owned());
        for quarter in 0..16_u32 {
            let now = start.plus_seconds(quarter * 900);
            for guess in 0..8 {
                let _ = throttle.charge("ada", stranger(guess), now.plus_seconds(guess)).await;
            }
            if quarter % 5 != 0 {
                continue;
            }
            // At once or after the wait, and strangers try at the very same moment.
            let came = now.plus_seconds(10);
            match throttle.charge("ada", owner(), came).await {
                Ok(charged) => throttle.forgive(charged).await.unwrap(),
                Err(ChargeError::Wait(Wait { seconds })) => {
                    assert!(seconds <= 30, "{seconds} s");
                    let then = came.plus_seconds(u32::try_from(seconds).unwrap());
                    let _ = throttle.charge("ada", stranger(99), then).await;
                    let charged = throttle.charge("ada", owner(), then).await.unwrap();
                    throttle.forgive(charged).await.unwrap();
                }
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_flood_of_guesses_at_one_account_fails_nobody_else_s_write() {
    for_each_dynamodb(|database| async move {
        let house = House::limited(&database, Limits { free: 1000, lockout: 1000, address: 1000, ..LIMITS });
        house.ada().await;
        let mut running = JoinSet::new();
        for guess in 0..40 {
            let house = house.clone();
            running.spawn(async move { house.admit_from(&format!("198.51.100.{guess}"), "ada", WRONG).await });
        }
        house.admit("ada", PASSWORD).await.unwrap();
        for outcome in running.join_all().await {
            wrong(outcome);
        }
    })
    .await;
}

/// The control of the tests above: the same guesses without a limit they reach are all answered, and the right one is let in.
#[tokio::test]
async fn without_a_limit_nobody_waits() {
    for_each_dynamodb(|database| async move {
        let house = House::limited(&database, Limits { free: 1000, lockout: 1000, ..LIMITS });
        house.ada().await;
        for _ in 0..=LIMITS.lockout {
            wrong(house.admit("ada", WRONG).await);
        }
        house.admit("ada", PASSWORD).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn guesses_sent_at_once_are_counted_one_by_one() {
    for_each_dynamodb(|database| async move {
        let house = House::limited(&database, Limits { free: 9, lockout: 3, ..LIMITS });
        house.ada().await;
        let mut running = JoinSet::new();
        for _ in 0..12 {
            let house = house.clone();
            running.spawn(async move { house.admit("ada", WRONG).await });
        }
        let mut looked_at = 0;
        for outcome in running.join_all().await {
            match outcome {
                Err(Denied::Wrong) => looked_at += 1,
                Err(Denied::Wait(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(looked_at, 3);
    })
    .await;
}

#[tokio::test]
async fn concurrent_guesses_get_only_the_free_answers() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let now = Timestamp::now();
        let mut running = JoinSet::new();
        for _ in 0..12 {
            let throttle = house.throttle.clone();
            let source = Source::Stranger(ADDRESS.to_owned());
            running.spawn(async move { throttle.charge("ada", source, now).await });
        }
        let mut charged = 0;
        for outcome in running.join_all().await {
            match outcome {
                Ok(_) => charged += 1,
                Err(ChargeError::Wait(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(charged, LIMITS.free);
    })
    .await;
}

#[tokio::test]
async fn an_unknown_user_costs_and_answers_like_a_known_one() {
    for_each_dynamodb(|database| async move {
        let house = House::limited(&database, Limits { free: 9, lockout: 3, ..LIMITS });
        house.ada().await;
        for name in ["ada", "nobody", "nobody@example.org", "not a name at all"] {
            for _ in 0..3 {
                wrong(house.admit(name, WRONG).await);
            }
            assert!(wait(house.admit(name, WRONG).await) >= 700, "{name}");
        }
        let kept = format!("{:?}", database.items(Table::Sessions).await);
        assert!(!kept.contains("nobody") && !kept.contains("not a name"), "what was typed is kept: {kept}");
        // Nor is it kept as a hash that anybody can make of a guess.
        let unsalted = Fingerprint::of(&["not a name at all"]);
        assert!(!kept.contains(unsalted.short()), "an unsalted hash of what was typed is kept: {kept}");
    })
    .await;
}

#[tokio::test]
async fn an_address_guesses_at_so_many_accounts_and_no_more() {
    for_each_dynamodb(|database| async move {
        let house = House::limited(&database, Limits { address: 6, ..LIMITS });
        house.ada().await;
        for number in 0..6 {
            // Getting into one's own account in between gives back that one try, and not the others.
            house.admit("ada", PASSWORD).await.unwrap();
            wrong(house.admit(&format!("victim{number}"), WRONG).await);
        }
        let seconds = wait(house.admit("ada", PASSWORD).await);
        assert!((600..=900).contains(&seconds), "{seconds}");
        house.admit_from("198.51.100.7", "ada", PASSWORD).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_address_is_counted_right_when_many_try_at_once_and_forgotten_in_time() {
    for_each_dynamodb(|database| async move {
        let house = House::limited(&database, Limits { address: 10, ..LIMITS });
        let now = Timestamp::now();
        let mut running = JoinSet::new();
        for account in 0..25 {
            let house = house.clone();
            let charge = async move || {
                let source = Source::Stranger(ADDRESS.to_owned());
                house.throttle.charge(&format!("account{account}"), source, now).await.is_ok()
            };
            running.spawn(async move { charge().await });
        }
        let charged = running.join_all().await.into_iter().filter(|charged| *charged).count();
        assert_eq!(charged, 10);
        let another = async |seconds| {
            let source = Source::Stranger(ADDRESS.to_owned());
            house.throttle.charge("another", source, now.plus_seconds(seconds)).await
        };
        let early = another(LIMITS.lockout_seconds - 1).await;
        assert!(matches!(early, Err(ChargeError::Wait(Wait { seconds: 1 }))), "{early:?}");
        another(LIMITS.lockout_seconds).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_hash_of_yesterdays_parameters_is_replaced_at_the_next_log_in() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let today = Hasher::of_cost(32, 1).unwrap();
        let log = SecurityLog::new(Metrics::new("test", "store"));
        let (users, sessions, throttle) = (house.users.clone(), house.sessions.clone(), house.throttle.clone());
        let doorkeeper = Doorkeeper::new(users, sessions, throttle, today.clone(), log);
        House { doorkeeper, ..house.clone() }.admit("ada", PASSWORD).await.unwrap();
        let kept = house.users.account(ada.id).await.unwrap().unwrap();
        assert_eq!(today.verify(&given(PASSWORD), &kept.password).unwrap(), Verdict::Right);
        assert_eq!(hasher().verify(&given(PASSWORD), &kept.password).unwrap(), Verdict::Outdated);
        assert_eq!(database.history(ada.id).await, ["UserCreated"]);
    })
    .await;
}

#[tokio::test]
async fn wrong_current_passwords_lock_the_session_out_and_strangers_failures_do_not() {
    for_each_dynamodb(|database| async move {
        let house = House::limited(&database, Limits { free: 9, lockout: 3, account_delay_seconds: 600, ..LIMITS });
        let ada = house.ada().await;
        let [here, there] = [SessionId::generate(), SessionId::generate()];
        for guess in 0..3 {
            wrong(house.admit_from(&format!("198.51.100.{guess}"), "ada", WRONG).await);
        }
        house.doorkeeper.confirm(ada.id, here, &given(PASSWORD), &origin(ADDRESS)).await.unwrap();
        for _ in 0..3 {
            wrong(house.doorkeeper.confirm(ada.id, here, &given(WRONG), &origin(ADDRESS)).await);
        }
        assert!(wait(house.doorkeeper.confirm(ada.id, here, &given(PASSWORD), &origin(ADDRESS)).await) >= 700);
        house.doorkeeper.confirm(ada.id, there, &given(PASSWORD), &origin(ADDRESS)).await.unwrap();
    })
    .await;
}
