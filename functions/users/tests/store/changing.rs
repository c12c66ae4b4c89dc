//! AP-84: what becomes of a user.

use crate::fixture::{House, acting};
use boxoffice_kernel::Role;
use boxoffice_testing::{Table, for_each_dynamodb, trace};
use boxoffice_users::{
    domain::{Change, Refusal, Requester},
    store::ChangeError,
};
use tokio::task::JoinSet;

fn named(name: &str) -> Change {
    Change { username: Some(name.parse().unwrap()), ..Change::default() }
}

#[tokio::test]
async fn another_name_frees_the_old_one_and_takes_the_new_and_another_address_waits() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let me = acting(&ada);
        let mail = Change { email: Some("ada@example.net".parse().unwrap()), phone: Some(None), ..named("Countess") };
        let changed = house.users.change(ada.id, &mail, me, &trace()).await.unwrap();
        assert_eq!(house.stored(ada.id).await, changed);
        assert_eq!((changed.version, &changed.profile.phone), (2, &None));
        assert_eq!(changed.profile.email, ada.profile.email);
        assert_eq!(changed.pending_email.as_ref().map(ToString::to_string).as_deref(), Some("ada@example.net"));
        assert_eq!(house.users.whose_name(&"countess".parse().unwrap()).await.unwrap(), Some(ada.id));
        assert_eq!(house.users.whose_name(&"ada".parse().unwrap()).await.unwrap(), None);
        house.register("Ada", "Ada@example.org").await.unwrap();

        // Their own name in another case is no name to take.
        house.users.change(ada.id, &named("COUNTESS"), me, &trace()).await.unwrap();
        assert_eq!(house.stored(ada.id).await.profile.username.as_str(), "COUNTESS");
        assert_eq!(database.history(ada.id).await, ["UserCreated", "UserUpdated", "UserUpdated"]);
        // No change touches the password.
        house.admit("countess", crate::fixture::PASSWORD).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_event_says_what_changed_and_where_the_owner_was_reached_before() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        house.verify(&ada).await.unwrap();
        let moved = Change { email: Some("ada@example.net".parse().unwrap()), phone: Some(None), ..Change::default() };
        house.users.change(ada.id, &moved, acting(&ada), &trace()).await.unwrap();
        house.verify(&ada).await.unwrap();
        let told = database.events_of(ada.id).await;
        let told: Vec<serde_json::Value> =
            told.iter().map(|event| serde_json::from_str(&event.detail).unwrap()).collect();
        assert_eq!((&told[1]["data"]["emailVerified"], &told[1]["data"]["previousEmail"]), (&true.into(), &().into()));
        assert_eq!(told[2]["data"]["changed"], serde_json::json!(["phone"]), "the address is in force until then");
        assert_eq!(told[3]["data"]["changed"], serde_json::json!(["email"]));
        assert_eq!(told[3]["data"]["previousEmail"], "Ada@example.org");
        house.users.delete(ada.id, acting(&ada), &trace()).await.unwrap();
        let left = format!("{:?}", database.items(Table::Events).await);
        assert!(!left.to_lowercase().contains("ada@example"), "{left}");
    })
    .await;
}

#[tokio::test]
async fn a_token_of_an_old_log_in_takes_no_account_over() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let stale = Requester { logged_in_lately: false, ..acting(&ada) };
        let mail = Change { email: Some("eve@example.org".parse().unwrap()), ..Change::default() };
        let refused = [
            house.users.change(ada.id, &mail, stale, &trace()).await.map(|_| ()),
            house.users.delete(ada.id, stale, &trace()).await,
        ];
        for refusal in refused {
            assert!(matches!(refusal, Err(ChangeError::Refused(Refusal::LogInAgain))), "{refusal:?}");
        }
        assert_eq!(house.stored(ada.id).await, ada);
    })
    .await;
}

#[tokio::test]
async fn a_name_somebody_else_has_is_refused_and_their_address_may_be_named() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let admin = house.admin().await;
        let ada = house.ada().await;
        house.register("grace", "grace@example.org").await.unwrap();
        let refused = house.users.change(ada.id, &named("Grace"), admin, &trace()).await;
        assert!(matches!(refused, Err(ChangeError::UsernameTaken)), "{refused:?}");
        assert_eq!(house.stored(ada.id).await, ada);
        assert_eq!(database.history(ada.id).await, ["UserCreated"]);
        // Whether the address is anybody's is not said.
        let mail = Change { email: Some("GRACE@example.org".parse().unwrap()), ..Change::default() };
        house.users.change(ada.id, &mail, admin, &trace()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_update_without_a_difference_changes_nothing() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let admin = house.admin().await;
        let ada = house.ada().await;
        let same = house.users.change(ada.id, &named("Ada"), admin, &trace()).await.unwrap();
        assert_eq!((same, database.history(ada.id).await.len()), (ada, 1));
    })
    .await;
}

#[tokio::test]
async fn changes_at_once_all_count_and_of_those_that_say_what_they_saw_one_does() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let admin = house.admin().await;
        let ada = house.ada().await;
        let mut running = JoinSet::new();
        for number in 0..4 {
            let house = house.clone();
            let change = Change { first_name: Some(format!("Ada {number}").parse().unwrap()), ..Change::default() };
            running.spawn(async move { house.users.change(ada.id, &change, admin, &trace()).await.unwrap() });
        }
        running.join_all().await;
        assert_eq!(house.stored(ada.id).await.version, 5);

        let mut running = JoinSet::new();
        for number in 0..4 {
            let house = house.clone();
            let last_name = Some(format!("L {number}").parse().unwrap());
            let change = Change { last_name, version: Some(5), ..Change::default() };
            running.spawn(async move { house.users.change(ada.id, &change, admin, &trace()).await });
        }
        let (made, refused): (Vec<_>, Vec<_>) = running.join_all().await.into_iter().partition(Result::is_ok);
        assert_eq!(made.len(), 1);
        for refusal in refused {
            assert!(matches!(refusal, Err(ChangeError::Refused(Refusal::VersionConflict(6)))), "{refusal:?}");
        }
        assert_eq!(database.events_of(ada.id).await.len(), 6);
    })
    .await;
}

#[tokio::test]
async fn another_role_ends_every_session_and_another_name_none() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let admin = house.admin().await;
        let ada = house.ada().await;
        let session = house.session(&ada).await;
        house.users.change(ada.id, &named("Countess"), admin, &trace()).await.unwrap();
        assert!(house.admits(&session).await);

        let promote = Change { role: Some(Role::Manager), ..Change::default() };
        let me = acting(&ada);
        let refused = house.users.change(ada.id, &promote, me, &trace()).await;
        assert!(matches!(refused, Err(ChangeError::Refused(Refusal::RoleNotTheirsToGive))), "{refused:?}");
        assert!(house.admits(&session).await);

        house.users.change(ada.id, &promote, admin, &trace()).await.unwrap();
        assert!(!house.admits(&session).await);
        assert!(house.renew(&session.token).await.is_err());
        assert!(house.admits(&house.session(&ada).await).await);
    })
    .await;
}
