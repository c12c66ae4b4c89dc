//! Makes an ADMIN: the first, whom nobody could grant the role.
//!
//! | | |
//! |---|---|
//! | trigger | `boxoffice admin create`: whoever may invoke this function in the AWS account |
//! | reads | whose name it is, and their role, when it is taken (AP-81, AP-80) |
//! | writes | as `create-user` (AP-83, AP-90) |
//! | emits | `UserCreated` |
//! | fails with | `UsernameTaken`, `EmailTaken`, `Transient`, `Defect` |
//! | safe to repeat | an ADMIN of that name is success; their password stays as it is |

use crate::{
    Registry,
    domain::{Profile, User, Username},
    password::NewPassword,
    store::RegisterError,
};
use boxoffice_aws::StoreError;
use boxoffice_kernel::{Channel, Email, EventId, Role, Text, Timestamp, Trace, UserId};
use boxoffice_runtime::StepFailure;
use serde::{Deserialize, Serialize};

/// Whom to make.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewAdmin {
    username: Username,
    email: Email,
    password: NewPassword,
    first_name: Text<50>,
    last_name: Text<50>,
}

/// Who it is now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Admin {
    user_id: UserId,
    created: bool,
}

/// Succeeds when there is such an ADMIN.
///
/// # Errors
/// See the table above.
pub async fn run(registry: &Registry, new: NewAdmin) -> Result<Admin, StepFailure> {
    let hash = registry.hasher.hash(&new.password).map_err(StoreError::from)?;
    let profile = Profile {
        username: new.username,
        email: new.email,
        first_name: new.first_name,
        last_name: new.last_name,
        channel: Channel::default(),
        phone: None,
        push_endpoint: None,
    };
    let user = User::register(UserId::generate(), profile, Role::Admin, Timestamp::now());
    let trace = Trace { correlation_id: EventId::generate().into(), causation_id: "create-admin".into() };
    let admin = match registry.users.register(&user, &hash, &trace).await {
        Ok(()) => Admin { user_id: user.id, created: true },
        Err(RegisterError::UsernameTaken) => there_already(registry, &user.profile.username).await?,
        Err(error @ RegisterError::EmailTaken) => return Err(refused("EmailTaken", &error)),
        Err(RegisterError::Store(error)) => return Err(error.into()),
    };
    tracing::info!(function = "create-admin", user_id = %admin.user_id, created = admin.created, "admin");
    Ok(admin)
}

async fn there_already(registry: &Registry, name: &Username) -> Result<Admin, StepFailure> {
    let refusal = || refused("UsernameTaken", &RegisterError::UsernameTaken);
    let id = registry.users.whose_name(name).await?.ok_or_else(refusal)?;
    let user = registry.users.get(id).await?.filter(|user| user.role == Role::Admin).ok_or_else(refusal)?;
    Ok(Admin { user_id: user.id, created: false })
}

fn refused(name: &'static str, error: &RegisterError) -> StepFailure {
    StepFailure::Refused { name, detail: error.to_string() }
}
