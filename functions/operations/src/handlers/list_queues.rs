//! Lists every queue where something waits for an operator.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /operations/queues` |
//! | reads | how many messages wait in each |

use crate::{Redriver, redriver::QueueDepth};
use boxoffice_runtime::{Problem, http::Answer};
use serde::Serialize;

/// All of them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Queues {
    /// In the order events meet them.
    items: Vec<QueueDepth>,
}

/// Lists the dead-letter queues, with how much waits in each and what redriving it does.
///
/// # Errors
/// When a queue does not answer.
#[utoipa::path(
    get,
    path = "/operations/queues",
    operation_id = "list-queues",
    tag = "operations",
    responses((
        status = 200,
        description = "The queues",
        body = inline(Queues),
        example = json!({ "items": [{
            "name": "saga-start-dead-letters",
            "depth": 1,
            "holds": "Events that did not get from the bus to the booking saga",
            "redriving": "Puts each event on the bus again, which starts the saga that it should have started"
        }] })
    ))
)]
pub async fn handle(redriver: &Redriver) -> Result<Answer, Problem> {
    Answer::ok(&Queues { items: redriver.queues().await? })
}
