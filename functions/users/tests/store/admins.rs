//! AP-325 to AP-328: ADMINs who act on each other, and users whom they suspend.

use crate::fixture::{House, PASSWORD, acting};
use boxoffice_aws::attribute::{number, text};
use boxoffice_kernel::{Role, UserId};
use boxoffice_testing::{Database, Table, for_each_dynamodb, trace};
use boxoffice_users::{
    domain::{Change, Reason, Refusal, Requester, User},
    doorkeeper::Denied,
    session::{DeviceToken, Strength},
    store::ChangeError,
};
use std::sync::Arc;
use tokio::{sync::Barrier, task::JoinSet};

fn reason() -> Reason {
    "Resells tickets".parse().unwrap()
}

fn demotion() -> Change {
    Change { role: Some(Role::User), ..Change::default() }
}

/// An act of one ADMIN on another that leaves one less.
#[derive(Debug, Clone, Copy)]
enum Act {
    Demote,
    Delete,
    Suspend,
}

impl House {
    async fn act(&self, act: Act, on: UserId, by: Requester) -> Result<(), ChangeError> {
        match act {
            Act::Demote => self.users.change(on, &demotion(), by, &trace()).await.map(|_| ()),
            Act::Delete => self.users.delete(on, by, &trace()).await,
            Act::Suspend => self.users.suspend(on, &reason(), by, &trace()).await.map(|_| ()),
        }
    }

    /// How many of these may act as ADMIN.
    async fn left_of(&self, admins: &[&User]) -> usize {
        let mut left = 0;
        for admin in admins {
            left += usize::from(self.users.get(admin.id).await.unwrap().is_some_and(|user| user.is_acting_admin()));
        }
        left
    }
}

/// How many ADMINs are counted.
async fn counted(database: &Database) -> String {
    let items = database.items(Table::Users).await;
    let count = items.iter().find(|item| item["sk"].as_s().unwrap() == "COUNT").unwrap();
    count["count"].as_n().unwrap().clone()
}

/// Makes the count another.
async fn recount(database: &Database, count: u64) {
    let client = database.client();
    let put = client.put_item().table_name(database.table(Table::Users)).item("pk", text("ADMINS"));
    put.item("sk", text("COUNT")).item("count", number(count)).send().await.unwrap();
}

#[tokio::test]
async fn two_admins_who_demote_each_other_at_once_leave_one() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        for (one, other) in [(Act::Demote, Act::Demote), (Act::Delete, Act::Demote), (Act::Suspend, Act::Delete)] {
            // With a third, so that only the actor's standing is in the way.
            let (ada, grace, third) = (house.new_admin().await, house.new_admin().await, house.new_admin().await);
            let mut running = JoinSet::new();
            for (act, by, on) in [(one, &ada, &grace), (other, &grace, &ada)] {
                let (house, by, on) = (house.clone(), acting(by), on.id);
                running.spawn(async move { house.act(act, on, by).await });
            }
            let (done, refused): (Vec<_>, Vec<_>) = running.join_all().await.into_iter().partition(Result::is_ok);
            assert_eq!(done.len(), 1, "{one:?} {other:?}: {refused:?}");
            assert!(matches!(refused[..], [Err(ChangeError::ActorGone)]), "{one:?} {other:?}: {refused:?}");
            assert_eq!(house.left_of(&[&ada, &grace, &third]).await, 2);
        }
        assert_eq!(counted(&database).await, "6");
    })
    .await;
}

/// The control: the same race, with the actor's standing looked at before the write and not in its condition, leaves none of the two.
#[tokio::test]
async fn control_without_the_actor_s_standing_in_the_condition_two_admins_demote_each_other() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let (ada, grace) = (house.new_admin().await, house.new_admin().await);
        let (both_have_looked, mut running) = (Arc::new(Barrier::new(2)), JoinSet::new());
        for (by, on) in [(&ada, &grace), (&grace, &ada)] {
            let (house, both_have_looked) = (house.clone(), Arc::clone(&both_have_looked));
            let (by, on, table) = (by.clone(), on.id, database.table(Table::Users).to_owned());
            let client = database.client();
            running.spawn(async move {
                let acts = house.left_of(&[&by]).await == 1;
                both_have_looked.wait().await;
                if acts {
                    let update = client.update_item().table_name(table).key("sk", text("PROFILE"));
                    let update =
                        update.key("pk", text(format_args!("USER#{on}"))).update_expression("SET #role = :user");
                    let update = update.expression_attribute_names("#role", "role");
                    update.expression_attribute_values(":user", text("USER")).send().await.unwrap();
                }
                acts
            });
        }
        assert_eq!(running.join_all().await, [true, true], "each saw the other's standing");
        assert_eq!(house.left_of(&[&ada, &grace]).await, 0);
    })
    .await;
}

#[tokio::test]
async fn the_last_admin_who_may_log_in_is_neither_demoted_nor_deleted_nor_suspended() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let (root, other) = (house.new_admin().await, house.new_admin().await);
        // Their tokens stand, whatever the count says: so it is the count that refuses.
        recount(&database, 1).await;
        for act in [Act::Demote, Act::Delete, Act::Suspend] {
            let refused = house.act(act, root.id, acting(&other)).await;
            assert!(matches!(refused, Err(ChangeError::Refused(Refusal::LastAdmin))), "{act:?}: {refused:?}");
        }
        assert_eq!(house.left_of(&[&root, &other]).await, 2);
        recount(&database, 2).await;
        house.act(Act::Suspend, root.id, acting(&other)).await.unwrap();
        assert_eq!(counted(&database).await, "1");
        // One who is suspended is not counted, so nobody is missed when they go.
        house.act(Act::Delete, root.id, acting(&other)).await.unwrap();
        assert_eq!(counted(&database).await, "1");
    })
    .await;
}

#[tokio::test]
async fn admins_are_counted_once_and_the_count_follows_every_change() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let root = house.admin().await;
        let ada = house.ada().await;
        let promotion = Change { role: Some(Role::Admin), ..Change::default() };
        house.users.change(ada.id, &promotion, root, &trace()).await.unwrap();
        assert_eq!(counted(&database).await, "2");
        // As on a stack from before there was a count.
        database
            .client()
            .delete_item()
            .table_name(database.table(Table::Users))
            .key("pk", text("ADMINS"))
            .key("sk", text("COUNT"))
            .send()
            .await
            .unwrap();
        let uncounted = house.users.change(ada.id, &demotion(), root, &trace()).await;
        assert!(matches!(uncounted, Err(ChangeError::Store(_))), "{uncounted:?}");
        for _ in 0..2 {
            house.users.count_admins().await.unwrap();
            assert_eq!(counted(&database).await, "2");
        }
        house.users.suspend(ada.id, &reason(), root, &trace()).await.unwrap();
        assert_eq!(counted(&database).await, "1");
        house.users.reinstate(ada.id, &reason(), root, &trace()).await.unwrap();
        assert_eq!(counted(&database).await, "2");
        house.users.change(ada.id, &demotion(), root, &trace()).await.unwrap();
        assert_eq!(counted(&database).await, "1");
    })
    .await;
}

#[tokio::test]
async fn a_suspended_user_is_out_at_once_and_logs_in_again_once_reinstated() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let (root, ada) = (house.admin().await, house.ada().await);
        let session = house.session(&ada).await;
        let before = house.admit("ada", PASSWORD).await.unwrap();
        for _ in 0..2 {
            let suspended = house.users.suspend(ada.id, &reason(), root, &trace()).await.unwrap();
            assert_eq!(suspended.suspension.as_ref().unwrap().by, root.id);
            assert_eq!(house.stored(ada.id).await, suspended);
        }
        assert!(!house.admits(&session).await);
        assert!(house.renew(&session.token).await.is_err());
        let denied = house.admit("ada", PASSWORD).await;
        assert!(matches!(denied, Err(Denied::Suspended)), "{denied:?}");
        // Only the right password learns of it, and a log-in that was under way opens no session.
        let wrong = house.admit("ada", "incorrect horse").await;
        assert!(matches!(wrong, Err(Denied::Wrong)), "{wrong:?}");
        let opened =
            house.sessions.open(ada.id, before.generation, Strength::Password, &DeviceToken::issue().unwrap()).await;
        assert!(opened.is_err());

        for _ in 0..2 {
            assert_eq!(house.users.reinstate(ada.id, &reason(), root, &trace()).await.unwrap().suspension, None);
        }
        house.admit("ada", PASSWORD).await.unwrap();
        assert_eq!(database.history(ada.id).await, ["UserCreated", "UserSuspended", "UserReinstated"]);
        let own = house.users.suspend(root.id, &reason(), root, &trace()).await;
        assert!(matches!(own, Err(ChangeError::Refused(Refusal::OwnSuspension))), "{own:?}");
    })
    .await;
}

#[tokio::test]
async fn an_actor_whose_session_has_ended_changes_nothing() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let (root, ada) = (house.admin().await, house.ada().await);
        house.sessions.end(root.id, root.session).await.unwrap();
        let change = Change { first_name: Some("Eve".parse().unwrap()), ..Change::default() };
        let refused = [
            house.users.change(ada.id, &change, root, &trace()).await.map(|_| ()),
            house.users.suspend(ada.id, &reason(), root, &trace()).await.map(|_| ()),
            house.users.delete(ada.id, root, &trace()).await,
        ];
        for refusal in refused {
            assert!(matches!(refusal, Err(ChangeError::ActorGone)), "{refusal:?}");
        }
        assert_eq!(house.stored(ada.id).await, ada);
    })
    .await;
}
