//! Secrets, each fetched when first needed: a function that never uses one never reads it, and no start waits for it.

use crate::StoreError;
use aws_sdk_ssm::Client;
use tokio::sync::OnceCell;

/// A secret in a `SecureString` parameter of SSM.
pub struct Secret {
    client: Client,
    name: String,
    value: OnceCell<String>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Secret {
    /// The secret in this parameter.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into(), value: OnceCell::new() }
    }

    /// The secret itself.
    ///
    /// # Errors
    /// When it cannot be read, or there is none.
    pub async fn reveal(&self) -> Result<&str, StoreError> {
        let fetch = async || {
            let found = self.client.get_parameter().name(&self.name).with_decryption(true).send().await;
            let value = found.map_err(StoreError::from_sdk)?.parameter.and_then(|parameter| parameter.value);
            value.ok_or_else(|| StoreError::Broken(format!("the parameter {} has no value", self.name)))
        };
        self.value.get_or_try_init(fetch).await.map(String::as_str)
    }
}
