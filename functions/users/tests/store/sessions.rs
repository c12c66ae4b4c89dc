//! AP-90 to AP-95 and AP-322 to AP-324: tokens that stand, and tokens that do not.

use crate::fixture::{House, IDLE_SECONDS, PASSWORD, chosen, hasher};
use boxoffice_aws::{StoreError, transaction::Written};
use boxoffice_kernel::{SessionId, Timestamp, UserId};
use boxoffice_testing::{Database, Table, for_each_dynamodb, trace};
use boxoffice_users::{
    SessionStore,
    session::{ChainKey, DeviceToken, GRACE_SECONDS, RefreshToken, Refusal, Strength},
    sessions::{Granted, Lifetimes, RenewError},
};
use std::collections::BTreeSet;
use tokio::task::JoinSet;

fn refused(outcome: Result<Granted, RenewError>) -> Refusal {
    match outcome {
        Err(RenewError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// The stored part of open sessions.
async fn kept(database: &Database) -> usize {
    let items = database.items(Table::Sessions).await;
    items.iter().filter(|item| item["sk"].as_s().unwrap().starts_with("SES#")).count()
}

#[tokio::test]
async fn each_refresh_token_is_good_once_and_gives_the_next() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let first = house.session(&house.ada().await).await;
        let second = house.renew(&first.token).await.unwrap();
        let third = house.renew(&second.token).await.unwrap();
        assert_eq!(third.session.session_id, first.session.session_id);
        // However often it is refreshed, a session ends when it was to end.
        assert_eq!(third.session.expires_at, first.session.expires_at);
        assert!(house.admits(&third).await);
        let items = format!("{:?}", database.items(Table::Sessions).await);
        for granted in [&first, &second, &third] {
            let token = granted.token.reveal();
            assert!(!items.contains(token.rsplit('.').next().unwrap()), "a token is kept as it is");
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_whose_successor_was_used_ends_its_session_and_no_other() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let (other, first) = (house.session(&ada).await, house.session(&ada).await);
        let second = house.renew(&first.token).await.unwrap();
        let third = house.renew(&second.token).await.unwrap();
        assert_eq!(refused(house.renew(&first.token).await), Refusal::Reused);
        // Neither the thief's token nor the owner's stands from here on, and no access token of theirs.
        for granted in [&first, &second, &third] {
            assert_eq!(refused(house.renew(&granted.token).await), Refusal::Ended);
        }
        assert!(!house.admits(&third).await);
        assert!(house.admits(&other).await);
        house.renew(&other.token).await.unwrap();
        assert_eq!(kept(&database).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_token_gives_the_same_successor_for_a_minute_and_later_proves_a_theft() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let first = house.session(&house.ada().await).await;
        let start = Timestamp::now();
        let second = house.sessions.renew(&first.token, start).await.unwrap();
        // The answer was lost, and the client asks again.
        let again = house.sessions.renew(&first.token, start.plus_seconds(GRACE_SECONDS)).await.unwrap();
        assert_eq!(again.token.reveal(), second.token.reveal());
        assert!(house.admits(&again).await);
        let late = house.sessions.renew(&first.token, start.plus_seconds(GRACE_SECONDS + 1)).await;
        assert_eq!(refused(late), Refusal::Reused);
        assert_eq!(refused(house.renew(&second.token).await), Refusal::Ended);
    })
    .await;
}

#[tokio::test]
async fn refreshes_with_one_token_at_once_all_get_the_same_successor() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        for _ in 0..3 {
            let granted = house.session(&ada).await;
            let mut running = JoinSet::new();
            for _ in 0..8 {
                let (house, token) = (house.clone(), granted.token.clone());
                running.spawn(async move { house.renew(&token).await.unwrap() });
            }
            let successors: BTreeSet<String> =
                running.join_all().await.iter().map(|granted| granted.token.reveal()).collect();
            assert_eq!(successors.len(), 1);
            house.renew(&successors.first().unwrap().parse().unwrap()).await.unwrap();
        }
    })
    .await;
}

/// The control: had each refresh made up a token of its own, as before, all but one of those at once would hold one that is worth nothing.
#[tokio::test]
async fn a_successor_made_up_by_the_loser_of_a_race_would_not_be_the_session_s() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let first = house.session(&house.ada().await).await;
        house.renew(&first.token).await.unwrap();
        let (user, session) = (first.token.user(), first.token.session());
        let made_up = RefreshToken::issue(user, session, &first.session.chain_key).unwrap();
        assert_eq!(refused(house.renew(&made_up).await), Refusal::Reused);
    })
    .await;
}

#[tokio::test]
async fn a_made_up_secret_ends_no_session() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let granted = house.session(&house.ada().await).await;
        let (user, session) = (granted.token.user(), granted.token.session());
        let made_up = RefreshToken::issue(user, session, &ChainKey::generate().unwrap()).unwrap();
        for _ in 0..3 {
            assert_eq!(refused(house.renew(&made_up).await), Refusal::MadeUp);
        }
        assert!(house.admits(&granted).await);
        house.renew(&granted.token).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_idle_too_long_is_over_and_one_that_is_refreshed_goes_on() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let (idle, used) = (house.session(&ada).await, house.session(&ada).await);
        let start = Timestamp::now();
        let halfway = start.plus_seconds(IDLE_SECONDS / 2);
        let refreshed = house.sessions.renew(&used.token, halfway).await.unwrap();
        let later = start.plus_seconds(IDLE_SECONDS + 1);
        assert_eq!(refused(house.sessions.renew(&idle.token, later).await), Refusal::Ended);
        house.sessions.renew(&refreshed.token, later).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_user_s_sessions_are_listed_newest_first_and_ended_one_by_one_or_all() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let (ada, grace) = (house.ada().await, house.register("grace", "grace@example.org").await.unwrap());
        let others = house.session(&grace).await;
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(house.session(&ada).await.session.session_id);
        }
        ids.reverse();
        let listed = async || -> Vec<SessionId> {
            let access = house.sessions.access(ada.id).await.unwrap().unwrap();
            let sessions = house.sessions.list(ada.id, &access, Timestamp::now()).await.unwrap();
            sessions.iter().map(|session| session.session_id).collect()
        };
        assert_eq!(listed().await, ids);
        assert_eq!(house.sessions.end_known(ada.id, ids[1]).await.unwrap(), Written::Yes);
        assert_eq!(house.sessions.end_known(ada.id, ids[1]).await.unwrap(), Written::Stale);
        // Nor is another's session ended, or remembered as ended, under one's own id.
        assert_eq!(house.sessions.end_known(ada.id, others.session.session_id).await.unwrap(), Written::Stale);
        assert_eq!(listed().await, [ids[0], ids[2]]);
        assert_eq!(house.sessions.end_every(ada.id).await.unwrap(), Written::Yes);
        assert_eq!(listed().await, []);
        assert!(house.admits(&others).await);
        assert_eq!(house.sessions.end_every(UserId::generate()).await.unwrap(), Written::Stale);
    })
    .await;
}

#[tokio::test]
async fn tokens_of_nobody_and_of_no_session_are_refused_and_end_nothing() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let granted = house.session(&house.ada().await).await;
        let key = ChainKey::generate().unwrap();
        let of = |user, session| RefreshToken::issue(user, session, &key).unwrap();
        for token in [of(UserId::generate(), SessionId::generate()), of(granted.token.user(), SessionId::generate())] {
            assert_eq!(refused(house.renew(&token).await), Refusal::Ended);
        }
        house.renew(&granted.token).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_over_is_not_refreshed() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let lifetimes = Lifetimes { access_seconds: 300, refresh_seconds: 0, idle_seconds: IDLE_SECONDS };
        let brief = SessionStore::new(database.client(), database.table(Table::Sessions), lifetimes);
        let granted = brief.open(ada.id, 1, Strength::Password, &DeviceToken::issue().unwrap()).await.unwrap();
        assert_eq!(refused(house.renew(&granted.token).await), Refusal::Ended);
    })
    .await;
}

#[tokio::test]
async fn a_log_in_ends_the_session_that_it_replaces_and_a_made_up_token_ends_none() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let (before, other) = (house.session(&ada).await, house.session(&ada).await);
        let made_up = RefreshToken::issue(ada.id, other.session.session_id, &ChainKey::generate().unwrap()).unwrap();
        house.sessions.replace(&made_up).await.unwrap();
        assert!(house.admits(&other).await);
        let refreshed = house.renew(&before.token).await.unwrap();
        house.sessions.replace(&before.token).await.unwrap();
        assert_eq!((house.admits(&refreshed).await, house.admits(&other).await), (false, true));
    })
    .await;
}

#[tokio::test]
async fn a_logout_ends_this_session_at_once_and_no_other() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let (here, there) = (house.session(&ada).await, house.session(&ada).await);
        for _ in 0..2 {
            house.sessions.end(ada.id, here.session.session_id).await.unwrap();
            assert_eq!((house.admits(&here).await, house.admits(&there).await), (false, true));
        }
        assert_eq!(refused(house.renew(&here.token).await), Refusal::Ended);
        house.renew(&there.token).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn sessions_that_ended_long_ago_are_forgotten_and_recent_ones_are_not() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let client = database.client();
        // Forty that ended in 1970, as if nobody had logged out since.
        for _ in 0..40 {
            client
                .update_item()
                .table_name(database.table(Table::Sessions))
                .key("pk", boxoffice_aws::AccessRegister::pk(ada.id))
                .key("sk", boxoffice_aws::attribute::text("ACCESS"))
                .update_expression("SET ended.#session = :long_ago")
                .expression_attribute_names("#session", SessionId::generate().to_string())
                .expression_attribute_values(":long_ago", boxoffice_aws::attribute::number(1_u64))
                .send()
                .await
                .unwrap();
        }
        let ended = async || house.sessions.access(ada.id).await.unwrap().unwrap().ended;
        let sessions = [house.session(&ada).await, house.session(&ada).await];
        // Each write forgets twenty, and remembers its own.
        for (session, left) in sessions.iter().zip([21, 2]) {
            house.sessions.end(ada.id, session.session.session_id).await.unwrap();
            assert_eq!(ended().await.len(), left);
        }
        for session in &sessions {
            assert!(!house.admits(session).await);
        }
    })
    .await;
}

#[tokio::test]
async fn a_new_password_ends_every_session_and_the_old_one_opens_none() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let before = house.admit("ada", PASSWORD).await.unwrap();
        let sessions = [house.session(&ada).await, house.session(&ada).await];
        let new = hasher().keep(&chosen("staple of another kind"), &ada).unwrap();
        assert_eq!(house.users.change_password(&before.account, &new, &trace()).await.unwrap(), Written::Yes);
        for session in &sessions {
            assert!(!house.admits(session).await);
            assert_eq!(refused(house.renew(&session.token).await), Refusal::Ended);
        }
        // A log-in that proved the old password a moment before opens no session.
        let opened =
            house.sessions.open(ada.id, before.generation, Strength::Password, &DeviceToken::issue().unwrap()).await;
        assert!(matches!(opened, Err(StoreError::Unavailable(_))), "{opened:?}");
        // Nor does a second change that knew only the old one, nor its rehash.
        assert_eq!(house.users.change_password(&before.account, &new, &trace()).await.unwrap(), Written::Stale);
        assert_eq!(house.users.rehash(&before.account, &before.account.password).await.unwrap(), Written::Stale);
        assert!(house.admit("ada", PASSWORD).await.is_err());
        let after = house.admit("ada", "staple of another kind").await.unwrap();
        house
            .sessions
            .open(ada.id, after.generation, Strength::Password, &DeviceToken::issue().unwrap())
            .await
            .unwrap();
        assert_eq!(database.history(ada.id).await, ["UserCreated", "UserPasswordChanged"]);
        assert_eq!(house.stored(ada.id).await.version, 2);
    })
    .await;
}
