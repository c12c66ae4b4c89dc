//! Lambda entry point; see [`boxoffice_notifications::handlers::send_notification`].

use boxoffice_notifications::handlers::send_notification;
use boxoffice_runtime::{init_telemetry, task};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_telemetry();
    let (store, sender) = boxoffice_notifications::sender_from_env()?;
    task::serve_plain("send-notification", async |dispatch| send_notification::run(&store, &sender, dispatch).await)
        .await
}
