//! The admissions of a ticket. No I/O.
//!
//! They are one block: a run of serials, issued in the transaction that confirms the ticket and revoked as a whole (`docs/adr/0051-admissions-are-a-block.md`).
//! An admission has no item of its own: its id, serial and code follow from the block.

use boxoffice_admission::{EventTag, Facts, KeyId, Serial};
use boxoffice_kernel::{AdmissionId, InventoryId, Quantity, TicketId, Timestamp, UserId};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// The ticket type of every booking until an event sells several.
pub const DEFAULT_TYPE: u16 = 0;
/// The home gate of an admission that may come in anywhere.
pub const ANY_GATE: u16 = 0;
/// How long before its event a code is good.
const BEFORE_SECONDS: u32 = 30 * 86_400;
/// How long after it: an event that moves shall not make paper worthless.
const AFTER_SECONDS: u32 = 365 * 86_400;

/// Whether a block's admissions are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = AdmissionStatus)]
pub enum BlockState {
    /// They admit.
    Issued,
    /// The booking was cancelled or refunded.
    Revoked,
}

impl BlockState {
    /// Its name, as stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Issued => "ISSUED",
            Self::Revoked => "REVOKED",
        }
    }
}

/// The admissions of one ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The ticket.
    pub ticket_id: TicketId,
    /// The user who booked.
    pub user_id: UserId,
    /// The event.
    pub inventory_id: InventoryId,
    /// The serial of the first.
    pub first: u32,
    /// How many.
    pub quantity: Quantity,
    /// Whether they are good.
    pub state: BlockState,
    /// How many have entered somewhere, and whose entry no supervisor has undone.
    pub used: u32,
    /// The number of its last event.
    pub version: u64,
    /// When they were issued.
    pub issued_at: Timestamp,
    /// When they were revoked.
    pub revoked_at: Option<Timestamp>,
}

/// The block of a ticket, as the table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The ticket has admissions, good or revoked.
    Block(Block),
    /// The ticket was taken back before it had any, and gets none.
    Barred,
}

/// One person's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// Its id.
    pub id: AdmissionId,
    /// Its number within the event.
    pub serial: Serial,
}

impl Block {
    /// The block of a ticket that is being confirmed, with serials from this one on.
    pub fn issue(
        ticket_id: TicketId,
        user_id: UserId,
        inventory_id: InventoryId,
        first: u32,
        quantity: Quantity,
        now: Timestamp,
    ) -> Self {
        Self {
            ticket_id,
            user_id,
            inventory_id,
            first,
            quantity,
            state: BlockState::Issued,
            used: 0,
            version: 1,
            issued_at: now,
            revoked_at: None,
        }
    }

    /// The block, revoked.
    #[must_use]
    pub fn revoke(&self, now: Timestamp) -> Self {
        Self { state: BlockState::Revoked, version: self.version + 1, revoked_at: Some(now), ..self.clone() }
    }

    /// The admission at this place, from 1.
    pub fn at(&self, place: u32) -> Option<Admission> {
        let serial = place.checked_sub(1).filter(|before| *before < self.quantity.get())?;
        Some(Admission { id: self.ticket_id.admission(place)?, serial: Serial(self.first.checked_add(serial)?) })
    }

    /// The admission with this serial.
    pub fn with_serial(&self, serial: Serial) -> Option<Admission> {
        self.at(serial.0.checked_sub(self.first)?.checked_add(1)?)
    }

    /// The facts of an admission's code, for an event that begins then. The signer adds its key.
    pub fn facts(&self, admission: Admission, begins: Timestamp) -> Facts {
        Facts {
            key: KeyId(0),
            event: event_tag(self.inventory_id),
            serial: admission.serial,
            ticket_type: DEFAULT_TYPE,
            gate: ANY_GATE,
            valid_from: unix(begins.minus_seconds(BEFORE_SECONDS)),
            valid_until: unix(begins.plus_seconds(AFTER_SECONDS)),
        }
    }
}

/// The seconds that a code can say.
pub fn unix(instant: Timestamp) -> u32 {
    u32::try_from(instant.unix_seconds()).unwrap_or(u32::MAX)
}

/// The name of an event in its codes.
pub fn event_tag(event: InventoryId) -> EventTag {
    let hash = digest(&SHA256, event.to_string().as_bytes());
    EventTag(hash.as_ref().first_chunk().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(first: u32, quantity: u32) -> Block {
        let (ticket, user, event) = (TicketId::generate(), UserId::generate(), InventoryId::generate());
        Block::issue(ticket, user, event, first, Quantity::new(quantity).unwrap(), Timestamp::now())
    }

    #[test]
    fn places_and_serials_lead_to_the_same_admissions() {
        let block = block(101, 3);
        let serials: Vec<_> = (1..=3).map(|place| block.at(place).unwrap().serial.0).collect();
        assert_eq!(serials, [101, 102, 103]);
        for place in 1..=3 {
            let admission = block.at(place).unwrap();
            assert_eq!(block.with_serial(admission.serial), Some(admission));
            assert_eq!((admission.id.ticket(), admission.id.place()), (block.ticket_id, place));
        }
        assert_eq!((block.at(0), block.at(4)), (None, None));
        assert_eq!((block.with_serial(Serial(100)), block.with_serial(Serial(104))), (None, None));
    }

    #[test]
    fn a_block_at_the_end_of_all_serials_is_no_overflow() {
        let block = block(u32::MAX, 2);
        assert_eq!(block.at(1).map(|admission| admission.serial), Some(Serial(u32::MAX)));
        assert_eq!(block.at(2), None);
    }

    #[test]
    fn the_tag_of_an_event_is_the_one_of_the_vectors() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../shared/admission/vectors/ticket-codes.json")).unwrap();
        let vector = &vectors["eventTags"][0];
        let tag = event_tag(vector["event"].as_str().unwrap().parse().unwrap());
        assert_eq!(tag.0.map(|byte| format!("{byte:02x}")).concat(), vector["tag"]);
    }
}
