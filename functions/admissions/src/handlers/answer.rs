//! The admission as the API shows it, and this context's refusals.

use crate::{
    Office,
    domain::{Admission, Block, BlockState, DEFAULT_TYPE},
};
use boxoffice_admission::Code as TicketCode;
use boxoffice_aws::StoreError;
use boxoffice_kernel::{AdmissionId, InventoryId, TicketId, Timestamp, UserId};
use boxoffice_runtime::{Code, Problem};
use serde::Serialize;
use serde_json::{Value, json};

/// An admission, as the API shows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Admission)]
pub(crate) struct AdmissionView {
    id: AdmissionId,
    ticket_id: TicketId,
    user_id: UserId,
    inventory_id: InventoryId,
    /// Its number within the event.
    serial: u32,
    /// The ticket type; 0 is the default type.
    #[serde(rename = "type")]
    ticket_type: u16,
    status: BlockState,
    /// The text of its QR code, for its owner, while it is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    issued_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
}

impl AdmissionView {
    pub(crate) fn new(block: &Block, admission: Admission, code: Option<TicketCode>) -> Self {
        Self {
            id: admission.id,
            ticket_id: block.ticket_id,
            user_id: block.user_id,
            inventory_id: block.inventory_id,
            serial: admission.serial.0,
            ticket_type: DEFAULT_TYPE,
            status: block.state,
            code: code.map(|code| code.to_string()),
            issued_at: block.issued_at,
            revoked_at: block.revoked_at,
        }
    }
}

/// An admission, for the API's document.
pub(crate) fn example() -> Value {
    json!({
        "id": "adm_01970000000070008000000000000001000001",
        "ticketId": "tkt_01970000000070008000000000000001",
        "userId": "usr_01970000000070008000000000000001",
        "inventoryId": "inv_01970000000070008000000000000001",
        "serial": 4711,
        "type": 0,
        "status": "ISSUED",
        "code": "BO1:V50100TA4EEA7MHD86000VE20000001CETGR3CE.D5K/5CT89 BY F4TNM4VNLP$F607W507.-L32HGZ1Q/C1T3LB4V2WSHT8.O03SW.BN/J$4I8X0/JV/NDN1P1TOI+HW:BBIHB+N",
        "issuedAt": "2030-05-01T10:00:07.000Z"
    })
}

pub(crate) fn not_found() -> Problem {
    let detail = "There is no such admission. A ticket has admissions once it is CONFIRMED; look at GET /tickets/{id}.";
    Problem::new(Code::AdmissionNotFound, detail)
}

impl Office {
    /// The codes of these admissions of a block, where it is good.
    pub(crate) async fn codes(
        &self,
        block: &Block,
        admissions: &[Admission],
    ) -> Result<Vec<Option<TicketCode>>, StoreError> {
        if block.state == BlockState::Revoked {
            return Ok(vec![None; admissions.len()]);
        }
        let terms = self.inventory.terms(&[block.inventory_id]).await?.remove(&block.inventory_id);
        let terms = terms.ok_or_else(|| StoreError::malformed("block of admissions", "its event is missing"))?;
        let signer = self.key.signer().await?;
        let sign = |admission: &Admission| {
            let code = signer.sign(block.facts(*admission, terms.terms.event_date));
            code.map(Some).map_err(|error| StoreError::Broken(error.to_string()))
        };
        admissions.iter().map(sign).collect()
    }
}
