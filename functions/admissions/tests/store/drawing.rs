//! The codes of a ticket as pictures, for its mail.

use crate::fixture::Venue;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use boxoffice_admissions::{
    Office,
    handlers::draw_ticket_codes::{self, MOST},
    keys::{SigningKey, TicketSigner},
    qr,
};
use boxoffice_aws::Secret;
use boxoffice_inventory::{
    InventoryStore,
    domain::{Inventory, PurchaseLimits, Terms},
};
use boxoffice_kernel::{Amount, Currency, Money, Quantity, TicketId, Timestamp};
use boxoffice_testing::{Listener, Table, for_each_dynamodb, trace};
use serde_json::{Value, json};

fn begins() -> Timestamp {
    "2030-06-01T20:00:00Z".parse().unwrap()
}

/// The office of a venue whose event is on sale, with the venue's key in the parameter store.
async fn office(venue: &Venue) -> Office {
    let (client, events) = (venue.database.client(), venue.database.event_store());
    let inventory = InventoryStore::new(client, venue.database.table(Table::Inventory), events);
    let terms = Terms {
        event_name: venue.event.to_string().parse().unwrap(),
        event_date: begins(),
        total_seats: Quantity::new(100).unwrap(),
        price: Money { amount: Amount::from_minor(4990).unwrap(), currency: Currency::Eur },
        location: "Hall".parse().unwrap(),
        limits: PurchaseLimits::WIDEST,
    };
    inventory.create(&Inventory::open(venue.event, terms, Timestamp::now()), &trace()).await.unwrap();
    let key = serde_json::to_string(&venue.key).unwrap();
    let parameters = Listener::answering(move |_, _| (200, json!({ "Parameter": { "Value": key } })));
    let secret = Secret::new(aws_sdk_ssm::Client::new(&parameters.sdk_config()), "/boxoffice/ticket-key");
    Office { admissions: venue.admissions.clone(), inventory, key: SigningKey::new(secret) }
}

async fn drawn(office: &Office, ticket: TicketId) -> Value {
    let question = serde_json::from_value(json!({ "ticketId": ticket })).unwrap();
    serde_json::to_value(draw_ticket_codes::run(office, question).await.unwrap()).unwrap()
}

#[tokio::test]
async fn each_admission_of_a_ticket_is_drawn_with_its_own_code() {
    for_each_dynamodb(|database| async move {
        let venue = Venue::open(&database).await;
        let office = office(&venue).await;
        let block = venue.ticket(2).await;
        let drawn = drawn(&office, block.ticket_id).await;
        assert_eq!((&drawn["admissions"], drawn["codes"].as_array().unwrap().len()), (&json!(2), 2));
        let signer = TicketSigner::new(&venue.key).unwrap();
        for place in 1..=2 {
            let admission = block.at(place).unwrap();
            let code = &drawn["codes"][place as usize - 1];
            let expected = qr::png(&signer.sign(block.facts(admission, begins())).unwrap()).unwrap();
            assert_eq!(code["admissionId"], json!(admission.id));
            assert_eq!(code["serial"], json!(admission.serial.0));
            assert_eq!(BASE64_STANDARD.decode(code["png"].as_str().unwrap()).unwrap(), expected);
        }
        assert_ne!(drawn["codes"][0]["png"], drawn["codes"][1]["png"]);
    })
    .await;
}

#[tokio::test]
async fn a_large_booking_is_drawn_in_part_and_says_how_many_it_has() {
    for_each_dynamodb(|database| async move {
        let venue = Venue::open(&database).await;
        let office = office(&venue).await;
        let block = venue.ticket(MOST + 1).await;
        let drawn = drawn(&office, block.ticket_id).await;
        assert_eq!(drawn["admissions"], json!(MOST + 1));
        assert_eq!(drawn["codes"].as_array().unwrap().len(), MOST as usize);
        // Lambda answers 6 MB, and the mail is smaller yet.
        assert!(drawn.to_string().len() < 100_000, "{} bytes", drawn.to_string().len());
    })
    .await;
}

#[tokio::test]
async fn a_ticket_without_good_admissions_has_nothing_to_draw() {
    for_each_dynamodb(|database| async move {
        let venue = Venue::open(&database).await;
        let office = office(&venue).await;
        assert_eq!(drawn(&office, TicketId::generate()).await, json!({ "admissions": 0, "codes": [] }));
        let block = venue.ticket(2).await;
        venue.admissions.revoke(block.ticket_id, &trace()).await.unwrap();
        assert_eq!(drawn(&office, block.ticket_id).await, json!({ "admissions": 2, "codes": [] }));
    })
    .await;
}
