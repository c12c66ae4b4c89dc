//! AP-84: what becomes of a user.

use crate::fixture::{House, admin};
use boxoffice_kernel::Role;
use boxoffice_testing::{for_each_dynamodb, trace};
use boxoffice_users::{
    domain::{Actor, Change, Refusal},
    store::ChangeError,
};
use tokio::task::JoinSet;

fn named(name: &str) -> Change {
    Change { username: Some(name.parse().unwrap()), ..Change::default() }
}

#[tokio::test]
async fn another_name_frees_the_old_one_and_takes_the_new() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let me = Actor { id: ada.id, role: Role::User };
        let mail = Change { email: Some("ada@example.net".parse().unwrap()), phone: Some(None), ..named("Countess") };
        let changed = house.users.change(ada.id, &mail, me, &trace()).await.unwrap();
        assert_eq!(house.stored(ada.id).await, changed);
        assert_eq!((changed.version, &changed.profile.phone), (2, &None));
        assert_eq!(house.users.whose_name(&"countess".parse().unwrap()).await.unwrap(), Some(ada.id));
        assert_eq!(house.users.whose_name(&"ada".parse().unwrap()).await.unwrap(), None);
        house.register("Ada", "Ada@example.org").await.unwrap();

        // Their own name in another case is no name to take.
        house.users.change(ada.id, &named("COUNTESS"), me, &trace()).await.unwrap();
        assert_eq!(house.stored(ada.id).await.profile.username.as_str(), "COUNTESS");
        assert_eq!(database.history(ada.id).await, ["UserCreated", "UserUpdated", "UserUpdated"]);
        // Whatever changes, the password stays.
        house.admit("countess", crate::fixture::PASSWORD).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_name_somebody_else_has_is_refused_and_nothing_changes() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        house.register("grace", "grace@example.org").await.unwrap();
        let refused = house.users.change(ada.id, &named("Grace"), admin(), &trace()).await;
        assert!(matches!(refused, Err(ChangeError::UsernameTaken)), "{refused:?}");
        let mail = Change { email: Some("GRACE@example.org".parse().unwrap()), ..Change::default() };
        let refused = house.users.change(ada.id, &mail, admin(), &trace()).await;
        assert!(matches!(refused, Err(ChangeError::EmailTaken)), "{refused:?}");
        assert_eq!(house.stored(ada.id).await, ada);
        assert_eq!(database.history(ada.id).await, ["UserCreated"]);
    })
    .await;
}

#[tokio::test]
async fn what_is_so_already_is_no_change() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let same = house.users.change(ada.id, &named("Ada"), admin(), &trace()).await.unwrap();
        assert_eq!((same, database.history(ada.id).await.len()), (ada, 1));
    })
    .await;
}

#[tokio::test]
async fn changes_at_once_all_count_and_of_those_that_say_what_they_saw_one_does() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let mut running = JoinSet::new();
        for number in 0..4 {
            let house = house.clone();
            let change = Change { first_name: Some(format!("Ada {number}").parse().unwrap()), ..Change::default() };
            running.spawn(async move { house.users.change(ada.id, &change, admin(), &trace()).await.unwrap() });
        }
        running.join_all().await;
        assert_eq!(house.stored(ada.id).await.version, 5);

        let mut running = JoinSet::new();
        for number in 0..4 {
            let house = house.clone();
            let last_name = Some(format!("L {number}").parse().unwrap());
            let change = Change { last_name, version: Some(5), ..Change::default() };
            running.spawn(async move { house.users.change(ada.id, &change, admin(), &trace()).await });
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
        let ada = house.ada().await;
        let session = house.session(&ada).await;
        house.users.change(ada.id, &named("Countess"), admin(), &trace()).await.unwrap();
        assert!(house.admits(&session).await);

        let promote = Change { role: Some(Role::Manager), ..Change::default() };
        let me = Actor { id: ada.id, role: Role::User };
        let refused = house.users.change(ada.id, &promote, me, &trace()).await;
        assert!(matches!(refused, Err(ChangeError::Refused(Refusal::RoleNotTheirsToGive))), "{refused:?}");
        assert!(house.admits(&session).await);

        house.users.change(ada.id, &promote, admin(), &trace()).await.unwrap();
        assert!(!house.admits(&session).await);
        assert!(house.sessions.renew(&session.token).await.is_err());
        assert!(house.admits(&house.session(&ada).await).await);
    })
    .await;
}
