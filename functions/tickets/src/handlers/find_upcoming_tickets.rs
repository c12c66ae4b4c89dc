//! Says how many tickets of a user are to events still to come, for who is about to delete the user.
//!
//! | | |
//! |---|---|
//! | trigger | invoked by `delete-user`, with `{"userId"}` |
//! | reads | every page of the user's list (AP-60), and the events they are for (AP-281) |
//! | answers | `{"count"}` |
//! | fails with | `Transient`, `Defect` |
//! | safe to repeat | it only reads |

use crate::store::Sale;
use boxoffice_kernel::{Timestamp, UserId};
use boxoffice_runtime::StepFailure;
use serde::{Deserialize, Serialize};

/// The owner of the tickets.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    user_id: UserId,
}

/// How many.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Upcoming {
    count: usize,
}

/// Succeeds with the number of them that are PENDING or CONFIRMED.
///
/// # Errors
/// See the table above.
pub async fn run(sale: &Sale, question: Question) -> Result<Upcoming, StepFailure> {
    let count = sale.count_upcoming(question.user_id, Timestamp::now()).await?;
    Ok(Upcoming { count })
}
