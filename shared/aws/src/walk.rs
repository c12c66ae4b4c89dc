//! A walk over a whole table, a page at a time: for what proves things of everything there is. No request is served by one.
//!
//! An item that is there from the first page to the last is met, whatever is written meanwhile; one that comes or goes meanwhile may or may
//! not be.

use crate::{Cursor, Item, ListError, Page, StoreError};
use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;

/// The next page of this scan. A page may be empty while there is more.
///
/// # Errors
/// When the cursor is not of such a walk, or the store fails.
pub async fn page(scan: ScanFluentBuilder, cursor: Option<Cursor>) -> Result<Page<Item>, ListError> {
    let start = cursor.map(Cursor::into_table_key).transpose()?;
    let answer = scan.set_exclusive_start_key(start).send().await.map_err(StoreError::from_sdk)?;
    let next = answer.last_evaluated_key.as_ref().filter(|key| !key.is_empty()).and_then(Cursor::from_key);
    Ok(Page { items: answer.items.unwrap_or_default(), next })
}
