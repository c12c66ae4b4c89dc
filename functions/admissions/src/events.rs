//! The events of this context. The contracts are in `events/`.

use crate::{
    domain::{Admission, Block},
    door::{CheckInList, Device, Passage},
};
use boxoffice_kernel::{
    AdmissionId, CheckInListId, DeviceId, DomainEvent, InventoryId, Quantity, Text, TicketId, Timestamp, UserId,
};
use serde::Serialize;

/// The admissions of a ticket.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockFacts {
    ticket_id: TicketId,
    user_id: UserId,
    inventory_id: InventoryId,
    first_admission_id: Option<AdmissionId>,
    first_serial: u32,
    quantity: Quantity,
}

impl From<&Block> for BlockFacts {
    fn from(block: &Block) -> Self {
        Self {
            ticket_id: block.ticket_id,
            user_id: block.user_id,
            inventory_id: block.inventory_id,
            first_admission_id: block.ticket_id.admission(1),
            first_serial: block.first,
            quantity: block.quantity,
        }
    }
}

macro_rules! about_a_block {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty),* $(,)? }),+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The admissions.
            #[serde(flatten)]
            pub block: BlockFacts,
            $($(#[$attribute])* pub $field: $type,)*
        }

        impl DomainEvent for $name {
            const TYPE: &'static str = stringify!($name);
            const CONTEXT: &'static str = "admissions";
            /// The first admission stands for all of its ticket.
            fn aggregate_id(&self) -> String {
                self.block.first_admission_id.map(|id| id.to_string()).unwrap_or_default()
            }
        }
    )+};
}

about_a_block!(
    /// A confirmed ticket's admissions are good.
    AdmissionsIssued {},
    /// They admit nobody any more.
    AdmissionsRevoked {
        /// How many had entered before.
        used: u32
    }
);

/// A check-in list.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckInListCreated {
    list_id: CheckInListId,
    inventory_id: InventoryId,
    name: Text<100>,
    gates: Vec<u16>,
    exits: bool,
    reentry: bool,
    opens_at: Timestamp,
    closes_at: Timestamp,
}

impl From<&CheckInList> for CheckInListCreated {
    fn from(list: &CheckInList) -> Self {
        Self {
            list_id: list.id,
            inventory_id: list.inventory_id,
            name: list.name.clone(),
            gates: list.gates.clone(),
            exits: list.exits,
            reentry: list.reentry,
            opens_at: list.opens_at,
            closes_at: list.closes_at,
        }
    }
}

impl DomainEvent for CheckInListCreated {
    const TYPE: &'static str = "CheckInListCreated";
    const CONTEXT: &'static str = "admissions";
    fn aggregate_id(&self) -> String {
        self.list_id.to_string()
    }
}

/// A device.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceFacts {
    device_id: DeviceId,
    list_id: CheckInListId,
    inventory_id: InventoryId,
    label: Text<60>,
    gates: Vec<u16>,
    ends_at: Timestamp,
}

impl From<&Device> for DeviceFacts {
    fn from(device: &Device) -> Self {
        Self {
            device_id: device.id,
            list_id: device.list_id,
            inventory_id: device.inventory_id,
            label: device.label.clone(),
            gates: device.gates.clone(),
            ends_at: device.ends_at,
        }
    }
}

/// One passage of an admission.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PassageFacts {
    list_id: CheckInListId,
    inventory_id: InventoryId,
    ticket_id: TicketId,
    admission_id: AdmissionId,
    serial: u32,
    gate: u16,
    device_id: DeviceId,
}

impl PassageFacts {
    /// The facts of this passage of an admission of this block.
    pub fn new(passage: &Passage, block: &Block, admission: Admission) -> Self {
        Self {
            list_id: passage.list_id,
            inventory_id: block.inventory_id,
            ticket_id: block.ticket_id,
            admission_id: admission.id,
            serial: admission.serial.0,
            gate: passage.gate,
            device_id: passage.device_id,
        }
    }
}

macro_rules! about {
    ($facts:ident, $field:ident, $aggregate:expr; $($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The thing it is about.
            #[serde(flatten)]
            pub $field: $facts,
        }

        impl DomainEvent for $name {
            const TYPE: &'static str = stringify!($name);
            const CONTEXT: &'static str = "admissions";
            fn aggregate_id(&self) -> String {
                let aggregate: fn(&$facts) -> String = $aggregate;
                aggregate(&self.$field)
            }
        }
    )+};
}

about!(
    DeviceFacts, device, |device| device.device_id.to_string();
    /// A device may be enrolled with a one-time token.
    DeviceInvited,
    /// The one-time token was used: the device scans.
    DeviceEnrolled,
    /// The device scans no more.
    DeviceEnded,
);

about!(
    PassageFacts, passage, |passage| format!("{}:{}", passage.list_id, passage.admission_id);
    /// Somebody came in.
    AdmissionEntered,
    /// Somebody went out.
    AdmissionLeft,
    /// A supervisor undid the last passage.
    PassageUndone,
);
