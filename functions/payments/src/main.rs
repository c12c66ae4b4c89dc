//! Every function of this context, in one program: the `Handler` of a function in the template names its arm.

use boxoffice_aws::journal::Step;
use boxoffice_payments::{
    App,
    handlers::{
        await_payment, create_payment, delete_payment, expire_payment, get_payment, get_payment_by_ticket,
        get_payment_by_transaction, initiate_payment, list_payment_cases, list_payments, list_payments_by_status,
        list_payments_by_user, process_payment, receive_stripe_event, refund_payment, retry_refund, reverse_payment,
        settle_refund,
    },
};
use boxoffice_runtime::{auth::Gate, config, http, init_telemetry, task};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let function = config::function()?;
    match function.as_str() {
        "await-payment" => {
            let (app, journal) = App::step_from_env()?;
            task::serve(Step::AwaitPayment, journal, async |input| await_payment::run(&app, input).await).await
        }
        "create-payment" => {
            let app = App::called_by_buyers()?;
            http::serve(&function, Gate::from_env()?, async |request| create_payment::handle(&app, request).await).await
        }
        "delete-payment" => {
            let store = boxoffice_payments::reader_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| delete_payment::handle(&store, request).await)
                .await
        }
        "expire-payment" => {
            let (app, journal) = App::step_from_env()?;
            task::serve(Step::ExpirePayment, journal, async |input| expire_payment::run(&app, input).await).await
        }
        "get-payment-by-ticket" => {
            let store = boxoffice_payments::reader_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                get_payment_by_ticket::handle(&store, request).await
            })
            .await
        }
        "get-payment-by-transaction" => {
            let store = boxoffice_payments::reader_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                get_payment_by_transaction::handle(&store, request).await
            })
            .await
        }
        "get-payment" => {
            let store = boxoffice_payments::reader_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| get_payment::handle(&store, request).await).await
        }
        "initiate-payment" => {
            let (app, journal) = App::charging_step_from_env()?;
            task::serve(Step::InitiatePayment, journal, async |input| initiate_payment::run(&app, input).await).await
        }
        "list-payment-cases" => {
            let store = boxoffice_payments::reader_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| list_payment_cases::handle(&store, request).await)
                .await
        }
        "list-payments-by-status" => {
            let store = boxoffice_payments::reader_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                list_payments_by_status::handle(&store, request).await
            })
            .await
        }
        "list-payments-by-user" => {
            let store = boxoffice_payments::reader_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| {
                list_payments_by_user::handle(&store, request).await
            })
            .await
        }
        "list-payments" => {
            let store = boxoffice_payments::reader_from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| list_payments::handle(&store, request).await)
                .await
        }
        "process-payment" => {
            let app = App::called_by_buyers()?;
            http::serve(&function, Gate::from_env()?, async |request| process_payment::handle(&app, request).await)
                .await
        }
        "receive-stripe-event" => {
            let (app, secrets) = App::webhook_from_env()?;
            http::serve_public(&function, async |request| receive_stripe_event::handle(&app, &secrets, request).await)
                .await
        }
        "refund-payment" => {
            let app = App::from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| refund_payment::handle(&app, request).await).await
        }
        "retry-refund" => {
            let app = App::from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| retry_refund::handle(&app, request).await).await
        }
        "reverse-payment" => {
            let (app, journal) = App::step_from_env()?;
            task::serve(Step::ReversePayment, journal, async |input| reverse_payment::run(&app, input).await).await
        }
        "settle-refund" => {
            let app = App::from_env()?;
            http::serve(&function, Gate::from_env()?, async |request| settle_refund::handle(&app, request).await).await
        }
        _ => Err(config::unknown_function(&function).into()),
    }
}
