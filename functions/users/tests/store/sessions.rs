//! AP-90 to AP-95: tokens that stand, and tokens that do not.

use crate::fixture::{House, PASSWORD, chosen, hasher};
use boxoffice_aws::{StoreError, transaction::Written};
use boxoffice_kernel::{SessionId, UserId};
use boxoffice_testing::{Database, Table, for_each_dynamodb};
use boxoffice_users::{
    SessionStore,
    session::{RefreshToken, Refusal},
    sessions::{Granted, Lifetimes, RenewError},
};
use tokio::task::JoinSet;

fn refused(outcome: Result<Granted, RenewError>) -> Refusal {
    match outcome {
        Err(RenewError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// What is kept of sessions that have not ended.
async fn kept(database: &Database) -> usize {
    let items = database.items(Table::Sessions).await;
    items.iter().filter(|item| item["sk"].as_s().unwrap().starts_with("SES#")).count()
}

#[tokio::test]
async fn each_refresh_token_is_good_once_and_gives_the_next() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let first = house.session(&house.ada().await).await;
        let second = house.sessions.renew(&first.token).await.unwrap();
        let third = house.sessions.renew(&second.token).await.unwrap();
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
async fn a_token_used_twice_ends_its_session_and_no_other() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let (other, first) = (house.session(&ada).await, house.session(&ada).await);
        let second = house.sessions.renew(&first.token).await.unwrap();
        assert_eq!(refused(house.sessions.renew(&first.token).await), Refusal::Reused);
        // Neither the thief's token nor the owner's stands from here on, and no access token of theirs.
        assert_eq!(refused(house.sessions.renew(&second.token).await), Refusal::Ended);
        assert_eq!(refused(house.sessions.renew(&first.token).await), Refusal::Ended);
        assert!(!house.admits(&second).await);
        assert!(house.admits(&other).await);
        house.sessions.renew(&other.token).await.unwrap();
        assert_eq!(kept(&database).await, 1);
    })
    .await;
}

#[tokio::test]
async fn of_refreshes_with_one_token_at_once_one_wins_and_the_others_end_the_session() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        for _ in 0..3 {
            let granted = house.session(&ada).await;
            let mut running = JoinSet::new();
            for _ in 0..8 {
                let (house, token) = (house.clone(), granted.token.clone());
                running.spawn(async move { house.sessions.renew(&token).await });
            }
            let (won, lost): (Vec<_>, Vec<_>) = running.join_all().await.into_iter().partition(Result::is_ok);
            assert_eq!(won.len(), 1);
            for outcome in lost {
                refused(outcome);
            }
            let winner = won.into_iter().next().unwrap().unwrap();
            assert_eq!(refused(house.sessions.renew(&winner.token).await), Refusal::Ended);
            assert!(!house.admits(&winner).await);
        }
    })
    .await;
}

#[tokio::test]
async fn tokens_of_nobody_and_of_no_session_are_refused_and_end_nothing() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let granted = house.session(&house.ada().await).await;
        let of = |user, session| RefreshToken::issue(user, session).unwrap();
        for token in [of(UserId::generate(), SessionId::generate()), of(granted.token.user(), SessionId::generate())] {
            assert_eq!(refused(house.sessions.renew(&token).await), Refusal::Ended);
        }
        house.sessions.renew(&granted.token).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_over_is_not_refreshed() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let lifetimes = Lifetimes { access_seconds: 300, refresh_seconds: 0 };
        let brief = SessionStore::new(database.client(), database.table(Table::Sessions), lifetimes);
        let granted = brief.open(ada.id, 1).await.unwrap();
        assert_eq!(refused(house.sessions.renew(&granted.token).await), Refusal::Ended);
    })
    .await;
}

#[tokio::test]
async fn whoever_logs_out_is_out_at_once_here_and_nowhere_else() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let (here, there) = (house.session(&ada).await, house.session(&ada).await);
        for _ in 0..2 {
            house.sessions.end(ada.id, here.session.session_id).await.unwrap();
            assert_eq!((house.admits(&here).await, house.admits(&there).await), (false, true));
        }
        assert_eq!(refused(house.sessions.renew(&here.token).await), Refusal::Ended);
        house.sessions.renew(&there.token).await.unwrap();
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
        let new = hasher().hash(&chosen("staple of another kind")).unwrap();
        assert_eq!(house.users.change_password(&before.account, &new).await.unwrap(), Written::Yes);
        for session in &sessions {
            assert!(!house.admits(session).await);
            assert_eq!(refused(house.sessions.renew(&session.token).await), Refusal::Ended);
        }
        // Whoever had proven the old password a moment before opens no session with it.
        let opened = house.sessions.open(ada.id, before.generation).await;
        assert!(matches!(opened, Err(StoreError::Unavailable(_))), "{opened:?}");
        // Nor does a second change that knew only the old one, nor its rehash.
        assert_eq!(house.users.change_password(&before.account, &new).await.unwrap(), Written::Stale);
        assert_eq!(house.users.rehash(&before.account, &before.account.password).await.unwrap(), Written::Stale);
        assert!(house.admit("ada", PASSWORD).await.is_err());
        let after = house.admit("ada", "staple of another kind").await.unwrap();
        house.sessions.open(ada.id, after.generation).await.unwrap();
        // A password is not a fact that others need to hear of.
        assert_eq!(database.history(ada.id).await, ["UserCreated"]);
    })
    .await;
}
