//! Changes of a ticket: AP-52, AP-53, AP-55, AP-61 and AP-62.

use crate::fixture::BoxOffice;
use boxoffice_aws::transaction::Written;
use boxoffice_inventory::{domain::ReservationState, store::Release};
use boxoffice_kernel::{TicketId, Timestamp};
use boxoffice_testing::{Table, for_each_dynamodb, trace};
use boxoffice_tickets::{
    domain::{CancellationReason, Status, Unchanged},
    store::ChangeError,
};
use std::time::Duration;
use tokio::task::JoinSet;

#[tokio::test]
async fn confirming_sells_the_seats_with_the_ticket() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let ticket = office.ticket(event.id, 3).await;
        office.sale.confirm(ticket.id, &trace()).await.unwrap();

        let confirmed = office.stored(ticket.id).await;
        assert_eq!((confirmed.status, confirmed.version), (Status::Confirmed, 2));
        let reservation = office.inventory.reservation(ticket.id).await.unwrap().unwrap();
        assert_eq!(reservation.state, ReservationState::Sold);
        assert_eq!(database.seats(event.id).await.counts(), (7, 0, 3));
        assert_eq!(database.history(ticket.id).await, ["TicketCreated", "TicketConfirmed"]);
        assert_eq!(database.history(reservation.id).await, ["InventoryReserved", "InventorySold"]);
    })
    .await;
}

#[tokio::test]
async fn a_ticket_is_confirmed_once_however_often_and_at_once() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let ticket = office.ticket(event.id, 3).await;
        office.ticket(event.id, 3).await;
        let mut running = JoinSet::new();
        for _ in 0..6 {
            let office = office.clone();
            running.spawn(async move { office.sale.confirm(ticket.id, &trace()).await.unwrap() });
        }
        running.join_all().await;
        office.sale.confirm(ticket.id, &trace()).await.unwrap();
        assert_eq!(database.seats(event.id).await.counts(), (4, 3, 3));
        assert_eq!(database.history(ticket.id).await, ["TicketCreated", "TicketConfirmed"]);
    })
    .await;
}

#[tokio::test]
async fn a_ticket_that_is_asked_to_expire_is_not_confirmed_any_more() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let ticket = office.ticket(event.id, 3).await;
        let over = ticket.hold_expires_at;
        let early = office.tickets.take_back(&ticket, Timestamp::now(), &trace()).await.unwrap();
        assert_eq!(early, Written::Stale, "its hold is not over");
        assert_eq!(office.tickets.take_back(&ticket, over, &trace()).await.unwrap(), Written::Yes);
        let late = office.sale.confirm(ticket.id, &trace()).await;
        assert!(matches!(late, Err(ChangeError::Unchanged(Unchanged::ExpiryRequested(at))) if at == over), "{late:?}");
        assert_eq!(database.history(ticket.id).await, ["TicketCreated", "TicketExpiryRequested"]);
        assert_eq!(database.seats(event.id).await.counts(), (7, 3, 0));
        // Its buyer may still want out, which the saga's undo hears of too.
        office.sale.request_cancellation(ticket.id, ticket.user_id, &trace()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_confirmed_ticket_is_never_asked_to_expire() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        for _ in 0..5 {
            let seen = office.ticket(event.id, 1).await;
            let trace = trace();
            let (confirmed, expired) = tokio::join!(
                office.sale.confirm(seen.id, &trace),
                office.tickets.take_back(&seen, seen.hold_expires_at, &trace)
            );
            let expired = expired.unwrap() == Written::Yes;
            assert_ne!(confirmed.is_ok(), expired, "of the two one wins");
            let now = office.stored(seen.id).await;
            if !expired {
                let late = office.tickets.take_back(&now, seen.hold_expires_at, &trace).await.unwrap();
                assert_eq!((late, now.status), (Written::Stale, Status::Confirmed));
                assert_eq!(database.history(seen.id).await, ["TicketCreated", "TicketConfirmed"]);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_ticket_the_buyer_wants_out_of_is_not_confirmed() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let ticket = office.ticket(event.id, 3).await;
        office.sale.request_cancellation(ticket.id, ticket.user_id, &trace()).await.unwrap();
        let refused = office.sale.confirm(ticket.id, &trace()).await;
        assert!(matches!(refused, Err(ChangeError::Unchanged(Unchanged::CancellationRequested(_)))), "{refused:?}");
        assert_eq!(database.seats(event.id).await.counts(), (7, 3, 0));
        assert_eq!(database.history(ticket.id).await, ["TicketCreated", "TicketCancellationRequested"]);
    })
    .await;
}

#[tokio::test]
async fn a_wish_to_cancel_and_a_confirmation_at_once_leave_no_ticket_that_missed_the_wish() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(20).await;
        for _ in 0..5 {
            let ticket = office.ticket(event.id, 1).await;
            let trace = trace();
            let (confirmed, wished) = tokio::join!(
                office.sale.confirm(ticket.id, &trace),
                office.sale.request_cancellation(ticket.id, ticket.user_id, &trace)
            );
            // Either order is right; what must not be is a wish that vanished.
            wished.unwrap();
            let stored = office.stored(ticket.id).await;
            assert!(stored.cancellation_requested_at.is_some());
            assert_eq!(stored.status == Status::Confirmed, confirmed.is_ok(), "{confirmed:?}");
            assert_eq!(database.events_of(ticket.id).await.len() as u64, stored.version);
        }
        database.seats(event.id).await;
    })
    .await;
}

#[tokio::test]
async fn a_ticket_whose_seats_were_released_is_not_confirmed() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let ticket = office.ticket(event.id, 3).await;
        office.inventory.release(ticket.id, "HoldExpired", &trace()).await.unwrap();
        let refused = office.sale.confirm(ticket.id, &trace()).await;
        assert!(matches!(refused, Err(ChangeError::HoldLost)), "{refused:?}");
        assert_eq!(office.stored(ticket.id).await, ticket);

        office.inventory.renew(ticket.id, &trace()).await.unwrap();
        office.sale.confirm(ticket.id, &trace()).await.unwrap();
        assert_eq!(database.seats(event.id).await.counts(), (7, 0, 3));
    })
    .await;
}

#[tokio::test]
async fn a_confirmation_and_a_release_at_once_never_confirm_a_ticket_without_its_seats() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(20).await;
        for _ in 0..5 {
            let ticket = office.ticket(event.id, 1).await;
            let trace = trace();
            let (confirmed, released) = tokio::join!(
                office.sale.confirm(ticket.id, &trace),
                office.inventory.release(ticket.id, "HoldExpired", &trace)
            );
            assert_eq!(released.unwrap(), Release::Done);
            match confirmed {
                // It came first; the release then took sold seats back, as it does when a sale is undone.
                Ok(()) => assert_eq!(database.events_of(ticket.id.reservation()).await.len(), 3),
                Err(ChangeError::HoldLost) => assert_eq!(office.stored(ticket.id).await.status, Status::Pending),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(database.seats(event.id).await.counts(), (20, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_ticket_is_cancelled_once_and_says_why() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let ticket = office.ticket(event.id, 1).await;
        let reason = CancellationReason::PaymentDeclined;
        let cancelled = office.tickets.cancel(ticket.id, reason, &trace()).await.unwrap();
        assert_eq!(office.stored(ticket.id).await, cancelled);
        assert_eq!((cancelled.status, cancelled.cancellation_reason), (Status::Cancelled, Some(reason)));
        for _ in 0..2 {
            let again = office.tickets.cancel(ticket.id, CancellationReason::HoldExpired, &trace()).await;
            assert!(matches!(again, Err(ChangeError::Unchanged(Unchanged::Already(Status::Cancelled)))), "{again:?}");
        }
        assert_eq!(office.stored(ticket.id).await, cancelled);
        assert_eq!(database.history(ticket.id).await, ["TicketCreated", "TicketCancelled"]);
        assert_eq!(database.events_of(ticket.id).await[1].data()["cancellationReason"], "PAYMENT_DECLINED");
        let confirmed = office.sale.confirm(ticket.id, &trace()).await;
        assert!(matches!(confirmed, Err(ChangeError::Unchanged(Unchanged::Never(Status::Cancelled)))), "{confirmed:?}");
    })
    .await;
}

#[tokio::test]
async fn many_cancellations_at_once_cancel_once() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let ticket = office.ticket(event.id, 1).await;
        let mut running = JoinSet::new();
        for _ in 0..6 {
            let office = office.clone();
            running.spawn(async move {
                office.tickets.cancel(ticket.id, CancellationReason::HoldExpired, &trace()).await.is_ok()
            });
        }
        assert_eq!(running.join_all().await.into_iter().filter(|cancelled| *cancelled).count(), 1);
        assert_eq!(database.history(ticket.id).await, ["TicketCreated", "TicketCancelled"]);
    })
    .await;
}

#[tokio::test]
async fn a_confirmed_ticket_is_cancelled_on_the_buyers_wish_which_is_the_reason() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let ticket = office.ticket(event.id, 1).await;
        office.sale.confirm(ticket.id, &trace()).await.unwrap();
        office.sale.request_cancellation(ticket.id, ticket.user_id, &trace()).await.unwrap();
        // Still confirmed, and confirming again is still nothing new: the saga decides what comes next.
        office.sale.confirm(ticket.id, &trace()).await.unwrap();
        office.tickets.cancel(ticket.id, CancellationReason::PaymentRefunded, &trace()).await.unwrap();

        let cancelled = office.stored(ticket.id).await;
        assert_eq!(cancelled.cancellation_reason, Some(CancellationReason::CancelledByBuyer));
        assert_eq!(
            database.history(ticket.id).await,
            ["TicketCreated", "TicketConfirmed", "TicketCancellationRequested", "TicketCancelled"]
        );
    })
    .await;
}

#[tokio::test]
async fn a_wish_to_cancel_is_written_once() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let ticket = office.ticket(event.id, 1).await;
        let wished = office.sale.request_cancellation(ticket.id, ticket.user_id, &trace()).await.unwrap();
        assert_eq!(office.stored(ticket.id).await, wished);
        let again = office.sale.request_cancellation(ticket.id, ticket.user_id, &trace()).await;
        let at = wished.cancellation_requested_at.unwrap();
        assert!(
            matches!(again, Err(ChangeError::Unchanged(Unchanged::CancellationRequested(first))) if first == at),
            "{again:?}"
        );
        assert_eq!(database.history(ticket.id).await, ["TicketCreated", "TicketCancellationRequested"]);

        office.tickets.cancel(ticket.id, CancellationReason::HoldExpired, &trace()).await.unwrap();
        let too_late = office.sale.request_cancellation(ticket.id, ticket.user_id, &trace()).await;
        assert!(matches!(too_late, Err(ChangeError::Unchanged(Unchanged::Already(Status::Cancelled)))), "{too_late:?}");
    })
    .await;
}

#[tokio::test]
async fn nobody_cancels_a_ticket_after_its_event_began() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale_from(10, Timestamp::now().plus_seconds(2)).await;
        let ticket = office.ticket(event.id, 1).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let refused = office.sale.request_cancellation(ticket.id, ticket.user_id, &trace()).await;
        assert!(matches!(refused, Err(ChangeError::Unchanged(Unchanged::EventBegan(_)))), "{refused:?}");
        assert_eq!(database.history(ticket.id).await, ["TicketCreated"]);
    })
    .await;
}

#[tokio::test]
async fn a_ticket_is_completed_once_its_event_has_begun_and_stays_confirmed_to_the_saga() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale_from(10, Timestamp::now().plus_seconds(2)).await;
        let (paid, unpaid) = (office.ticket(event.id, 1).await, office.ticket(event.id, 1).await);
        office.sale.confirm(paid.id, &trace()).await.unwrap();
        let early = office.sale.complete(paid.id, &trace()).await;
        assert!(matches!(early, Err(ChangeError::Unchanged(Unchanged::EventToCome(_)))), "{early:?}");
        tokio::time::sleep(Duration::from_secs(2)).await;

        let mut running = JoinSet::new();
        for _ in 0..4 {
            let office = office.clone();
            running.spawn(async move { office.sale.complete(paid.id, &trace()).await.is_ok() });
        }
        assert_eq!(running.join_all().await.into_iter().filter(|completed| *completed).count(), 1);
        assert_eq!(office.stored(paid.id).await.status, Status::Completed);
        // A step that is repeated because its answer was lost finds its work done, and does not turn the saga back.
        office.sale.confirm(paid.id, &trace()).await.unwrap();
        assert_eq!(database.history(paid.id).await, ["TicketCreated", "TicketConfirmed", "TicketCompleted"]);

        let never = office.sale.complete(unpaid.id, &trace()).await;
        assert!(matches!(never, Err(ChangeError::Unchanged(Unchanged::Never(Status::Pending)))), "{never:?}");
        assert_eq!(database.seats(event.id).await.counts(), (8, 1, 1));
    })
    .await;
}

#[tokio::test]
async fn the_mail_of_a_confirmed_ticket_is_asked_for_and_of_no_other() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let ticket = office.ticket(event.id, 2).await;
        let early = office.tickets.request_mail(ticket.id, &trace()).await;
        assert!(matches!(early, Err(ChangeError::Unchanged(Unchanged::NotConfirmed(Status::Pending)))), "{early:?}");
        office.sale.confirm(ticket.id, &trace()).await.unwrap();
        let asked = office.tickets.request_mail(ticket.id, &trace()).await.unwrap();
        assert_eq!((asked.status, asked.version), (Status::Confirmed, 3));
        office.sale.request_cancellation(ticket.id, ticket.user_id, &trace()).await.unwrap();
        let late = office.tickets.request_mail(ticket.id, &trace()).await;
        assert!(matches!(late, Err(ChangeError::Unchanged(Unchanged::CancellationRequested(_)))), "{late:?}");
        let history = ["TicketCreated", "TicketConfirmed", "TicketMailRequested", "TicketCancellationRequested"];
        assert_eq!(database.history(ticket.id).await, history);
    })
    .await;
}

#[tokio::test]
async fn only_a_ticket_that_is_over_is_deleted_and_then_it_is_gone_but_for_its_history() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let event = office.on_sale(10).await;
        let ticket = office.ticket(event.id, 1).await;
        let refused = office.tickets.delete(ticket.id, &trace()).await;
        assert!(matches!(refused, Err(ChangeError::Unchanged(Unchanged::NotSettled(Status::Pending)))), "{refused:?}");
        office.tickets.cancel(ticket.id, CancellationReason::HoldExpired, &trace()).await.unwrap();

        let mut running = JoinSet::new();
        for _ in 0..4 {
            let office = office.clone();
            running.spawn(async move { office.tickets.delete(ticket.id, &trace()).await.is_ok() });
        }
        assert_eq!(running.join_all().await.into_iter().filter(|deleted| *deleted).count(), 1);
        assert_eq!(office.tickets.get(ticket.id).await.unwrap(), None);
        assert_eq!(database.history(ticket.id).await, ["TicketCreated", "TicketCancelled", "TicketDeleted"]);
        // Marked, not erased.
        assert!(database.items(Table::Tickets).await.iter().any(|item| item.contains_key("deletedAt")));
    })
    .await;
}

#[tokio::test]
async fn a_ticket_nobody_booked_is_not_found() {
    for_each_dynamodb(|database| async move {
        let office = BoxOffice::new(&database);
        let nobody = TicketId::generate();
        assert_eq!(office.tickets.get(nobody).await.unwrap(), None);
        let confirmed = office.sale.confirm(nobody, &trace()).await;
        assert!(matches!(confirmed, Err(ChangeError::NotFound)), "{confirmed:?}");
        let cancelled = office.tickets.cancel(nobody, CancellationReason::HoldExpired, &trace()).await;
        assert!(matches!(cancelled, Err(ChangeError::NotFound)), "{cancelled:?}");
        let wished = office.sale.request_cancellation(nobody, boxoffice_kernel::UserId::generate(), &trace()).await;
        assert!(matches!(wished, Err(ChangeError::NotFound)), "{wished:?}");
        let completed = office.sale.complete(nobody, &trace()).await;
        assert!(matches!(completed, Err(ChangeError::NotFound)), "{completed:?}");
        let deleted = office.tickets.delete(nobody, &trace()).await;
        assert!(matches!(deleted, Err(ChangeError::NotFound)), "{deleted:?}");
        assert!(database.events().await.is_empty());
    })
    .await;
}
