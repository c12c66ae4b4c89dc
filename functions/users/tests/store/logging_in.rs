//! AP-96 to AP-98 and AP-87: who gets in, and how often one may guess.

use crate::fixture::{ADDRESS, House, LIMITS, PASSWORD, given, hasher};
use boxoffice_testing::{Database, Table, for_each_dynamodb};
use boxoffice_users::{
    Doorkeeper,
    doorkeeper::{Admitted, Denied},
    password::{Hasher, Verdict},
    throttle::{Limits, Wait},
};
use std::time::Duration;
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

/// Failed tries that are kept.
async fn tries(database: &Database) -> usize {
    let items = database.items(Table::Sessions).await;
    items.iter().filter(|item| item["pk"].as_s().unwrap().starts_with("FAIL#account#")).count()
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
        assert_eq!(tries(&database).await, 1);
        house.admit("ada", PASSWORD).await.unwrap();
        assert_eq!(tries(&database).await, 0);
    })
    .await;
}

#[tokio::test]
async fn after_the_free_tries_comes_a_delay_even_for_the_right_password_and_then_it_is_over() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        house.ada().await;
        for _ in 0..LIMITS.free {
            wrong(house.admit("ada", WRONG).await);
        }
        assert_eq!(wait(house.admit("Ada@example.org", PASSWORD).await), 1);
        tokio::time::sleep(Duration::from_millis(1100)).await;
        house.admit("ada", PASSWORD).await.unwrap();
        // The owner has come: what was charged is forgotten, and tries are free again.
        for _ in 0..LIMITS.free {
            wrong(house.admit("ada", WRONG).await);
        }
    })
    .await;
}

#[tokio::test]
async fn too_many_failures_lock_the_account_for_everybody() {
    for_each_dynamodb(|database| async move {
        let house = House::limited(&database, Limits { free: 9, lockout: 3, ..LIMITS });
        house.ada().await;
        house.register("grace", "grace@example.org").await.unwrap();
        for _ in 0..3 {
            wrong(house.admit("ada", WRONG).await);
        }
        let seconds = wait(house.admit("ada", PASSWORD).await);
        assert!((890..=900).contains(&seconds), "{seconds}");
        wait(house.doorkeeper.admit("ada", &given(PASSWORD), "198.51.100.7").await);
        house.admit("grace", PASSWORD).await.unwrap();
    })
    .await;
}

/// The control of the two tests above: the same guesses without a limit they reach are all answered, and the right one is let in.
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
        let house = House::new(&database);
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
        // A slow machine may take longer than the first delay, and then looks at one more.
        assert!((LIMITS.free..LIMITS.lockout).contains(&looked_at), "{looked_at}");
    })
    .await;
}

#[tokio::test]
async fn who_does_not_exist_is_answered_and_charged_like_who_does() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        house.ada().await;
        for name in ["ada", "nobody", "nobody@example.org", "not a name at all"] {
            for _ in 0..LIMITS.free {
                wrong(house.admit(name, WRONG).await);
            }
            assert_eq!(wait(house.admit(name, WRONG).await), 1, "{name}");
        }
        let kept = format!("{:?}", database.items(Table::Sessions).await);
        assert!(!kept.contains("nobody") && !kept.contains("not a name"), "what was typed is kept: {kept}");
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
        assert!((880..=900).contains(&seconds), "{seconds}");
        house.doorkeeper.admit("ada", &given(PASSWORD), "198.51.100.7").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_address_is_counted_right_when_many_try_at_once_and_forgotten_in_time() {
    for_each_dynamodb(|database| async move {
        let house = House::limited(&database, Limits { address: 10, lockout_seconds: 2, ..LIMITS });
        let mut running = JoinSet::new();
        for _ in 0..25 {
            let house = house.clone();
            running.spawn(async move { house.throttle.charge_address(ADDRESS).await.is_ok() });
        }
        let charged = running.join_all().await.into_iter().filter(|charged| *charged).count();
        // A slow machine may see the first ten forgotten before the last has come.
        assert!(charged == 10 || charged == 20, "{charged}");
        tokio::time::sleep(Duration::from_millis(3100)).await;
        house.throttle.charge_address(ADDRESS).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_hash_of_yesterdays_parameters_is_replaced_at_the_next_log_in() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let today = Hasher::of_cost(32, 1).unwrap();
        let doorkeeper =
            Doorkeeper::new(house.users.clone(), house.sessions.clone(), house.throttle.clone(), today.clone());
        doorkeeper.admit("ada", &given(PASSWORD), ADDRESS).await.unwrap();
        let kept = house.users.account(ada.id).await.unwrap().unwrap();
        assert_eq!(today.verify(&given(PASSWORD), &kept.password).unwrap(), Verdict::Right);
        assert_eq!(hasher().verify(&given(PASSWORD), &kept.password).unwrap(), Verdict::Outdated);
        assert_eq!(database.history(ada.id).await, ["UserCreated"]);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_current_password_is_charged_like_a_failed_log_in() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        for _ in 0..LIMITS.free {
            wrong(house.doorkeeper.confirm(ada.id, &given(WRONG), ADDRESS).await);
        }
        assert_eq!(wait(house.admit("ada", PASSWORD).await), 1);
    })
    .await;
}
