//! The fixture of these tests.

use boxoffice_admission::{Facts, Stop, Verdict};
use boxoffice_admissions::{
    AdmissionStore,
    domain::Block,
    door::{CheckInList, Device, DeviceState, ScanNonce, TokenHash, Way},
    doors::{Answered, DoorStore, Presented},
    keys::{PrivateTicketKey, TicketKeys, TicketSigner},
};
use boxoffice_aws::StoreError;
use boxoffice_kernel::{CheckInListId, DeviceId, InventoryId, Quantity, TicketId, Timestamp, UserId};
use boxoffice_testing::{Database, Table, trace};
use std::time::{Duration, Instant};

/// An event with a door.
#[derive(Debug, Clone)]
pub(crate) struct Venue {
    pub(crate) database: Database,
    pub(crate) admissions: AdmissionStore,
    pub(crate) doors: DoorStore,
    pub(crate) event: InventoryId,
    pub(crate) list: CheckInList,
    pub(crate) key: PrivateTicketKey,
    pub(crate) keys: TicketKeys,
}

/// A new list of an event, open now, whose exits are scanned and where one may come back.
pub(crate) fn list(event: InventoryId) -> CheckInList {
    let now = Timestamp::now();
    CheckInList {
        id: CheckInListId::generate(),
        inventory_id: event,
        name: "Main entrance".parse().unwrap(),
        gates: Vec::new(),
        exits: true,
        reentry: true,
        opens_at: now.minus_seconds(3600),
        closes_at: now.plus_seconds(3600),
        created_at: now,
    }
}

/// An enrolled device of a list.
pub(crate) fn device(list: &CheckInList, label: &str) -> Device {
    Device {
        id: DeviceId::generate(),
        list_id: list.id,
        inventory_id: list.inventory_id,
        label: label.parse().unwrap(),
        gates: list.gates.clone(),
        state: DeviceState::Enrolled,
        token_hash: TokenHash::of("secret"),
        invited_until: list.created_at,
        ends_at: list.closes_at,
        version: 2,
        created_at: list.created_at,
    }
}

pub(crate) fn nonce() -> ScanNonce {
    let id = DeviceId::generate().to_string();
    id.trim_start_matches("dev_").parse().unwrap()
}

impl Venue {
    pub(crate) async fn open(database: &Database) -> Self {
        let admissions =
            AdmissionStore::new(database.client(), database.table(Table::Admissions), database.event_store());
        let event = InventoryId::generate();
        let key = PrivateTicketKey::generate(1).unwrap();
        let venue = Self {
            database: database.clone(),
            doors: DoorStore::new(admissions.clone()),
            admissions,
            event,
            list: list(event),
            keys: TicketKeys::default().with(key.public().unwrap()),
            key,
        };
        venue.doors.create_list(&venue.list, &trace()).await.unwrap();
        venue
    }

    /// The admissions of a new ticket.
    pub(crate) async fn ticket(&self, seats: u32) -> Block {
        let quantity = Quantity::new(seats).unwrap();
        let first = self.admissions.take_serials(self.event, quantity).await.unwrap();
        let now = Timestamp::now();
        let block = Block::issue(TicketId::generate(), UserId::generate(), self.event, first, quantity, now);
        let issue = self.admissions.issue(&block, &trace()).unwrap();
        assert!(issue.commit(&self.database.client()).await.is_ok());
        block
    }

    pub(crate) fn facts(block: &Block, place: u32) -> Facts {
        block.facts(block.at(place).unwrap(), Timestamp::now().plus_seconds(3600))
    }

    pub(crate) fn signed(&self, facts: Facts) -> String {
        TicketSigner::new(&self.key).unwrap().sign(facts).unwrap().to_string()
    }

    /// The code of the first admission.
    pub(crate) fn code(&self, block: &Block) -> String {
        self.signed(Self::facts(block, 1))
    }

    pub(crate) async fn present(&self, device: &Device, code: &str, way: Way, nonce: ScanNonce) -> Answered {
        let presented = Presented { code, gate: 0, way, nonce, vouched: false };
        self.doors.pass(&self.list, device, &presented, &self.keys, &trace()).await.unwrap()
    }

    /// An entry that is sent again under its nonce while the store does not answer, as a scanner does.
    pub(crate) async fn insist(&self, device: &Device, code: &str, nonce: ScanNonce) -> Answered {
        let presented = Presented { code, gate: 0, way: Way::Entry, nonce, vouched: false };
        let until = Instant::now() + Duration::from_mins(1);
        loop {
            match self.doors.pass(&self.list, device, &presented, &self.keys, &trace()).await {
                Ok(answered) => return answered,
                Err(StoreError::Unavailable(_)) if Instant::now() < until => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// A new scan by a new device.
    pub(crate) async fn scan(&self, code: &str, way: Way) -> Answered {
        self.present(&device(&self.list, "North 1"), code, way, nonce()).await
    }

    pub(crate) async fn used(&self, block: &Block) -> u32 {
        self.admissions.block(block.ticket_id).await.unwrap().unwrap().used
    }

    /// How many are inside, by the live numbers.
    pub(crate) async fn inside(&self) -> u64 {
        let counts = self.doors.numbers(self.list.id).await.unwrap();
        counts.values().map(|count| count.entries - count.exits).sum()
    }
}

pub(crate) fn stopped(answered: &Answered) -> Option<Stop> {
    match answered.verdict {
        Verdict::Stop(stop) => Some(stop),
        _ => None,
    }
}
