//! Lists the notifications of a channel, newest first.
//!
//! | | |
//! |---|---|
//! | trigger | `GET /notifications/type/{type}?limit=&next=` |
//! | reads | a page of notifications (AP-109) |

use super::answer::{NotificationView, page};
use crate::{NotificationStore, store::Which};
use boxoffice_aws::{Cursor, Page};
use boxoffice_kernel::Channel;
use boxoffice_runtime::{Code, Problem, http, http::Answer};
use lambda_http::Request;

/// Lists the notifications of a channel, newest first.
///
/// # Errors
/// When a parameter is not what it should be.
#[utoipa::path(
    get,
    path = "/notifications/type/{type}",
    operation_id = "list-notifications-by-type",
    tag = "notifications",
    params(
        ("type" = Channel, Path, description = "The channel."),
        ("limit" = Option<u16>, Query, description = "How many at most; 20 unless given.", minimum = 1, maximum = 100),
        ("next" = Option<Cursor>, Query, description = "Where to go on: `next` of the page before."),
    ),
    responses((
        status = 200,
        description = "A page of them.",
        body = inline(Page<NotificationView>),
        example = json!({
            "items": [{
                "id": "ntf_01970000000070008000000000000002",
                "userId": "usr_01970000000070008000000000000001",
                "message": "Your account is ready. From now on we tell you here what becomes of your bookings.",
                "type": "EMAIL",
                "status": "SENT",
                "template": "WELCOME",
                "createdAt": "2030-05-01T08:00:00.000Z",
                "sentAt": "2030-05-01T08:00:01.000Z",
                "attempts": 1,
                "eventId": "evt_01970000000070008000000000000002",
                "correlationId": "1c35062b-f2fc-4796-a62a-c3d2fcdbeb80"
            }]
        })
    ))
)]
pub async fn handle(store: &NotificationStore, request: Request) -> Result<Answer, Problem> {
    let channel: Channel = http::path(&request, "type", Code::ValidationError)?;
    let (limit, cursor) = http::paging(&request)?;
    Answer::ok(&page(store.list(Which::By(channel), limit, cursor).await?))
}
