//! Every function of this context, in one program: the `Handler` of a function in the template names its arm.

use boxoffice_aws::journal::Step;
use boxoffice_runtime::{Metrics, auth::Gate, config, http, init_telemetry, task};
use boxoffice_tickets::handlers::{
    announce_event_change, cancel_ticket, confirm_ticket, create_ticket, delete_ticket, find_upcoming_tickets,
    get_ticket, list_tickets, list_tickets_by_event, list_tickets_by_status, list_tickets_by_user,
    request_cancellation, request_ticket_mail, update_ticket_status, walk_cancellation,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let function = config::function()?;
    match function.as_str() {
        "announce-event-change" => {
            let sale = boxoffice_tickets::tickets_and_events_from_env()?;
            task::serve_plain(&function, async |delivered| announce_event_change::run(&sale, delivered).await).await
        }
        "cancel-ticket" => {
            let (store, journal) = boxoffice_tickets::step_from_env()?;
            task::serve(Step::CancelTicket, journal, async |input| cancel_ticket::run(&store, input).await).await
        }
        "confirm-ticket" => {
            let (sale, journal) = boxoffice_tickets::sale_from_env()?;
            task::serve(Step::ConfirmTicket, journal, async |input| confirm_ticket::run(&sale, input).await).await
        }
        "create-ticket" => {
            let desk = boxoffice_tickets::desk_from_env()?;
            let orders = boxoffice_tickets::orders_from_env()?;
            let metrics = Metrics::from_env()?;
            let handle = async |request| create_ticket::handle(&desk, &orders, &metrics, request).await;
            http::serve(&function, Gate::from_env()?, handle).await
        }
        "delete-ticket" => {
            let store = boxoffice_tickets::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| delete_ticket::handle(&store, request).await)
                .await
        }
        "find-upcoming-tickets" => {
            let sale = boxoffice_tickets::tickets_and_events_from_env()?;
            task::serve_plain(&function, async |question| find_upcoming_tickets::run(&sale, question).await).await
        }
        "get-ticket" => {
            let store = boxoffice_tickets::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| get_ticket::handle(&store, request).await).await
        }
        "list-tickets-by-event" => {
            let sale = boxoffice_tickets::tickets_and_events_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                list_tickets_by_event::handle(&sale, request).await
            })
            .await
        }
        "list-tickets-by-status" => {
            let store = boxoffice_tickets::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                list_tickets_by_status::handle(&store, request).await
            })
            .await
        }
        "list-tickets-by-user" => {
            let store = boxoffice_tickets::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                list_tickets_by_user::handle(&store, request).await
            })
            .await
        }
        "list-tickets" => {
            let store = boxoffice_tickets::store_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| list_tickets::handle(&store, request).await).await
        }
        "request-ticket-mail" => {
            let store = boxoffice_tickets::store_from_env()?;
            let mails = boxoffice_tickets::Mails::from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                request_ticket_mail::handle(&store, &mails, request).await
            })
            .await
        }
        "request-cancellation" => {
            let sale = boxoffice_tickets::tickets_and_events_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                request_cancellation::handle(&sale, request).await
            })
            .await
        }
        "walk-cancellation" => {
            let walk = boxoffice_tickets::walk_from_env()?;
            task::serve_plain(&function, async |step| walk_cancellation::run(&walk, step).await).await
        }
        "update-ticket-status" => {
            let sale = boxoffice_tickets::tickets_and_events_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                update_ticket_status::handle(&sale, request).await
            })
            .await
        }
        _ => Err(config::unknown_function(&function).into()),
    }
}
