//! A user's bookings: AP-128.

use crate::fixture::{Desk, Story, on_sale};
use boxoffice_aws::{ListError, Page};
use boxoffice_kernel::{InventoryId, TicketId, UserId};
use boxoffice_reporting::store::Booked;
use boxoffice_testing::for_each_dynamodb;
use boxoffice_tickets::domain::Status;
use serde_json::{Value, json};

/// Every ticket of the list, page by page.
async fn tickets(desk: &Desk, user: UserId, limit: &str) -> Vec<TicketId> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let Page { items, next } = desk.views.bookings(user, limit.parse().unwrap(), cursor).await.unwrap();
        assert!(items.len() <= limit.parse().unwrap());
        found.extend(items.into_iter().map(|booked| booked.booking.ticket_id));
        let Some(next) = next else { return found };
        cursor = Some(next.to_string().parse().unwrap());
    }
}

async fn first(desk: &Desk, user: UserId) -> Booked {
    desk.views.bookings(user, "1".parse().unwrap(), None).await.unwrap().items.remove(0)
}

fn user_deleted(user: UserId) -> Value {
    let mut event = Story::by(user, InventoryId::generate()).event("TicketCreated", 1);
    event["metadata"]["eventType"] = json!("UserDeleted");
    event["metadata"]["aggregateId"] = json!(user);
    event["data"] = json!({ "userId": user });
    event
}

#[tokio::test]
async fn a_booking_is_shown_with_its_event_as_it_is_now_and_its_payment() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        let story = Story::new(inventory);
        let [created, updated] = on_sale(inventory);
        desk.project(&story.sold()).await;
        assert_eq!(first(&desk, story.user).await.event, None);
        desk.project(&[created, updated]).await;
        let Booked { booking, event } = first(&desk, story.user).await;
        assert_eq!((booking.status(), event.unwrap().version), (Status::Confirmed, 2));
        assert_eq!(booking.payment.unwrap().version, 3);
    })
    .await;
}

#[tokio::test]
async fn every_booking_is_listed_once_newest_first_whatever_the_page() {
    for_each_dynamodb(|database| async move {
        let (desk, user) = (Desk::new(&database), UserId::generate());
        let stories: Vec<Story> = (0..7).map(|_| Story::by(user, InventoryId::generate())).collect();
        for story in &stories {
            desk.project(&story.booked()).await;
        }
        desk.project(&Story::new(InventoryId::generate()).booked()).await;
        let newest_first: Vec<TicketId> = stories.iter().rev().map(|story| story.ticket).collect();
        for limit in ["1", "3", "7", "100"] {
            assert_eq!(tickets(&desk, user, limit).await, newest_first, "by {limit}");
        }
    })
    .await;
}

#[tokio::test]
async fn no_page_is_empty_while_another_follows_however_many_bookings_were_deleted() {
    for_each_dynamodb(|database| async move {
        let (desk, user) = (Desk::new(&database), UserId::generate());
        let stories: Vec<Story> = (0..24).map(|_| Story::by(user, InventoryId::generate())).collect();
        let kept: Vec<&Story> = stories.iter().take(8).collect();
        for story in &stories {
            desk.project(&story.booked()).await;
        }
        for story in &stories[8..] {
            desk.project(&[story.event("TicketCancelled", 2), story.event("TicketDeleted", 3)]).await;
        }
        // A payment whose ticket is not known yet is no booking to show either.
        desk.project(&[Story::by(user, InventoryId::generate()).event("PaymentInitiated", 1)]).await;
        for (limit, expected) in [("1", vec![1; 8]), ("3", vec![3, 3, 2]), ("8", vec![8]), ("100", vec![8])] {
            let (mut sizes, mut found, mut cursor) = (Vec::new(), Vec::new(), None);
            loop {
                let page = desk.views.bookings(user, limit.parse().unwrap(), cursor).await.unwrap();
                sizes.push(page.items.len());
                found.extend(page.items.into_iter().map(|booked| booked.booking.ticket_id));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(sizes, expected, "by {limit}");
            assert_eq!(found, kept.iter().rev().map(|story| story.ticket).collect::<Vec<_>>(), "by {limit}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_cursor_outlives_a_rebuild_and_fits_no_other_list() {
    for_each_dynamodb(|database| async move {
        let (desk, user) = (Desk::new(&database), UserId::generate());
        for _ in 0..3 {
            let booked = Story::by(user, InventoryId::generate()).booked();
            desk.append(&booked).await;
            desk.project(&booked).await;
        }
        let page = desk.views.bookings(user, "2".parse().unwrap(), None).await.unwrap();
        let events = database.table(boxoffice_testing::Table::Events);
        desk.projector.rebuild(&database.client(), events, |_| {}).await.unwrap();
        let rest = desk.views.bookings(user, "2".parse().unwrap(), page.next.clone()).await.unwrap();
        assert_eq!((rest.items.len(), rest.next), (1, None));
        let elsewhere = desk.views.bookings(UserId::generate(), "2".parse().unwrap(), page.next).await;
        assert!(matches!(elsewhere, Err(ListError::Cursor(_))), "{elsewhere:?}");
    })
    .await;
}

#[tokio::test]
async fn the_list_of_a_user_who_is_gone_is_empty_and_the_sales_stay() {
    for_each_dynamodb(|database| async move {
        let (desk, inventory) = (Desk::new(&database), InventoryId::generate());
        desk.project(&on_sale(inventory)).await;
        for late in [false, true] {
            let story = Story::new(inventory);
            let (gone, sold) = (user_deleted(story.user), story.sold());
            let deliveries = if late { [vec![gone], sold].concat() } else { [sold, vec![gone]].concat() };
            for event in deliveries {
                desk.project(&[event]).await;
            }
            assert_eq!(tickets(&desk, story.user, "20").await, []);
        }
        assert_eq!(desk.shown(inventory).await, (0, 4, 0, 2 * 9980, 0));
    })
    .await;
}
