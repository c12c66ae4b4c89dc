//! Makes an ADMIN: the first, whom nobody could grant the role.
//!
//! | | |
//! |---|---|
//! | trigger | `boxoffice admin create`: whoever may invoke this function in the AWS account |
//! | reads | whose name it is, and their role, when it is taken (AP-81, AP-80) |
//! | writes | as `create-user` (AP-83, AP-90); the count of ADMINs, where there is none yet (AP-325) |
//! | emits | `UserCreated` |
//! | fails with | `UsernameTaken`, `EmailTaken`, `WeakPassword`, `Transient`, `Defect` |
//! | safe to repeat | an ADMIN of that name is success; their password stays as it is |

use crate::{
    Registration,
    domain::{Profile, User, Username},
    password::NewPassword,
    store::RegisterError,
};
use boxoffice_aws::StoreError;
use boxoffice_kernel::{Actor, Channel, Email, OperatorName, Role, Text, Timestamp, Trace, UserId};
use boxoffice_runtime::StepFailure;
use serde::{Deserialize, Serialize};

/// The user to create.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewAdmin {
    username: Username,
    email: Email,
    password: NewPassword,
    first_name: Text<50>,
    last_name: Text<50>,
    /// The operator who asks, where they give a name.
    #[serde(default)]
    requested_by: Option<OperatorName>,
}

/// The user as they are now.
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
pub async fn run(registration: &Registration, new: NewAdmin) -> Result<Admin, StepFailure> {
    if let Err(weakness) = new.password.accept(&new.username, &new.email) {
        return Err(StepFailure::Rejected { name: "WeakPassword", detail: weakness.to_string() });
    }
    registration.users.count_admins().await?;
    let profile = Profile {
        username: new.username,
        email: new.email,
        first_name: new.first_name,
        last_name: new.last_name,
        channel: Channel::default(),
        phone: None,
        push_endpoint: None,
    };
    let now = Timestamp::now();
    // The operator's word is the proof: whoever deploys the stack has every address anyway.
    let user = User { email_verified_at: Some(now), ..User::register(UserId::generate(), profile, Role::Admin, now) };
    let kept = registration.hasher.keep(&new.password, &user).map_err(StoreError::from)?;
    let actor = new.requested_by.map_or(Actor::System, Actor::Terminal);
    let trace = Trace::begun("create-admin", actor);
    let admin = match registration.users.register(&user, &kept, &trace).await {
        Ok(()) => Admin { user_id: user.id, created: true },
        Err(RegisterError::UsernameTaken) => there_already(registration, &user.profile.username).await?,
        Err(error @ RegisterError::EmailTaken) => return Err(refused("EmailTaken", &error)),
        Err(RegisterError::Store(error)) => return Err(error.into()),
    };
    tracing::info!(function = "create-admin", user_id = %admin.user_id, created = admin.created, "admin");
    Ok(admin)
}

async fn there_already(registration: &Registration, name: &Username) -> Result<Admin, StepFailure> {
    let refusal = || refused("UsernameTaken", &RegisterError::UsernameTaken);
    let id = registration.users.whose_name(name).await?.ok_or_else(refusal)?;
    let user = registration.users.get(id).await?.filter(|user| user.role == Role::Admin).ok_or_else(refusal)?;
    Ok(Admin { user_id: user.id, created: false })
}

fn refused(name: &'static str, error: &RegisterError) -> StepFailure {
    StepFailure::Rejected { name, detail: error.to_string() }
}
