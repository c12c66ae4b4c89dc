//! Second factors, each beside its user in the users table.
//!
//! | Item | `pk` | `sk` |
//! |---|---|---|
//! | a second factor, confirmed or not | `USER#<userId>` | `FACTOR` |
//!
//! Adding or removing one ends every session of its user, so that none is left that was begun without it or by it.

use super::{ChangeError, Guard, PROFILE, UserStore, user_key};
use crate::{
    domain::{Reason, Refusal, Requester, User},
    events::UserSecondFactorChanged,
    second_factor::{FactorSecret, RecoveryCode, SecondFactor},
    session::TokenHash,
};
use aws_sdk_dynamodb::{
    operation::update_item::builders::UpdateItemFluentBuilder,
    types::{AttributeValue, ConditionCheck, Delete, Put, Update},
};
use boxoffice_aws::{
    StoreError, Transaction, Uncommitted,
    attribute::{number, text},
    transaction::{self, Attempt, Written, built, conditional, read, until_current, write},
};
use boxoffice_kernel::{Timestamp, Trace, UserId};

const FACTOR: &str = "FACTOR";

/// The delete of a user's second factor, to add to the transaction that deletes the user.
pub(super) fn forgotten(table: &str, user: UserId) -> Result<Delete, StoreError> {
    built(Delete::builder().table_name(table).key("pk", user_key(user)).key("sk", text(FACTOR)).build())
}

impl UserStore {
    /// AP-530 get the second factor of a user, confirmed or not.
    ///
    /// # Errors
    /// When the store does.
    pub async fn factor(&self, user: UserId) -> Result<Option<SecondFactor>, StoreError> {
        let item = transaction::get(&self.client, &self.table, user_key(user), FACTOR).await?;
        item.map(|item| read("second factor", item)).transpose()
    }

    /// AP-531 begin a second factor, in place of one that was begun and not confirmed. Stale when there is a confirmed one, or no such user.
    ///
    /// # Errors
    /// When the store does.
    pub async fn begin_factor(&self, user: UserId, factor: &SecondFactor) -> Result<Written, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(write(factor, user_key(user), FACTOR)?))
            .condition_expression("attribute_not_exists(confirmedAt)");
        let exists = ConditionCheck::builder()
            .table_name(&self.table)
            .key("pk", user_key(user))
            .key("sk", text(PROFILE))
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(deletedAt)");
        let transaction = Transaction::new().put((), built(put.build())?).check((), built(exists.build())?);
        transaction.commit(&self.client).await.or_else(Uncommitted::into_stale)
    }

    /// AP-532 confirm a second factor: its user's app knows the secret, and every session ends.
    ///
    /// # Errors
    /// [`Refusal::FactorNotBegun`] when another was begun meanwhile, or this one was confirmed; when the store fails.
    pub async fn confirm_factor(
        &self,
        by: Requester,
        secret: &FactorSecret,
        step: u64,
        codes: &[RecoveryCode],
        trace: &Trace,
    ) -> Result<(), ChangeError> {
        let recovery = codes.iter().map(|code| (code.hash().as_str().to_owned(), AttributeValue::Bool(true))).collect();
        let confirm = Update::builder()
            .table_name(&self.table)
            .key("pk", user_key(by.id))
            .key("sk", text(FACTOR))
            .update_expression("SET confirmedAt = :now, lastStep = :step, recovery = :recovery")
            .condition_expression("secret = :secret AND attribute_not_exists(confirmedAt)")
            .expression_attribute_values(":now", text(Timestamp::now()))
            .expression_attribute_values(":step", number(step))
            .expression_attribute_values(":recovery", AttributeValue::M(recovery))
            .expression_attribute_values(":secret", text(secret.as_str()));
        let confirm = built(confirm.build())?;
        until_current(|| async {
            let transaction = Transaction::new().update(Guard::Factor, confirm.clone());
            self.factor_changed(transaction, by.id, by, true, None, trace).await
        })
        .await
    }

    /// AP-533 accept an app's code: each step once, however many calls present it. Stale when it was used, or the second factor is another by now.
    ///
    /// # Errors
    /// When the store does.
    pub async fn accept_step(&self, user: UserId, secret: &FactorSecret, step: u64) -> Result<Written, StoreError> {
        let update = self
            .factor_update(user)
            .update_expression("SET lastStep = :step")
            .condition_expression("secret = :secret AND attribute_exists(confirmedAt) AND lastStep < :step")
            .expression_attribute_values(":step", number(step))
            .expression_attribute_values(":secret", text(secret.as_str()));
        conditional(update.send().await)
    }

    /// AP-534 use a recovery code up. Stale when it was used, or is none.
    ///
    /// # Errors
    /// When the store does.
    pub async fn use_recovery_code(&self, user: UserId, code: &TokenHash) -> Result<Written, StoreError> {
        let update = self
            .factor_update(user)
            .update_expression("REMOVE recovery.#code")
            .condition_expression("attribute_exists(confirmedAt) AND attribute_exists(recovery.#code)")
            .expression_attribute_names("#code", code.as_str());
        conditional(update.send().await)
    }

    /// AP-535 remove the second factor of a user, their own or, with a reason, another's: every session of theirs ends.
    ///
    /// # Errors
    /// When there is no such user, they have none, or the store fails.
    pub async fn remove_factor(
        &self,
        id: UserId,
        by: Requester,
        reason: Option<&Reason>,
        trace: &Trace,
    ) -> Result<(), ChangeError> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .key("pk", user_key(id))
            .key("sk", text(FACTOR))
            .condition_expression("attribute_exists(confirmedAt)");
        let delete = built(delete.build())?;
        until_current(|| async {
            let transaction = Transaction::new().delete(Guard::Factor, delete.clone());
            self.factor_changed(transaction, id, by, false, reason, trace).await
        })
        .await
    }

    fn factor_update(&self, user: UserId) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).key("pk", user_key(user)).key("sk", text(FACTOR))
    }

    /// Commits the transaction with the user's next version, its event, and the end of every session of theirs.
    async fn factor_changed(
        &self,
        transaction: Transaction<Guard>,
        id: UserId,
        by: Requester,
        enrolled: bool,
        reason: Option<&Reason>,
        trace: &Trace,
    ) -> Result<Attempt<()>, ChangeError> {
        let before = self.get(id).await?.ok_or(ChangeError::NotFound)?;
        if !by.logged_in_lately {
            return Err(Refusal::LogInAgain.into());
        }
        let after = User { version: before.version + 1, updated_at: Timestamp::now(), ..before.clone() };
        let touch = Update::builder()
            .table_name(&self.table)
            .key("pk", user_key(id))
            .key("sk", text(PROFILE))
            .update_expression("SET version = :after, updatedAt = :now")
            .condition_expression("version = :before")
            .expression_attribute_values(":before", number(before.version))
            .expression_attribute_values(":after", number(after.version))
            .expression_attribute_values(":now", text(after.updated_at));
        let event = UserSecondFactorChanged { user_id: id, enrolled, reason: reason.cloned() };
        let transaction =
            transaction.update(Guard::User, built(touch.build())?).put(Guard::User, self.event(event, &after, trace)?);
        let transaction = self.acted(transaction, by, id, true)?;
        self.settle(transaction, ()).await
    }
}
