//! The quotas that a burst meets: AWS's documented defaults, and Stripe's. A newer account may have less; every one of them can be raised on request.

use super::bucket::Bucket;
use serde::Serialize;

/// A bucket's size, and how many tokens it gains a second.
pub type Rate = (f64, f64);

/// The quotas of an account in a region.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quotas {
    /// The name in the report.
    pub name: &'static str,
    /// Lambda's concurrent executions. New accounts are given 10
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
    pub concurrent_executions: u32,
    /// Execution environments that each function may gain, at once and a second: 1,000 every ten seconds, refilled continuously
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html>).
    pub scaling: Rate,
    /// Requests a second that each unit of concurrency is good for (the page above).
    pub requests_per_execution: u32,
    /// `StartExecution` of standard workflows (<https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>).
    pub start_standard: Rate,
    /// State transitions of standard workflows (the same page, which says that new accounts have fewer, and not how many). Step Functions delays
    /// what exceeds it; nothing fails.
    pub transitions: Rate,
    /// `SendTaskSuccess`, `SendTaskFailure` and `SendTaskHeartbeat` (the same page).
    pub send_task: Rate,
    /// `PutEvents` requests a second (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>).
    pub put_events: f64,
    /// Invocations of rules' targets a second; EventBridge delays what exceeds it (the same page).
    pub invocations: f64,
    /// `GetParameter` and its like, a second (<https://docs.aws.amazon.com/general/latest/gr/ssm.html>).
    pub get_parameter: f64,
    /// Cryptographic operations with symmetric keys, a second (<https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html>).
    pub cryptography: f64,
    /// Mails a second. Beyond the sandbox, where it is 1, SES states no default; 14 is common
    /// (<https://docs.aws.amazon.com/ses/latest/dg/quotas.html>).
    pub mails: f64,
    /// Write and read units a second of a new on-demand table
    /// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html>).
    pub table_writes: f64,
    /// Read units of the same.
    pub table_reads: f64,
    /// Stripe's requests a second, all together, in live mode (<https://docs.stripe.com/rate-limits>).
    pub stripe: f64,
    /// Stripe's requests a second to one endpoint (the same page).
    pub stripe_endpoint: f64,
}

/// US East (N. Virginia), which has the largest defaults.
pub const US_EAST_1: Quotas = Quotas {
    name: "us-east-1",
    concurrent_executions: 1_000,
    scaling: (1_000.0, 100.0),
    requests_per_execution: 10,
    start_standard: (1_300.0, 300.0),
    transitions: (5_000.0, 1_500.0),
    send_task: (3_000.0, 500.0),
    put_events: 10_000.0,
    invocations: 18_750.0,
    get_parameter: 40.0,
    cryptography: 100_000.0,
    mails: 14.0,
    table_writes: 4_000.0,
    table_reads: 12_000.0,
    stripe: 100.0,
    stripe_endpoint: 25.0,
};

/// Europe (Frankfurt), which has those of most regions for Step Functions.
pub const EU_CENTRAL_1: Quotas = Quotas {
    name: "eu-central-1",
    start_standard: (800.0, 150.0),
    transitions: (800.0, 500.0),
    send_task: (1_500.0, 300.0),
    put_events: 2_400.0,
    invocations: 4_500.0,
    cryptography: 20_000.0,
    ..US_EAST_1
};

/// An account as it is on its first day, its mail out of the sandbox.
pub const NEW_ACCOUNT: Quotas = Quotas { name: "eu-central-1, new account", concurrent_executions: 10, ..EU_CENTRAL_1 };

/// The bucket of this size and refill.
pub fn bucket((size, refill): Rate) -> Bucket {
    Bucket::new(size, refill)
}
