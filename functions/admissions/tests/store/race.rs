//! Many scanners at once, and the control that proves these tests would notice: the same race with the condition taken out of the write lets in more than one.

use crate::fixture::{Venue, device, nonce, stopped};
use aws_sdk_dynamodb::types::AttributeValue;
use boxoffice_admission::{Stop, Verdict};
use boxoffice_admissions::door::Way;
use boxoffice_testing::{Table, for_each_dynamodb, trace};
use std::{collections::BTreeSet, sync::Arc};
use tokio::{
    sync::{Barrier, Semaphore},
    task::JoinSet,
};

const SCANNERS: usize = 200;
/// How many of them a small server answers at once.
const IN_FLIGHT: usize = 40;

#[tokio::test]
async fn two_hundred_scanners_admit_one_ticket_once_and_name_the_device_that_did() {
    for_each_dynamodb(|database| async move {
        let venue = Venue::open(&database).await;
        let block = venue.ticket(1).await;
        let (code, start) = (venue.code(&block), Arc::new(Barrier::new(SCANNERS)));
        let lines = Arc::new(Semaphore::new(IN_FLIGHT));
        let mut running = JoinSet::new();
        for number in 0..SCANNERS {
            let (venue, code, start, lines) = (venue.clone(), code.clone(), Arc::clone(&start), Arc::clone(&lines));
            running.spawn(async move {
                let (device, nonce) = (device(&venue.list, &format!("Scanner {number}")), nonce());
                start.wait().await;
                let _line = lines.acquire().await.unwrap();
                (device.id, venue.insist(&device, &code, nonce).await)
            });
        }
        let answers = running.join_all().await;
        let (admitted, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|(_, answered)| answered.verdict == Verdict::In);
        assert_eq!((admitted.len(), refused.len()), (1, SCANNERS - 1));
        for (_, answered) in &refused {
            assert_eq!(stopped(answered), Some(Stop::AlreadyIn));
            let before = answered.passage.as_ref().expect("who let it in, and when");
            assert_eq!(before.device_id, admitted[0].0);
        }
        assert_eq!((venue.inside().await, venue.used(&block).await), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn control_without_its_condition_the_same_race_admits_more_than_one() {
    for_each_dynamodb(|database| async move {
        let venue = Venue::open(&database).await;
        let block = venue.ticket(1).await;
        let admission = block.at(1).unwrap().id;
        let all_have_read = Arc::new(Barrier::new(20));
        let mut running = JoinSet::new();
        for _ in 0..20 {
            let (venue, all_have_read) = (venue.clone(), Arc::clone(&all_have_read));
            running.spawn(async move {
                let passage = venue.doors.passage(venue.list.id, admission).await.unwrap();
                all_have_read.wait().await;
                if passage.is_some() {
                    return false;
                }
                let put = venue.database.client().put_item().table_name(venue.database.table(Table::Admissions));
                let put = put
                    .item("pk", AttributeValue::S(format!("CHK#{}#{admission}", venue.list.id)))
                    .item("sk", AttributeValue::S("PASSAGE".into()));
                put.send().await.is_ok()
            });
        }
        let admitted = running.join_all().await.into_iter().filter(|admitted| *admitted).count();
        assert!(admitted > 1, "everybody had read before anybody wrote, yet {admitted} came in");
    })
    .await;
}

#[tokio::test]
async fn a_cancellation_and_an_entry_at_once_have_one_winner_each_time() {
    const TIMES: usize = 200;
    for_each_dynamodb(|database| async move {
        let venue = Venue::open(&database).await;
        let mut running = JoinSet::new();
        // Eight at a time: each is a race of two.
        for lane in 0..8 {
            let venue = venue.clone();
            running.spawn(async move {
                let mut won = Vec::new();
                for _ in (lane..TIMES).step_by(8) {
                    let block = venue.ticket(1).await;
                    let code = venue.code(&block);
                    let cancelling = async {
                        let revocation = venue.admissions.revoke_unused(&block, &trace()).unwrap();
                        revocation.commit(&venue.database.client()).await.is_ok()
                    };
                    let (cancelled, answered) = tokio::join!(cancelling, venue.scan(&code, Way::Entry));
                    let entered = answered.verdict == Verdict::In;
                    assert!(entered != cancelled, "entered: {entered}, cancelled: {cancelled}, {answered:?}");
                    if cancelled {
                        assert_eq!(stopped(&answered), Some(Stop::Revoked));
                    }
                    assert_eq!(venue.used(&block).await, u32::from(entered));
                    won.push(entered);
                }
                won
            });
        }
        let won: Vec<bool> = running.join_all().await.into_iter().flatten().collect();
        assert_eq!(won.len(), TIMES);
        let entries = u64::try_from(won.iter().filter(|entered| **entered).count()).unwrap();
        assert_eq!(venue.inside().await, entries);
    })
    .await;
}

#[tokio::test]
async fn many_people_at_many_devices_are_counted_exactly() {
    for_each_dynamodb(|database| async move {
        let venue = Venue::open(&database).await;
        let blocks: Vec<_> = tickets(&venue, 4).await;
        let mut running = JoinSet::new();
        for block in blocks {
            for place in 1..=block.quantity.get() {
                let (venue, code) = (venue.clone(), venue.signed(Venue::facts(&block, place)));
                running.spawn(async move { venue.scan(&code, Way::Entry).await.verdict });
            }
        }
        let verdicts: BTreeSet<_> = running.join_all().await.into_iter().map(|it| format!("{it:?}")).collect();
        assert_eq!(verdicts, ["In".to_owned()].into());
        assert_eq!(venue.inside().await, 40);
    })
    .await;
}

async fn tickets(venue: &Venue, many: usize) -> Vec<boxoffice_admissions::domain::Block> {
    let mut blocks = Vec::new();
    for _ in 0..many {
        blocks.push(venue.ticket(10).await);
    }
    blocks
}
