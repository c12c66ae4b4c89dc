//! Every function of this context, in one program: the `Handler` of a function in the template names its arm.

use boxoffice_runtime::{config, http, init_telemetry};
use boxoffice_shop::handlers::{admit_buyer, secure_account, show_order, show_shop, submit_order};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_telemetry();
    let function = config::function()?;
    match function.as_str() {
        "admit-buyer" => {
            let entrance = admit_buyer::Entrance::from_env()?;
            http::serve_pages(&function, async |request| admit_buyer::handle(&entrance, request).await).await
        }
        "secure-account" => {
            let office = secure_account::Office::from_env()?;
            http::serve_pages(&function, async |request| secure_account::handle(&office, request).await).await
        }
        "show-order" => {
            let desk = show_order::Desk::from_env()?;
            http::serve_pages(&function, async |request| show_order::handle(&desk, request).await).await
        }
        "show-shop" => {
            let inventory = boxoffice_inventory::App::from_env()?;
            http::serve_pages(&function, async |request| show_shop::handle(&inventory, request).await).await
        }
        "submit-order" => {
            let counter = submit_order::Counter::from_env()?;
            http::serve_pages(&function, async |request| submit_order::handle(&counter, request).await).await
        }
        _ => Err(config::unknown_function(&function).into()),
    }
}
