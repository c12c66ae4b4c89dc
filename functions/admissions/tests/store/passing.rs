//! One person after the other: AP-518 to AP-523.

use crate::fixture::{Venue, device, nonce, stopped};
use boxoffice_admission::{EventTag, Facts, Look, Serial, Stop, Verdict};
use boxoffice_admissions::{
    door::{CheckInList, Way},
    doors::UndoError,
    keys::{PrivateTicketKey, TicketSigner},
};
use boxoffice_testing::{for_each_dynamodb, trace};

#[tokio::test]
async fn an_admission_enters_once_leaves_and_comes_back() {
    for_each_dynamodb(|database| async move {
        let venue = Venue::open(&database).await;
        let block = venue.ticket(2).await;
        let code = venue.code(&block);
        for (way, verdict, inside) in [
            (Way::Exit, Verdict::Stop(Stop::NotInside), 0),
            (Way::Entry, Verdict::In, 1),
            (Way::Entry, Verdict::Stop(Stop::AlreadyIn), 1),
            (Way::Exit, Verdict::Out, 0),
            (Way::Exit, Verdict::Stop(Stop::NotInside), 0),
            (Way::Entry, Verdict::In, 1),
        ] {
            assert_eq!(venue.scan(&code, way).await.verdict, verdict);
            assert_eq!(venue.inside().await, inside);
        }
        assert_eq!(venue.used(&block).await, 1);
        let passages = format!("{}:{}", venue.list.id, block.at(1).unwrap().id);
        assert_eq!(database.history(passages).await, ["AdmissionEntered", "AdmissionLeft", "AdmissionEntered"]);
        let other = venue.signed(Venue::facts(&block, 2));
        assert_eq!(venue.scan(&other, Way::Entry).await.verdict, Verdict::In);
        assert_eq!((venue.used(&block).await, venue.inside().await), (2, 2));
    })
    .await;
}

#[tokio::test]
async fn a_scan_that_is_sent_again_is_one_entry() {
    for_each_dynamodb(|database| async move {
        let venue = Venue::open(&database).await;
        let block = venue.ticket(1).await;
        let (code, device, nonce) = (venue.code(&block), device(&venue.list, "North 1"), nonce());
        let first = venue.present(&device, &code, Way::Entry, nonce).await;
        for _ in 0..3 {
            assert_eq!(venue.present(&device, &code, Way::Entry, nonce).await, first);
        }
        assert_eq!((venue.inside().await, venue.used(&block).await), (1, 1));
        assert_eq!(venue.doors.scans(device.id, 100).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn every_bad_code_is_stopped_for_its_own_reason_and_recorded() {
    for_each_dynamodb(|database| async move {
        let venue = Venue::open(&database).await;
        let block = venue.ticket(2).await;
        let facts = Venue::facts(&block, 1);
        let stranger = |id| TicketSigner::new(&PrivateTicketKey::generate(id).unwrap()).unwrap();
        let revoked = venue.ticket(1).await;
        venue.admissions.revoke(revoked.ticket_id, &trace()).await.unwrap();
        let good = venue.code(&block);
        let mut edited = good.clone();
        edited.replace_range(20..21, if &good[20..21] == "0" { "1" } else { "0" });
        let bad = [
            ("noise", "www.example.com".to_owned(), Stop::NotATicket),
            ("another format", "BO2:ABC".to_owned(), Stop::OtherFormat),
            ("another's signature", stranger(1).sign(facts).unwrap().to_string(), Stop::Forged),
            ("a key that is not published", stranger(7).sign(facts).unwrap().to_string(), Stop::UnknownKey),
            ("an edit", edited, Stop::Forged),
            ("another event", venue.signed(Facts { event: EventTag([0; 8]), ..facts }), Stop::OtherEvent),
            ("expired", venue.signed(Facts { valid_until: 1, ..facts }), Stop::Expired),
            ("not yet valid", venue.signed(Facts { valid_from: u32::MAX, ..facts }), Stop::NotYetValid),
            ("another gate", venue.signed(Facts { gate: 9, ..facts }), Stop::WrongGate),
            ("revoked", venue.code(&revoked), Stop::Revoked),
        ];
        let device = device(&venue.list, "North 1");
        for (what, code, stop) in &bad {
            let answered = venue.present(&device, code, Way::Entry, nonce()).await;
            assert_eq!(stopped(&answered), Some(*stop), "{what}");
        }
        let unknown = venue.signed(Facts { serial: Serial(9999), ..facts });
        let looked = venue.present(&device, &unknown, Way::Entry, nonce()).await;
        assert_eq!(looked.verdict, Verdict::Look(Look::Unrecorded));
        assert_eq!((venue.inside().await, venue.used(&block).await), (0, 0));
        let recorded = venue.doors.scans(device.id, 100).await.unwrap();
        let reasons: Vec<_> = recorded.into_iter().filter_map(|scan| scan.reason).collect();
        let expected = bad.iter().map(|(_, _, stop)| stop.name()).chain([Look::Unrecorded.name()]);
        let (mut reasons, mut expected): (Vec<_>, Vec<_>) = (reasons, expected.map(str::to_owned).collect());
        reasons.sort();
        expected.sort();
        assert_eq!(reasons, expected);
    })
    .await;
}

#[tokio::test]
async fn lists_admit_apart_from_each_other_and_keep_their_own_rules() {
    for_each_dynamodb(|database| async move {
        let mut venue = Venue::open(&database).await;
        let block = venue.ticket(1).await;
        let code = venue.code(&block);
        assert_eq!(venue.scan(&code, Way::Entry).await.verdict, Verdict::In);
        let once = CheckInList { reentry: false, ..crate::fixture::list(venue.event) };
        venue.doors.create_list(&once, &trace()).await.unwrap();
        assert_eq!(venue.doors.list(once.id).await.unwrap().as_ref(), Some(&once));
        venue.list = once;
        assert_eq!(venue.scan(&code, Way::Entry).await.verdict, Verdict::In);
        assert_eq!(venue.scan(&code, Way::Exit).await.verdict, Verdict::Out);
        let back = venue.scan(&code, Way::Entry).await;
        assert_eq!(stopped(&back), Some(Stop::NoReentry));
        let found = venue.doors.lists(venue.event, boxoffice_aws::Limit::default(), None).await.unwrap();
        assert_eq!(found.items.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_supervisor_undoes_the_last_passage_once() {
    for_each_dynamodb(|database| async move {
        let venue = Venue::open(&database).await;
        let block = venue.ticket(1).await;
        let (code, id) = (venue.code(&block), block.at(1).unwrap().id);
        let undo = async || venue.doors.undo(venue.list.id, id, &trace()).await;
        assert!(matches!(undo().await, Err(UndoError::Nothing)));
        venue.scan(&code, Way::Entry).await;
        assert_eq!(undo().await.unwrap().way, None);
        assert_eq!((venue.inside().await, venue.used(&block).await), (0, 0));
        assert!(matches!(undo().await, Err(UndoError::Nothing)));
        // The ticket is as if it had never been scanned.
        assert_eq!(venue.scan(&code, Way::Entry).await.verdict, Verdict::In);
        venue.scan(&code, Way::Exit).await;
        assert_eq!(undo().await.unwrap().way, Some(Way::Entry));
        assert_eq!((venue.inside().await, venue.used(&block).await), (1, 1));
        assert_eq!(stopped(&venue.scan(&code, Way::Entry).await), Some(Stop::AlreadyIn));
    })
    .await;
}

#[tokio::test]
async fn somebody_inside_whose_booking_was_refunded_leaves_and_stays_outside() {
    for_each_dynamodb(|database| async move {
        let venue = Venue::open(&database).await;
        let block = venue.ticket(1).await;
        let code = venue.code(&block);
        venue.scan(&code, Way::Entry).await;
        venue.admissions.revoke(block.ticket_id, &trace()).await.unwrap();
        assert_eq!(venue.scan(&code, Way::Exit).await.verdict, Verdict::Out);
        assert_eq!(venue.inside().await, 0);
        assert_eq!(stopped(&venue.scan(&code, Way::Entry).await), Some(Stop::Revoked));
    })
    .await;
}
