//! Lists of payments, and taking payments off them: AP-40 to AP-43.

use crate::fixture::{Desk, initiate, pending, store};
use boxoffice_aws::{Cursor, Limit, ListError, Page, transaction::Written};
use boxoffice_kernel::{PaymentId, UserId};
use boxoffice_payments::{
    PaymentStore,
    domain::{NotSettled, Payment, Status},
    store::DeleteError,
};
use boxoffice_testing::{Database, Table, for_each_dynamodb, trace};
use std::collections::HashMap;

fn limit(items: &str) -> Limit {
    items.parse().unwrap()
}

/// One of the lists.
#[derive(Debug, Clone, Copy)]
enum List {
    All,
    Of(UserId),
    With(Status),
}

async fn page(store: &PaymentStore, list: List, next: Option<Cursor>) -> Result<Page<Payment>, ListError> {
    match list {
        List::All => store.list(limit("3"), next).await,
        List::Of(user) => store.list_by_user(user, limit("3"), next).await,
        List::With(status) => store.list_by_status(status, limit("3"), next).await,
    }
}

/// Every payment on the list, page after page.
async fn listed(store: &PaymentStore, list: List) -> Vec<PaymentId> {
    let (mut found, mut next) = (Vec::new(), None);
    loop {
        let page = page(store, list, next).await.unwrap();
        assert!(page.items.len() <= 3, "{page:?}");
        found.extend(page.items.into_iter().map(|payment| payment.id));
        next = page.next.map(|cursor| cursor.to_string().parse().unwrap());
        if next.is_none() {
            return found;
        }
    }
}

/// So many payments of this user, in the order they were made.
async fn payments_of(database: &Database, user_id: UserId, many: usize) -> Vec<PaymentId> {
    let mut made = Vec::new();
    for _ in 0..many {
        let payment = Payment { user_id, ..pending() };
        assert_eq!(initiate(database, &payment, None).await, Written::Yes);
        made.push(payment.id);
    }
    made
}

fn newest_first(ids: &[PaymentId]) -> Vec<PaymentId> {
    let mut ids = ids.to_vec();
    ids.sort();
    ids.reverse();
    ids
}

#[tokio::test]
async fn a_list_has_every_payment_once_newest_first_whatever_the_page() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let (me, other) = (UserId::generate(), UserId::generate());
        let mine = payments_of(&database, me, 8).await;
        let others = payments_of(&database, other, 4).await;
        let all = [mine.clone(), others.clone()].concat();
        assert_eq!(listed(&store, List::Of(me)).await, newest_first(&mine));
        assert_eq!(listed(&store, List::Of(other)).await, newest_first(&others));
        assert_eq!(listed(&store, List::All).await, newest_first(&all));
        assert_eq!(listed(&store, List::With(Status::Pending)).await, newest_first(&all));
        assert!(listed(&store, List::Of(UserId::generate())).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_cursor_goes_on_in_its_own_list_only() {
    for_each_dynamodb(|database| async move {
        let store = store(&database);
        let me = UserId::generate();
        payments_of(&database, me, 4).await;
        let next = page(&store, List::Of(me), None).await.unwrap().next;
        for other in [List::All, List::Of(UserId::generate()), List::With(Status::Pending)] {
            let refused = page(&store, other, next.clone()).await;
            assert!(matches!(refused, Err(ListError::Cursor(_))), "{other:?}: {refused:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_payment_is_on_the_list_of_its_status_now() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        let (waiting, paid, declined) = (desk.pending().await, desk.paid().await, desk.declined().await);
        let called_off = desk.pending().await;
        desk.reverse(&called_off).await.unwrap();
        let given_back = desk.paid().await;
        desk.refund(&given_back).await.unwrap();
        for (status, payment) in [
            (Status::Pending, &waiting),
            (Status::Success, &paid),
            (Status::Failed, &declined),
            (Status::Expired, &called_off),
            (Status::Refunded, &given_back),
        ] {
            assert_eq!(listed(&desk.store, List::With(status)).await, [payment.id], "{status}");
        }
        assert!(listed(&desk.store, List::With(Status::Processing)).await.is_empty());
        assert_eq!(listed(&desk.store, List::All).await.len(), 5);
    })
    .await;
}

/// An index follows its table a moment later, so an entry may be of a status that has passed.
#[tokio::test]
async fn an_entry_that_is_out_of_date_is_not_listed() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let (waiting, paid) = (desk.pending().await, desk.paid().await);
        let entry = boxoffice_aws::List::spread(boxoffice_aws::listing::GSI3, "STATUS#PENDING").entry(paid.id);
        let [(pk, partition), _] = entry;
        set(&database, &paid, &pk, partition).await;
        assert_eq!(listed(&desk.store, List::With(Status::Pending)).await, [waiting.id]);
    })
    .await;
}

async fn set(database: &Database, payment: &Payment, name: &str, value: aws_sdk_dynamodb::types::AttributeValue) {
    let key = |text: String| aws_sdk_dynamodb::types::AttributeValue::S(text);
    database
        .client()
        .update_item()
        .table_name(database.table(Table::Payments))
        .set_key(Some(HashMap::from([
            ("pk".to_owned(), key(format!("PAY#{}", payment.id))),
            ("sk".to_owned(), key("PAYMENT".to_owned())),
        ])))
        .update_expression("SET #name = :value")
        .expression_attribute_names("#name", name)
        .expression_attribute_values(":value", value)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_deleted_payment_is_off_every_list_and_its_record_stays() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let before = desk.declined().await;
        let kept = desk.declined().await;
        desk.store.delete(before.id, &trace()).await.unwrap();
        for list in [List::All, List::With(Status::Failed)] {
            assert_eq!(listed(&desk.store, list).await, [kept.id], "{list:?}");
        }
        assert!(listed(&desk.store, List::Of(before.user_id)).await.is_empty());

        let after = desk.stored(&before).await;
        let deleted_at = after.deleted_at;
        assert!(deleted_at.is_some());
        let marked =
            Payment { deleted_at, updated_at: deleted_at.unwrap(), version: before.version + 1, ..before.clone() };
        assert_eq!(after, marked);
        let history = database.history(before.id).await;
        assert_eq!(history[..3], ["PaymentInitiated", "PaymentProcessing", "PaymentFailed"]);
        assert_eq!(history[history.len() - 2..], ["PaymentFailed", "PaymentDeleted"]);

        let again = desk.store.delete(before.id, &trace()).await;
        assert!(matches!(again, Err(DeleteError::NotFound)), "{again:?}");
        // Later steps of the saga change nothing.
        assert_eq!(desk.reverse(&before).await.unwrap(), after);
        assert_eq!(database.history(before.id).await, history);
    })
    .await;
}

#[tokio::test]
async fn a_payment_that_is_not_over_is_not_deleted() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database);
        for payment in [desk.pending().await, desk.processing().await, desk.paid().await] {
            let refused = desk.store.delete(payment.id, &trace()).await;
            assert!(
                matches!(refused, Err(DeleteError::NotSettled(NotSettled(status))) if status == payment.status),
                "{refused:?}"
            );
            assert_eq!(desk.stored(&payment).await, payment);
        }
        let unknown = desk.store.delete(pending().id, &trace()).await;
        assert!(matches!(unknown, Err(DeleteError::NotFound)), "{unknown:?}");
    })
    .await;
}

#[tokio::test]
async fn one_of_two_concurrent_deletions_of_a_payment_wins() {
    for_each_dynamodb(|database| async move {
        let desk = Desk::new(database.clone());
        let payment = desk.declined().await;
        let trace = trace();
        let (a, b) = tokio::join!(desk.store.delete(payment.id, &trace), desk.store.delete(payment.id, &trace));
        let mut deleted = [a, b].map(|outcome| match outcome {
            Ok(()) => true,
            Err(DeleteError::NotFound) => false,
            Err(error) => panic!("{error}"),
        });
        deleted.sort_unstable();
        assert_eq!(deleted, [false, true]);
        assert_eq!(database.history(payment.id).await.iter().filter(|event| *event == "PaymentDeleted").count(), 1);
    })
    .await;
}
