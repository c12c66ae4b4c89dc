//! AP-85 and AP-89: what is left of a user who is gone.

use crate::fixture::{House, PASSWORD, acting};
use boxoffice_aws::{Transaction, UserDirectory};
use boxoffice_kernel::UserId;
use boxoffice_testing::{Table, for_each_dynamodb, trace};
use boxoffice_users::{
    domain::{Change, Refusal},
    doorkeeper::Denied,
    store::ChangeError,
};
use tokio::task::JoinSet;

#[tokio::test]
async fn nothing_personal_is_left_anywhere_and_the_history_keeps_its_numbers() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let session = house.session(&ada).await;
        for name in ["Byron", "Milbanke"] {
            let change = Change { last_name: Some(name.parse().unwrap()), ..Change::default() };
            house.users.change(ada.id, &change, acting(&ada), &trace()).await.unwrap();
        }
        let me = acting(&ada);
        house.users.delete(ada.id, me, &trace()).await.unwrap();

        for table in [Table::Users, Table::Sessions, Table::Events] {
            let left = format!("{:?}", database.items(table).await);
            for personal in ["Ada", "ada@", "Lovelace", "Byron", "Milbanke", "4155550123", "argon2"] {
                assert!(!left.contains(personal), "{table:?} still has {personal}: {left}");
            }
        }
        // for_each_dynamodb holds what is left of the events to their schemas.
        let history = database.history(ada.id).await;
        assert_eq!(history, ["UserCreated", "UserUpdated", "UserUpdated", "UserDeleted"]);
        assert_eq!(database.items(Table::Users).await.len(), 1, "that there was a user");

        assert_eq!(house.users.get(ada.id).await.unwrap(), None);
        assert!(!house.admits(&session).await);
        assert!(house.renew(&session.token).await.is_err());
        assert!(matches!(house.admit("ada", PASSWORD).await, Err(Denied::Wrong)));
        let again = house.users.delete(ada.id, acting(&ada), &trace()).await;
        assert!(matches!(again, Err(ChangeError::NotFound)), "{again:?}");
    })
    .await;
}

#[tokio::test]
async fn the_directory_knows_who_is_a_user_and_who_is_none_any_more() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let (directory, ada) = (UserDirectory::new(database.table(Table::Users)), house.ada().await);
        let exists = async |user: UserId| {
            let transaction = Transaction::new().check((), directory.exists(user).unwrap());
            transaction.commit(&database.client()).await.is_ok()
        };
        assert!(exists(ada.id).await);
        assert!(!exists(UserId::generate()).await);
        house.users.delete(ada.id, acting(&ada), &trace()).await.unwrap();
        assert!(!exists(ada.id).await);
    })
    .await;
}

#[tokio::test]
async fn the_names_of_who_is_gone_are_free() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let admin = house.admin().await;
        let first = house.ada().await;
        house.users.delete(first.id, admin, &trace()).await.unwrap();
        let second = house.ada().await;
        assert_ne!(first.id, second.id);
        assert_eq!(house.admit("ada", PASSWORD).await.unwrap().account.user, second);
    })
    .await;
}

#[tokio::test]
async fn a_history_longer_than_a_transaction_is_redacted_too() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let admin = house.admin().await;
        let ada = house.ada().await;
        for number in 0..100 {
            let change = Change { first_name: Some(format!("Ada{number}").parse().unwrap()), ..Change::default() };
            house.users.change(ada.id, &change, admin, &trace()).await.unwrap();
        }
        house.users.delete(ada.id, admin, &trace()).await.unwrap();
        let history = database.events_of(ada.id).await;
        assert_eq!(history.len(), 102);
        for event in history {
            assert!(!event.detail.contains("Ada"), "{}", event.detail);
        }
    })
    .await;
}

#[tokio::test]
async fn an_admin_does_not_delete_themselves() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let root = house.new_admin().await;
        let own = acting(&root);
        let refused = house.users.delete(root.id, own, &trace()).await;
        assert!(matches!(refused, Err(ChangeError::Refused(Refusal::OwnAccount))), "{refused:?}");
        assert_eq!(house.stored(root.id).await, root);
    })
    .await;
}

#[tokio::test]
async fn a_deletion_and_changes_at_once_leave_nothing_personal() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let admin = house.admin().await;
        let ada = house.ada().await;
        let mut running = JoinSet::new();
        for number in 0..4 {
            let house = house.clone();
            running.spawn(async move {
                let change = Change { first_name: Some(format!("Ada{number}").parse().unwrap()), ..Change::default() };
                match house.users.change(ada.id, &change, admin, &trace()).await {
                    Ok(_) | Err(ChangeError::NotFound) => {}
                    Err(error) => panic!("{error}"),
                }
            });
        }
        house.users.delete(ada.id, admin, &trace()).await.unwrap();
        running.join_all().await;
        let left = format!("{:?} {:?}", database.items(Table::Users).await, database.items(Table::Events).await);
        assert!(!left.contains("Ada"), "{left}");
        assert_eq!(database.history(ada.id).await.last().map(String::as_str), Some("UserDeleted"));
    })
    .await;
}
