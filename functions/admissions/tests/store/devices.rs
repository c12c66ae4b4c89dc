//! Devices: AP-513 to AP-517.

use crate::fixture::Venue;
use boxoffice_admissions::{
    door::{Device, DeviceState, DeviceToken, NotAllowed, TokenHash},
    doors::DeviceError,
};
use boxoffice_aws::Limit;
use boxoffice_kernel::{DeviceId, Timestamp};
use boxoffice_testing::{for_each_dynamodb, trace};
use tokio::task::JoinSet;

async fn invited(venue: &Venue) -> (Device, DeviceToken) {
    let once = DeviceToken::generate(DeviceId::generate()).unwrap();
    let device = Device {
        id: once.device,
        state: DeviceState::Invited,
        token_hash: TokenHash::of(once.secret()),
        invited_until: Timestamp::now().plus_seconds(60),
        version: 1,
        ..crate::fixture::device(&venue.list, "North 1")
    };
    venue.doors.invite(&device, &trace()).await.unwrap();
    (device, once)
}

#[tokio::test]
async fn a_one_time_token_enrols_one_device_however_many_use_it_at_once() {
    for_each_dynamodb(|database| async move {
        let venue = Venue::open(&database).await;
        let (device, once) = invited(&venue).await;
        let mut running = JoinSet::new();
        for attempt in 0..8 {
            let (doors, id, secret) = (venue.doors.clone(), device.id, once.secret().to_owned());
            let bearer = format!("bearer {attempt}");
            running.spawn(async move { doors.enrol(id, &secret, &bearer, &trace()).await.map(|_| bearer) });
        }
        let enrolled: Vec<_> = running.join_all().await.into_iter().filter_map(Result::ok).collect();
        assert_eq!(enrolled.len(), 1, "{enrolled:?}");
        let stored = venue.doors.device(device.id).await.unwrap().unwrap();
        assert_eq!(stored.scans(&enrolled[0], Timestamp::now()), Ok(()));
        assert_eq!(database.history(device.id).await, ["DeviceInvited", "DeviceEnrolled"]);
    })
    .await;
}

#[tokio::test]
async fn an_ended_device_scans_no_more_and_ends_once() {
    for_each_dynamodb(|database| async move {
        let venue = Venue::open(&database).await;
        let (device, once) = invited(&venue).await;
        venue.doors.enrol(device.id, once.secret(), "bearer", &trace()).await.unwrap();
        for _ in 0..2 {
            venue.doors.end(device.id, &trace()).await.unwrap();
        }
        let stored = venue.doors.device(device.id).await.unwrap().unwrap();
        assert_eq!(stored.scans("bearer", Timestamp::now()), Err(NotAllowed::Ended));
        let listed = venue.doors.devices(venue.list.id, Limit::default(), None).await.unwrap();
        assert_eq!(listed.items.into_iter().map(|device| device.id).collect::<Vec<_>>(), [device.id]);
        let missing = venue.doors.end(DeviceId::generate(), &trace()).await;
        assert!(matches!(missing, Err(DeviceError::NotFound)));
        assert_eq!(database.history(device.id).await, ["DeviceInvited", "DeviceEnrolled", "DeviceEnded"]);
    })
    .await;
}
