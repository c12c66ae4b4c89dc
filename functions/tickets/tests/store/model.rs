//! Random sequences of everything that moves seats, against a model that a reader can check in their head.
//!
//! A run prints its seed when it fails; `BOXOFFICE_MODEL_SEED=<seed>` runs that one again.

use crate::fixture::{BoxOffice, fresh_key, order, quantity};
use boxoffice_inventory::{
    domain::{NotForSale, Revision, Unchangeable},
    store::{Release, Renewal, SeatsError, UpdateError},
};
use boxoffice_kernel::{InventoryId, TicketId};
use boxoffice_testing::{for_each_dynamodb, trace};
use boxoffice_tickets::{
    domain::{CancellationReason, Status, Unchanged},
    store::{BookError, ChangeError, Outcome},
};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use std::time::{SystemTime, UNIX_EPOCH};

const SEQUENCES: u64 = 3;
const STEPS: usize = 40;
const SHARDS: [u32; 3] = [4, 4, 3];

/// One move; a ticket is named by its place among those booked so far, wrapping around.
#[derive(Debug, Clone, Copy)]
enum Move {
    Book(u32),
    Confirm(usize),
    Release(usize),
    Renew(usize),
    WishToCancel(usize),
    Cancel(usize),
    Resize(u32),
    ReserveByHand(u32),
    ReturnByHand(u32),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        5 => (1..6_u32).prop_map(Move::Book),
        3 => any::<usize>().prop_map(Move::Confirm),
        3 => any::<usize>().prop_map(Move::Release),
        2 => any::<usize>().prop_map(Move::Renew),
        1 => any::<usize>().prop_map(Move::WishToCancel),
        1 => any::<usize>().prop_map(Move::Cancel),
        2 => (1..24_u32).prop_map(Move::Resize),
        2 => (1..5_u32).prop_map(Move::ReserveByHand),
        2 => (1..5_u32).prop_map(Move::ReturnByHand),
    ];
    prop::collection::vec(one, STEPS)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seats {
    Held,
    Sold,
    Released,
}

#[derive(Debug, Clone, Copy)]
struct Ticket {
    id: TicketId,
    quantity: u32,
    seats: Seats,
    status: Status,
    wished: bool,
}

/// The expected counters.
#[derive(Debug, Default)]
struct Model {
    total: u32,
    reserved: u32,
    tickets: Vec<Ticket>,
}

impl Model {
    fn seats_that_are(&self, seats: Seats) -> u32 {
        self.tickets.iter().filter(|ticket| ticket.seats == seats).map(|ticket| ticket.quantity).sum()
    }

    fn held(&self) -> u32 {
        self.seats_that_are(Seats::Held) + self.reserved
    }

    fn available(&self) -> u32 {
        self.total - self.held() - self.seats_that_are(Seats::Sold)
    }

    fn counts(&self) -> (i64, i64, i64) {
        (self.available().into(), self.held().into(), self.seats_that_are(Seats::Sold).into())
    }

    fn pick(&mut self, place: usize) -> Option<&mut Ticket> {
        let place = place.checked_rem(self.tickets.len())?;
        self.tickets.get_mut(place)
    }
}

/// Makes a move in the store and in the model, and compares the answers.
async fn play(office: &BoxOffice, event: InventoryId, model: &mut Model, step: Move) {
    let (available, taken) = (model.available(), model.total - model.available());
    match step {
        Move::Book(seats) => match office.book(&order(event, seats), &fresh_key()).await {
            Ok(Outcome::Created(ticket)) => {
                assert!(seats <= available, "booked {seats} of {available}");
                let (id, status) = (ticket.id, Status::Pending);
                model.tickets.push(Ticket { id, quantity: seats, seats: Seats::Held, status, wished: false });
            }
            Err(BookError::NotForSale(NotForSale::SoldOut { .. })) => {
                assert!(seats > available, "{seats} of {available}");
            }
            other => panic!("{other:?}"),
        },
        Move::Confirm(place) => {
            let Some(ticket) = model.pick(place) else { return };
            let outcome = office.sale.confirm(ticket.id, &trace()).await;
            match (ticket.status, ticket.wished, ticket.seats) {
                (Status::Confirmed, _, _) => outcome.unwrap(),
                (Status::Pending, false, Seats::Held) => {
                    outcome.unwrap();
                    (ticket.status, ticket.seats) = (Status::Confirmed, Seats::Sold);
                }
                (Status::Pending, false, _) => assert!(matches!(outcome, Err(ChangeError::HoldLost)), "{outcome:?}"),
                _ => assert!(matches!(outcome, Err(ChangeError::Unchanged(_))), "{outcome:?}"),
            }
        }
        Move::Release(place) => {
            let Some(ticket) = model.pick(place) else { return };
            let expected = if ticket.seats == Seats::Released { Release::Nothing } else { Release::Done };
            assert_eq!(office.inventory.release(ticket.id, "HoldExpired", &trace()).await.unwrap(), expected);
            ticket.seats = Seats::Released;
        }
        Move::Renew(place) => {
            let Some(ticket) = model.pick(place) else { return };
            let released = ticket.seats == Seats::Released;
            let free = !released || ticket.quantity <= available;
            let expected = if free { Renewal::Held } else { Renewal::Gone };
            assert_eq!(office.inventory.renew(ticket.id, &trace()).await.unwrap(), expected);
            if released && free {
                ticket.seats = Seats::Held;
            }
        }
        Move::WishToCancel(place) => {
            let Some(ticket) = model.pick(place) else { return };
            let outcome =
                office.sale.request_cancellation(ticket.id, boxoffice_kernel::UserId::generate(), &trace()).await;
            if ticket.status == Status::Cancelled || ticket.wished {
                assert!(matches!(outcome, Err(ChangeError::Unchanged(_))), "{outcome:?}");
            } else {
                outcome.unwrap();
                ticket.wished = true;
            }
        }
        Move::Cancel(place) => {
            let Some(ticket) = model.pick(place) else { return };
            let outcome = office.tickets.cancel(ticket.id, CancellationReason::HoldExpired, &trace()).await;
            if ticket.status == Status::Cancelled {
                let already = matches!(outcome, Err(ChangeError::Unchanged(Unchanged::Already(Status::Cancelled))));
                assert!(already, "{outcome:?}");
            } else {
                outcome.unwrap();
                ticket.status = Status::Cancelled;
            }
        }
        Move::Resize(total) => {
            let revision = Revision { total_seats: Some(quantity(total)), ..Revision::default() };
            match office.inventory.update(event, &revision, &trace()).await {
                Ok(_) => {
                    assert!(total >= taken, "{taken} taken, yet {total} in all");
                    model.total = total;
                }
                Err(UpdateError::Unchangeable(Unchangeable::SeatsTaken { .. })) => assert!(total < taken),
                Err(error) => panic!("{error}"),
            }
        }
        Move::ReserveByHand(seats) => match office.inventory.reserve_by_hand(event, quantity(seats), &trace()).await {
            Ok(_) => {
                assert!(seats <= available);
                model.reserved += seats;
            }
            Err(SeatsError::NotForSale(NotForSale::SoldOut { .. })) => assert!(seats > available),
            Err(error) => panic!("{error}"),
        },
        Move::ReturnByHand(seats) => match office.inventory.return_by_hand(event, quantity(seats), &trace()).await {
            Ok(_) => {
                assert!(seats <= model.reserved);
                model.reserved -= seats;
            }
            Err(SeatsError::NotReserved(reserved)) => assert_eq!(reserved, model.reserved),
            Err(error) => panic!("{error}"),
        },
    }
}

fn sequence(seed: u64) -> Vec<Move> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    moves().new_tree(&mut runner).unwrap().current()
}

fn seeds() -> Vec<u64> {
    if let Ok(seed) = std::env::var("BOXOFFICE_MODEL_SEED") {
        return vec![seed.parse().expect("BOXOFFICE_MODEL_SEED is a number")];
    }
    let first = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    (first..).step_by(1_000_003).take(usize::try_from(SEQUENCES).unwrap()).collect()
}

#[tokio::test]
async fn seats_match_the_model_after_any_sequence_of_moves() {
    let seeds = seeds();
    for_each_dynamodb(|database| {
        let seeds = seeds.clone();
        async move {
            let office = BoxOffice::new(&database);
            for seed in seeds {
                let event = office.on_sale_in_shards(&SHARDS).await.id;
                let mut model = Model { total: SHARDS.iter().sum(), ..Model::default() };
                for (number, step) in sequence(seed).into_iter().enumerate() {
                    println!("seed {seed}, step {number}: {step:?}, on {model:?}");
                    play(&office, event, &mut model, step).await;
                    let seats = database.seats(event).await;
                    assert_eq!(seats.counts(), model.counts(), "seed {seed}, step {number}: {step:?}");
                    assert_eq!(seats.reserved, i64::from(model.reserved), "seed {seed}, step {number}: {step:?}");
                }
                for ticket in &model.tickets {
                    let stored = office.stored(ticket.id).await;
                    assert_eq!(stored.status, ticket.status, "seed {seed}: {ticket:?}");
                    assert_eq!(
                        database.events_of(ticket.id).await.len() as u64,
                        stored.version,
                        "seed {seed}: {ticket:?}"
                    );
                }
            }
        }
    })
    .await;
}
