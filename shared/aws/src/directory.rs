//! Whether there is such a user, for a write that names one who is not the caller.
//!
//! The caller's own access is read with every request ([`crate::AccessRegister`]). Where an ADMIN acts for somebody else, an id with a typo is as well
//! formed as the right one: the write itself makes sure that it is somebody's, with a condition on the user's item.

use crate::{AccessRegister, StoreError, attribute::text, transaction::built};
use aws_sdk_dynamodb::types::ConditionCheck;
use boxoffice_kernel::UserId;

/// Where users are kept.
#[derive(Debug, Clone)]
pub struct UserDirectory {
    table: String,
}

impl UserDirectory {
    /// The sort key of a user's item, whose partition is that of the user's access.
    pub const SK: &str = "PROFILE";

    /// The users in this table.
    pub fn new(table: impl Into<String>) -> Self {
        Self { table: table.into() }
    }

    /// AP-283 user exists: an item of a transaction that changes nothing, and refuses when there is no such user, or none any more.
    ///
    /// # Errors
    /// Never, unless there is a bug.
    pub fn exists(&self, user: UserId) -> Result<ConditionCheck, StoreError> {
        built(
            ConditionCheck::builder()
                .table_name(&self.table)
                .key("pk", AccessRegister::pk(user))
                .key("sk", text(Self::SK))
                .condition_expression("attribute_exists(pk) AND attribute_not_exists(deletedAt)")
                .build(),
        )
    }
}
