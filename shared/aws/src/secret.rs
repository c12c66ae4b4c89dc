//! Secrets, each fetched when first needed: a function that never uses one never reads it, and no start waits for it.

use crate::StoreError;
use aws_sdk_ssm::Client;
use std::sync::Arc;
use tokio::sync::RwLock;

/// A secret in a `SecureString` parameter of SSM.
pub struct Secret {
    client: Client,
    name: String,
    value: RwLock<Option<Arc<str>>>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Secret {
    /// The secret in this parameter.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into(), value: RwLock::new(None) }
    }

    /// The secret itself, read once.
    ///
    /// # Errors
    /// When it cannot be read, or there is none.
    pub async fn reveal(&self) -> Result<Arc<str>, StoreError> {
        if let Some(value) = self.value.read().await.as_ref() {
            return Ok(Arc::clone(value));
        }
        let mut value = self.value.write().await;
        match value.as_ref() {
            Some(value) => Ok(Arc::clone(value)),
            None => Ok(Arc::clone(value.insert(self.fetch().await?))),
        }
    }

    /// The secret as it is now, because this one was refused: it may have been replaced since it was read.
    ///
    /// # Errors
    /// When it cannot be read, or there is none.
    pub async fn reveal_anew(&self, refused: &str) -> Result<Arc<str>, StoreError> {
        let mut value = self.value.write().await;
        match value.as_ref() {
            // Somebody else has read it again meanwhile.
            Some(value) if value.as_ref() != refused => Ok(Arc::clone(value)),
            _ => Ok(Arc::clone(value.insert(self.fetch().await?))),
        }
    }

    async fn fetch(&self) -> Result<Arc<str>, StoreError> {
        let found = self.client.get_parameter().name(&self.name).with_decryption(true).send().await;
        let value = found.map_err(StoreError::from_sdk)?.parameter.and_then(|parameter| parameter.value);
        value.map(Arc::from).ok_or_else(|| StoreError::Broken(format!("the parameter {} has no value", self.name)))
    }
}
