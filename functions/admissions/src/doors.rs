//! The doors in the admissions table: check-in lists, devices, passages, scans.
//!
//! | Item | `pk` | `sk` |
//! |---|---|---|
//! | a check-in list | `LST#<listId>` | `LIST` |
//! | a device | `DEV#<deviceId>` | `DEVICE` |
//! | the last passage of an admission through a list | `CHK#<listId>#<admissionId>` | `PASSAGE` |
//! | how many passed a device at a gate | `LIVE#<listId>` | `<gate>#<deviceId>` |
//! | a scan | `LOG#<deviceId>` | `<time>#<nonce>` |
//!
//! A passage is counted on the item of its own device, which scans one person at a time: the live numbers of a list are exact, and no counter is hot.

use crate::{
    AdmissionStore,
    domain::{Admission, Block, BlockState, Standing},
    door::{CheckInList, Device, DeviceState, NotAllowed, Passage, ScanNonce, Way},
    events::{
        AdmissionEntered, AdmissionLeft, CheckInListCreated, DeviceEnded, DeviceEnrolled, DeviceFacts, DeviceInvited,
        PassageFacts, PassageUndone,
    },
    keys::TicketKeys,
};
use aws_sdk_dynamodb::types::{AttributeValue, Put, Update};
use boxoffice_admission::{Last, Record, Scan, Stop, Verdict, decide};
use boxoffice_aws::{
    Cursor, Item, Limit, List, ListError, Listing, Page, StoreError, Transaction, Uncommitted,
    attribute::{number, signed, text},
    listing::GSI1,
    transaction::{self, Attempt, built, read, write},
};
use boxoffice_kernel::{AdmissionId, CheckInListId, DeviceId, InventoryId, Timestamp, Trace};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The doors, over the admissions that they let in.
#[derive(Debug, Clone)]
pub struct DoorStore {
    /// The admissions.
    pub admissions: AdmissionStore,
    lists: Listing,
    devices: Listing,
}

/// A scan, as it is kept: of whom, where, and how it was decided. The code itself is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScanRecord {
    /// When.
    pub at: Timestamp,
    /// The list.
    pub list_id: CheckInListId,
    /// The gate.
    pub gate: u16,
    /// In or out.
    pub way: Way,
    /// `IN`, `OUT`, `STOP` or `LOOK`.
    pub verdict: String,
    /// The reason for neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The admission, where the code named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admission_id: Option<AdmissionId>,
    /// Its number within the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<u32>,
}

/// One presentation of a code.
#[derive(Debug, Clone)]
pub struct Presented<'a> {
    /// The text that was read.
    pub code: &'a str,
    /// Where the device stands.
    pub gate: u16,
    /// In or out.
    pub way: Way,
    /// The device's name for this scan.
    pub nonce: ScanNonce,
    /// Whether a person has looked.
    pub vouched: bool,
}

/// The answer to a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The decision.
    pub verdict: Verdict,
    /// The admission, where the code named one of this event.
    pub admission: Option<Admission>,
    /// The last passage: the one that this scan made, or the one that stands against it.
    pub passage: Option<Passage>,
}

/// Why nothing was undone.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// There is no passage to undo.
    #[error("the admission has not passed this list, or its last passage was undone")]
    Nothing,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a device was not changed.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// There is none.
    #[error("there is no such device")]
    NotFound,
    /// It may not.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Entries.
    pub entries: u64,
    /// Exits.
    pub exits: u64,
}

const LIST: &str = "LIST";
const DEVICE: &str = "DEVICE";
const PASSAGE: &str = "PASSAGE";

fn list_key(id: CheckInListId) -> AttributeValue {
    text(format_args!("LST#{id}"))
}

fn device_key(id: DeviceId) -> AttributeValue {
    text(format_args!("DEV#{id}"))
}

fn passage_key(list: CheckInListId, admission: AdmissionId) -> AttributeValue {
    text(format_args!("CHK#{list}#{admission}"))
}

fn live_key(list: CheckInListId) -> AttributeValue {
    text(format_args!("LIVE#{list}"))
}

fn live_place(gate: u16, device: DeviceId) -> AttributeValue {
    text(format_args!("{gate}#{device}"))
}

fn log_key(device: DeviceId) -> AttributeValue {
    text(format_args!("LOG#{device}"))
}

fn lists_of(event: InventoryId) -> List {
    List::of(GSI1, format_args!("LISTS#{event}"))
}

fn devices_of(list: CheckInListId) -> List {
    List::of(GSI1, format_args!("DEVICES#{list}"))
}

impl DoorStore {
    /// The doors of these admissions.
    pub fn new(admissions: AdmissionStore) -> Self {
        let listing = |ids| Listing::new(admissions.client.clone(), &admissions.table, ids);
        Self { lists: listing(CheckInListId::PREFIX), devices: listing(DeviceId::PREFIX), admissions }
    }

    /// Writes an item under a new id, with its event. The id is new: an item is there because an answer was lost.
    async fn create(&self, item: Item, event: Put) -> Result<(), StoreError> {
        let transaction = Transaction::new().put((), self.admissions.put_new(item)?).put((), event);
        transaction.commit(&self.admissions.client).await.or_else(Uncommitted::into_stale).map(|_| ())
    }

    /// AP-510 create list.
    pub async fn create_list(&self, list: &CheckInList, trace: &Trace) -> Result<(), StoreError> {
        let mut item = write(list, list_key(list.id), LIST)?;
        item.extend(lists_of(list.inventory_id).entry(list.id));
        let event = self.admissions.event(CheckInListCreated::from(list), 1, list.created_at, trace)?;
        self.create(item, event).await
    }

    /// AP-511 get list.
    pub async fn list(&self, id: CheckInListId) -> Result<Option<CheckInList>, StoreError> {
        let item = transaction::get(&self.admissions.client, &self.admissions.table, list_key(id), LIST).await?;
        item.map(as_list).transpose()
    }

    /// AP-512 list the lists of an event, newest first.
    pub async fn lists(
        &self,
        event: InventoryId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<CheckInList>, ListError> {
        self.lists.page(&lists_of(event), limit, cursor, |item| as_list(item).map(Some)).await
    }

    /// AP-513 invite device.
    pub async fn invite(&self, device: &Device, trace: &Trace) -> Result<(), StoreError> {
        let mut item = write(device, device_key(device.id), DEVICE)?;
        item.extend(devices_of(device.list_id).entry(device.id));
        let event = DeviceInvited { device: DeviceFacts::from(device) };
        let event = self.admissions.event(event, device.version, device.created_at, trace)?;
        self.create(item, event).await
    }

    /// AP-514 get device.
    pub async fn device(&self, id: DeviceId) -> Result<Option<Device>, StoreError> {
        let item = transaction::get(&self.admissions.client, &self.admissions.table, device_key(id), DEVICE).await?;
        item.map(as_device).transpose()
    }

    /// AP-515 list the devices of a list, newest first.
    pub async fn devices(
        &self,
        list: CheckInListId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Device>, ListError> {
        self.devices.page(&devices_of(list), limit, cursor, |item| as_device(item).map(Some)).await
    }

    /// AP-516 enrol device: its one-time token gives way to its bearer token.
    ///
    /// # Errors
    /// When the one-time token is not good any more, or the store fails.
    pub async fn enrol(&self, id: DeviceId, secret: &str, bearer: &str, trace: &Trace) -> Result<Device, DeviceError> {
        let before = self.device(id).await?.ok_or(DeviceError::NotFound)?;
        let now = Timestamp::now();
        let after = before.enrol(secret, bearer, now)?;
        let event = DeviceEnrolled { device: DeviceFacts::from(&after) };
        let event = self.admissions.event(event, after.version, now, trace)?;
        self.change(&before, after, event).await
    }

    /// AP-517 end device.
    ///
    /// # Errors
    /// When there is none, or the store fails.
    pub async fn end(&self, id: DeviceId, trace: &Trace) -> Result<(), DeviceError> {
        let before = self.device(id).await?.ok_or(DeviceError::NotFound)?;
        if before.state == DeviceState::Ended {
            return Ok(());
        }
        let after = before.end();
        let event = DeviceEnded { device: DeviceFacts::from(&after) };
        let event = self.admissions.event(event, after.version, Timestamp::now(), trace)?;
        self.change(&before, after, event).await.map(|_| ())
    }

    async fn change(&self, before: &Device, after: Device, event: Put) -> Result<Device, DeviceError> {
        let update = Update::builder()
            .table_name(&self.admissions.table)
            .key("pk", device_key(after.id))
            .key("sk", text(DEVICE))
            .update_expression("SET #state = :state, tokenHash = :hash, version = :after")
            .condition_expression("version = :before")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":state", text(after.state.name()))
            .expression_attribute_values(":hash", built(serde_dynamo::to_attribute_value(&after.token_hash))?)
            .expression_attribute_values(":before", number(before.version))
            .expression_attribute_values(":after", number(after.version));
        let transaction = Transaction::new().update((), built(update.build())?).put((), event);
        match transaction.commit(&self.admissions.client).await {
            Ok(_) => Ok(after),
            // Somebody else used the token or ended the device first.
            Err(Uncommitted::Refused(_)) => Err(NotAllowed::Token.into()),
            Err(Uncommitted::Store(error)) => Err(error.into()),
        }
    }

    /// AP-518 pass: decides a scan and writes the passage in one transaction, or AP-519 the refusal. Of concurrent scans of one admission, the transaction writes one,
    /// and the others are decided again. A scan that is sent again finds its own passage.
    ///
    /// # Errors
    /// When the store does.
    pub async fn pass(
        &self,
        list: &CheckInList,
        device: &Device,
        presented: &Presented<'_>,
        keys: &TicketKeys,
        trace: &Trace,
    ) -> Result<Answered, StoreError> {
        let rules = list.rules();
        let facts = match keys.read(presented.code) {
            Ok(facts) => facts,
            Err(stop) => return self.refuse(list, device, presented, Answered::unread(stop)).await,
        };
        let ours = facts.event == rules.event;
        let block = if ours { self.admissions.with_serial(list.inventory_id, facts.serial).await? } else { None };
        let found = block.and_then(|block| block.with_serial(facts.serial).map(|admission| (block, admission)));
        transaction::until_current(|| async {
            let now = Timestamp::now();
            let (record, passage) = match &found {
                None => (Record::Unknown, None),
                Some((block, admission)) => self.record(list.id, block, *admission).await?,
            };
            let scan = Scan {
                gate: presented.gate,
                direction: presented.way.direction(),
                nonce: presented.nonce.0,
                vouched: presented.vouched,
                now: crate::domain::unix(now),
            };
            let verdict = decide(&rules, &facts, &record, &scan);
            let admission = found.as_ref().map(|(_, admission)| *admission);
            let repeats = |last: Last| last.nonce == scan.nonce && last.direction == scan.direction;
            let repeated = passage.as_ref().and_then(Passage::last).is_some_and(repeats);
            let answered = |verdict, passage| Answered { verdict, admission, passage };
            match (verdict, &found) {
                (Verdict::In | Verdict::Out, Some(_)) if repeated => Ok(Attempt::Done(answered(verdict, passage))),
                (Verdict::In | Verdict::Out, Some((block, admission))) => {
                    let next = Self::next(list, device, presented, *admission, passage.as_ref(), now);
                    let first = passage.as_ref().is_none_or(|passage| passage.way.is_none());
                    let transaction = self.passing(block, *admission, passage.as_ref(), &next, first, trace)?;
                    let written = transaction.commit(&self.admissions.client).await;
                    Ok(Attempt::when(written.or_else(Uncommitted::into_stale)?, answered(verdict, Some(next))))
                }
                _ => Ok(Attempt::Done(self.refuse(list, device, presented, answered(verdict, passage)).await?)),
            }
        })
        .await
    }

    async fn record(
        &self,
        list: CheckInListId,
        block: &Block,
        admission: Admission,
    ) -> Result<(Record, Option<Passage>), StoreError> {
        let (standing, passage) =
            tokio::try_join!(self.admissions.standing(block.ticket_id), self.passage(list, admission.id))?;
        let record = match standing {
            Some(Standing::Block(block)) if block.state == BlockState::Issued => {
                Record::Good(passage.as_ref().and_then(Passage::last))
            }
            Some(_) => Record::Revoked(passage.as_ref().and_then(Passage::last)),
            None => Record::Unknown,
        };
        Ok((record, passage))
    }

    /// AP-521 get passage: the last one of an admission through a list.
    pub async fn passage(&self, list: CheckInListId, admission: AdmissionId) -> Result<Option<Passage>, StoreError> {
        let key = passage_key(list, admission);
        let item = transaction::get(&self.admissions.client, &self.admissions.table, key, PASSAGE).await?;
        item.map(|item| read("passage", item)).transpose()
    }

    fn next(
        list: &CheckInList,
        device: &Device,
        presented: &Presented<'_>,
        admission: Admission,
        before: Option<&Passage>,
        now: Timestamp,
    ) -> Passage {
        Passage {
            list_id: list.id,
            admission_id: admission.id,
            way: Some(presented.way),
            before: before.and_then(|before| before.way),
            nonce: presented.nonce,
            gate: presented.gate,
            device_id: device.id,
            device_label: device.label.clone(),
            at: now,
            version: before.map_or(0, |before| before.version) + 1,
        }
    }

    /// The passage, its count on block and device, its scan, and its event. The passage's condition is the one that admits once; the block's the one that keeps
    /// revoked admissions out.
    fn passing(
        &self,
        block: &Block,
        admission: Admission,
        before: Option<&Passage>,
        after: &Passage,
        first: bool,
        trace: &Trace,
    ) -> Result<Transaction<()>, StoreError> {
        let way = after.way.unwrap_or(Way::Entry);
        let item = write(after, passage_key(after.list_id, after.admission_id), PASSAGE)?;
        let put = Put::builder().table_name(&self.admissions.table).set_item(Some(item));
        let put = match before {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(before) => put
                .condition_expression("version = :before AND (attribute_not_exists(way) OR way <> :way)")
                .expression_attribute_values(":before", number(before.version))
                .expression_attribute_values(":way", text(way.name())),
        };
        let facts = PassageFacts::new(after, block, admission);
        let event = match way {
            Way::Entry => self.admissions.event(AdmissionEntered { passage: facts }, after.version, after.at, trace)?,
            Way::Exit => self.admissions.event(AdmissionLeft { passage: facts }, after.version, after.at, trace)?,
        };
        let record = ScanRecord {
            at: after.at,
            list_id: after.list_id,
            gate: after.gate,
            way,
            verdict: if way == Way::Entry { "IN" } else { "OUT" }.to_owned(),
            reason: None,
            admission_id: Some(admission.id),
            serial: Some(admission.serial.0),
        };
        let transaction = Transaction::new()
            .put((), built(put.build())?)
            .put((), event)
            .update((), self.count(after, way, 1)?)
            .put((), self.log(after.device_id, after.nonce, &record)?);
        Ok(match way {
            Way::Entry if first => transaction.update((), self.admissions.count_use(block.ticket_id, 1)?),
            Way::Entry => transaction.check((), self.admissions.is_issued(block.ticket_id)?),
            // Somebody inside may leave, whatever became of the booking.
            Way::Exit => transaction,
        })
    }

    fn count(&self, passage: &Passage, way: Way, change: i64) -> Result<Update, StoreError> {
        let update = Update::builder()
            .table_name(&self.admissions.table)
            .key("pk", live_key(passage.list_id))
            .key("sk", live_place(passage.gate, passage.device_id))
            .update_expression("ADD #way :change")
            .expression_attribute_names("#way", if way == Way::Entry { "entries" } else { "exits" })
            .expression_attribute_values(":change", signed(change));
        built(update.build())
    }

    fn log(&self, device: DeviceId, nonce: ScanNonce, record: &ScanRecord) -> Result<Put, StoreError> {
        let item = write(record, log_key(device), &format!("{}#{nonce}", record.at))?;
        built(Put::builder().table_name(&self.admissions.table).set_item(Some(item)).build())
    }

    /// AP-519 record refusal: a scan that let nobody pass.
    async fn refuse(
        &self,
        list: &CheckInList,
        device: &Device,
        presented: &Presented<'_>,
        answered: Answered,
    ) -> Result<Answered, StoreError> {
        let (verdict, reason) = words(answered.verdict);
        let record = ScanRecord {
            at: Timestamp::now(),
            list_id: list.id,
            gate: presented.gate,
            way: presented.way,
            verdict: verdict.to_owned(),
            reason: reason.map(str::to_owned),
            admission_id: answered.admission.map(|admission| admission.id),
            serial: answered.admission.map(|admission| admission.serial.0),
        };
        let item = self.log(device.id, presented.nonce, &record)?.item;
        let put = self.admissions.client.put_item().table_name(&self.admissions.table).set_item(Some(item));
        put.send().await.map_err(StoreError::from_sdk)?;
        Ok(answered)
    }

    /// AP-520 undo passage: the last one of an admission through a list, by a supervisor.
    ///
    /// # Errors
    /// When there is none, or the store fails.
    pub async fn undo(&self, list: CheckInListId, admission: AdmissionId, trace: &Trace) -> Result<Passage, UndoError> {
        transaction::until_current(|| async {
            let before = self.passage(list, admission).await?;
            let before = before.filter(|before| before.way.is_some() && before.nonce != UNDONE);
            let before = before.ok_or(UndoError::Nothing)?;
            let way = before.way.ok_or(UndoError::Nothing)?;
            let block = self.admissions.block(admission.ticket()).await?.ok_or(UndoError::Nothing)?;
            let place = block.at(admission.place()).ok_or(UndoError::Nothing)?;
            let now = Timestamp::now();
            let after = Passage {
                way: before.before,
                before: None,
                nonce: UNDONE,
                at: now,
                version: before.version + 1,
                ..before.clone()
            };
            let item = write(&after, passage_key(list, admission), PASSAGE)?;
            let put = Put::builder()
                .table_name(&self.admissions.table)
                .set_item(Some(item))
                .condition_expression("version = :before")
                .expression_attribute_values(":before", number(before.version));
            let event = PassageUndone { passage: PassageFacts::new(&after, &block, place) };
            let mut transaction = Transaction::new()
                .put((), built(put.build())?)
                .put((), self.admissions.event(event, after.version, now, trace)?)
                .update((), self.count(&before, way, -1)?);
            if way == Way::Entry && before.before.is_none() && block.state == BlockState::Issued {
                transaction = transaction.update((), self.admissions.count_use(block.ticket_id, -1)?);
            }
            let written = transaction.commit(&self.admissions.client).await.or_else(Uncommitted::into_stale)?;
            Ok(Attempt::when(written, after))
        })
        .await
    }

    /// AP-522 count the passages of a list, by gate.
    pub async fn numbers(&self, list: CheckInListId) -> Result<BTreeMap<u16, Count>, StoreError> {
        #[derive(Deserialize)]
        struct LiveItem {
            sk: String,
            #[serde(default)]
            entries: u64,
            #[serde(default)]
            exits: u64,
        }
        let mut gates: BTreeMap<u16, Count> = BTreeMap::new();
        let mut pages = self
            .admissions
            .client
            .query()
            .table_name(&self.admissions.table)
            .key_condition_expression("pk = :list")
            .expression_attribute_values(":list", live_key(list))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        while let Some(item) = pages.next().await {
            let item: LiveItem = read("live numbers", item.map_err(StoreError::from_sdk)?)?;
            let gate = item.sk.split_once('#').and_then(|(gate, _)| gate.parse().ok()).unwrap_or_default();
            let count = gates.entry(gate).or_default();
            count.entries += item.entries;
            count.exits += item.exits;
        }
        Ok(gates)
    }

    /// AP-523 list the scans of a device, oldest first: at most so many.
    pub async fn scans(&self, device: DeviceId, most: usize) -> Result<Vec<ScanRecord>, StoreError> {
        let mut pages = self
            .admissions
            .client
            .query()
            .table_name(&self.admissions.table)
            .key_condition_expression("pk = :device")
            .expression_attribute_values(":device", log_key(device))
            .into_paginator()
            .items()
            .send();
        let mut scans = Vec::new();
        while scans.len() < most
            && let Some(item) = pages.next().await
        {
            scans.push(read("scan", item.map_err(StoreError::from_sdk)?)?);
        }
        Ok(scans)
    }
}

/// The nonce of a passage that a supervisor undid: no device sends it.
const UNDONE: ScanNonce = ScanNonce(boxoffice_admission::Nonce([0; 16]));

impl Answered {
    fn unread(stop: Stop) -> Self {
        Self { verdict: Verdict::Stop(stop), admission: None, passage: None }
    }
}

/// A verdict as the API and the records have it.
pub fn words(verdict: Verdict) -> (&'static str, Option<&'static str>) {
    match verdict {
        Verdict::In => ("IN", None),
        Verdict::Out => ("OUT", None),
        Verdict::Stop(stop) => ("STOP", Some(stop.name())),
        Verdict::Look(look) => ("LOOK", Some(look.name())),
    }
}

fn as_list(item: Item) -> Result<CheckInList, StoreError> {
    read("check-in list", item)
}

fn as_device(item: Item) -> Result<Device, StoreError> {
    read("device", item)
}
