//! How many declined cards a buyer and an address may bring in an hour.
//!
//! A declined card tells a tester of stolen numbers that it is dead, and a charged one that it lives. So tries are counted before the provider is
//! asked, and given back when nothing was declined: as many tries as may be declined can be under way, however many come at once. The honest buyer's five tries of one
//! booking fit in twice. The numbers are in `docs/adr/0042-budget-of-declines.md`.

use crate::{
    App,
    cashier::CashierError,
    domain::{Method, MethodToken, Payment},
    gateway::PaymentGateway,
};
use boxoffice_aws::{Budget, Overspent, StoreError};
use boxoffice_kernel::{Timestamp, Trace, UserId};
use boxoffice_runtime::config::{self, ConfigError};

/// The time after the first decline in which the others count.
pub const SECONDS: u32 = 3600;

/// Counts declines.
#[derive(Debug, Clone)]
pub struct Declines {
    of_buyer: Budget,
    of_address: Option<Budget>,
}

/// A try that was counted, of which nobody knows yet whether it is declined.
#[derive(Debug)]
#[must_use]
pub struct Try {
    buyer: String,
    address: Option<String>,
}

impl Declines {
    /// So many for each buyer, counted in the payments table; any number for an address.
    pub fn new(client: aws_sdk_dynamodb::Client, table: impl Into<String>, per_buyer: u32) -> Self {
        Self { of_buyer: Budget::new(client, table, per_buyer, SECONDS), of_address: None }
    }

    /// The counter that the environment describes.
    ///
    /// # Errors
    /// When a variable is missing or wrong.
    pub fn from_env(client: aws_sdk_dynamodb::Client) -> Result<Self, ConfigError> {
        Ok(Self::new(client, config::required("PAYMENTS_TABLE")?, config::parsed("DECLINES_PER_BUYER")?))
    }

    /// A counter for functions that try no card.
    pub fn unused(client: aws_sdk_dynamodb::Client) -> Self {
        Self::new(client, "", 0)
    }

    /// The same, and so many for each address.
    #[must_use]
    pub fn within_address(self, budget: Budget) -> Self {
        Self { of_address: Some(budget), ..self }
    }

    /// Counts a try before the provider is asked.
    ///
    /// # Errors
    /// When the buyer or the address had too many declined, or the store fails.
    pub async fn spend(&self, buyer: UserId, address: Option<&str>, now: Timestamp) -> Result<Try, Overspent> {
        let spent = Try { buyer: format!("declines#{buyer}"), address: address.map(|at| format!("declines#{at}")) };
        self.of_buyer.spend(&spent.buyer, now).await?;
        if let (Some(budget), Some(address)) = (&self.of_address, &spent.address)
            && let Err(overspent) = budget.spend(address, now).await
        {
            self.of_buyer.give_back(&spent.buyer).await?;
            return Err(overspent);
        }
        Ok(spent)
    }

    /// The try is over. It stays counted when it was declined.
    ///
    /// # Errors
    /// When the store does.
    pub async fn settle(&self, spent: Try, before: &Payment, after: Option<&Payment>) -> Result<(), StoreError> {
        if after.is_some_and(|after| after.declined > before.declined) {
            return Ok(());
        }
        self.of_buyer.give_back(&spent.buyer).await?;
        if let (Some(budget), Some(address)) = (&self.of_address, &spent.address) {
            budget.give_back(address).await?;
        }
        Ok(())
    }
}

/// Why a buyer's card was not charged.
#[derive(Debug, thiserror::Error)]
pub enum NotCharged {
    /// They, or others at their address, had too many declined.
    #[error(transparent)]
    Overspent(#[from] Overspent),
    /// As the cashier says.
    #[error(transparent)]
    Cashier(#[from] CashierError),
}

impl<G: PaymentGateway> App<G> {
    /// The buyer pays ([`Cashier::pay`](crate::cashier::Cashier::pay)) within the budgets of declines.
    ///
    /// # Errors
    /// When a budget is spent, and as the cashier.
    pub async fn pay(
        &self,
        before: &Payment,
        (method, token): (Option<Method>, &MethodToken),
        address: &str,
        trace: &Trace,
    ) -> Result<Payment, NotCharged> {
        let spent = self.declines.spend(before.user_id, Some(address), Timestamp::now()).await?;
        let outcome = self.cashier.pay(before.id, method, token, trace).await;
        self.declines.settle(spent, before, outcome.as_ref().ok()).await.map_err(CashierError::from)?;
        Ok(outcome?)
    }

    /// Charges the payment of a booking that named what to charge, within the budget of its buyer; beyond it, the provider is not asked.
    ///
    /// # Errors
    /// As the cashier.
    pub async fn charge_with_booking(&self, before: Payment, trace: &Trace) -> Result<Payment, CashierError> {
        let spent = match self.declines.spend(before.user_id, None, Timestamp::now()).await {
            Ok(spent) => spent,
            Err(Overspent::Wait { .. }) => return self.cashier.decline_unasked(&before, trace).await,
            Err(Overspent::Store(error)) => return Err(error.into()),
        };
        let outcome = self.cashier.charge(before.clone(), trace).await;
        self.declines.settle(spent, &before, outcome.as_ref().ok()).await?;
        outcome
    }
}
