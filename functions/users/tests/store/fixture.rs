//! The fixture of these tests.

use boxoffice_kernel::{Actor, Channel, EventId, Role, SessionId, Timestamp, UserId};
use boxoffice_runtime::metrics::Metrics;
use boxoffice_testing::{Database, Table, trace};
use boxoffice_users::{
    Doorkeeper, SessionStore, Throttle, UserStore,
    domain::{Profile, Requester, User},
    doorkeeper::{Admitted, Denied, Knock},
    password::{Hasher, NewPassword, Password},
    proofs::ProofStore,
    security::{Origin, SecurityLog},
    session::{DeviceToken, Presented, RefreshToken, Strength},
    sessions::{Granted, Lifetimes, RenewError},
    store::RegisterError,
    throttle::Limits,
    tokens::NameKey,
};

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const ADDRESS: &str = "192.0.2.1";

/// A stranger's request from this address.
pub(crate) fn origin(address: &str) -> Origin {
    let correlation_id = EventId::generate().into();
    Origin { actor: Actor::Anonymous, address: address.to_owned(), correlation_id }
}

/// Limits that a test reaches, and a lockout longer than any test.
pub(crate) const LIMITS: Limits =
    Limits { free: 3, lockout: 5, lockout_seconds: 900, address: 100, account_delay_seconds: 1 };

/// How long a session lasts that is not refreshed.
pub(crate) const IDLE_SECONDS: u32 = 900;

/// The stores that a log-in goes through, over one test's tables.
#[derive(Debug, Clone)]
pub(crate) struct House {
    pub(crate) users: UserStore,
    pub(crate) sessions: SessionStore,
    pub(crate) proofs: ProofStore,
    pub(crate) throttle: Throttle,
    pub(crate) doorkeeper: Doorkeeper,
}

/// A hasher so cheap that tests are about conditions and not about argon2.
pub(crate) fn hasher() -> Hasher {
    Hasher::of_cost(16, 1).unwrap()
}

pub(crate) fn chosen(text: &str) -> NewPassword {
    NewPassword::new(text.to_owned()).unwrap()
}

pub(crate) fn given(text: &str) -> Password {
    Password::new(text.to_owned()).unwrap()
}

pub(crate) fn profile(username: &str, email: &str) -> Profile {
    Profile {
        username: username.parse().unwrap(),
        email: email.parse().unwrap(),
        first_name: "Ada".parse().unwrap(),
        last_name: "Lovelace".parse().unwrap(),
        channel: Channel::Sms,
        phone: Some("+14155550123".parse().unwrap()),
        push_endpoint: None,
    }
}

/// An actor whose token is of a session of this user's first generation.
pub(crate) fn acting(user: &User) -> Requester {
    Requester { id: user.id, role: user.role, session: SessionId::generate(), generation: 1, logged_in_lately: true }
}

impl House {
    pub(crate) fn new(database: &Database) -> Self {
        Self::limited(database, LIMITS)
    }

    /// The same, with other limits.
    pub(crate) fn limited(database: &Database, limits: Limits) -> Self {
        let [users, sessions, events] = [Table::Users, Table::Sessions, Table::Events].map(|it| database.table(it));
        let lifetimes = Lifetimes { access_seconds: 300, refresh_seconds: 3600, idle_seconds: IDLE_SECONDS };
        let users = UserStore::new(database.client(), users, sessions, events);
        let throttle = Throttle::new(database.client(), sessions, limits);
        let proofs = ProofStore::new(database.client(), sessions);
        let sessions = SessionStore::new(database.client(), sessions, lifetimes);
        let security = SecurityLog::new(Metrics::new("test", "store"));
        let doorkeeper = Doorkeeper::new(users.clone(), sessions.clone(), throttle.clone(), hasher(), security);
        Self { users, sessions, proofs, throttle, doorkeeper }
    }

    pub(crate) async fn register(&self, username: &str, email: &str) -> Result<User, RegisterError> {
        self.register_as(username, email, Role::User).await
    }

    pub(crate) async fn register_as(&self, username: &str, email: &str, role: Role) -> Result<User, RegisterError> {
        self.register_profile(profile(username, email), role).await
    }

    async fn register_profile(&self, profile: Profile, role: Role) -> Result<User, RegisterError> {
        self.register_with(profile, role, PASSWORD).await
    }

    pub(crate) async fn register_with(
        &self,
        profile: Profile,
        role: Role,
        password: &str,
    ) -> Result<User, RegisterError> {
        let user = User::register(UserId::generate(), profile, role, Timestamp::now());
        let kept = hasher().keep(&chosen(password), &user).unwrap();
        self.users.register(&user, &kept, &trace()).await.map(|()| user)
    }

    /// Another ADMIN, who acts.
    pub(crate) async fn admin(&self) -> Requester {
        acting(&self.new_admin().await)
    }

    /// Another ADMIN.
    pub(crate) async fn new_admin(&self) -> User {
        self.users.count_admins().await.unwrap();
        let name = format!("root-{}", &UserId::generate().to_string()[24..]);
        let mut profile = profile(&name, &format!("{name}@example.com"));
        (profile.first_name, profile.last_name, profile.phone) =
            ("Root".parse().unwrap(), "Operator".parse().unwrap(), None);
        self.register_profile(profile, Role::Admin).await.unwrap()
    }

    /// A user called Ada.
    pub(crate) async fn ada(&self) -> User {
        self.register("Ada", "Ada@example.org").await.unwrap()
    }

    /// The user as they lie in the table.
    pub(crate) async fn stored(&self, id: UserId) -> User {
        self.users.get(id).await.unwrap().unwrap()
    }

    pub(crate) async fn admit(&self, name: &str, password: &str) -> Result<Admitted, Denied> {
        self.admit_from(ADDRESS, name, password).await
    }

    pub(crate) async fn admit_from(&self, address: &str, name: &str, password: &str) -> Result<Admitted, Denied> {
        self.knock(address, None, name, password).await.map(|(admitted, _)| admitted)
    }

    /// Somebody at the door with the right password and this code.
    pub(crate) async fn admit_with_code(&self, address: &str, name: &str, code: &str) -> Result<Admitted, Denied> {
        let code: Presented = serde_json::from_value(serde_json::json!(code)).unwrap();
        let knock =
            Knock { name, password: &given(PASSWORD), code: Some(&code), device: None, origin: &origin(address) };
        let names = NameKey::derive(b"a secret of the tests").unwrap();
        self.doorkeeper.admit(knock, &names).await.map(|(admitted, _)| admitted)
    }

    /// Somebody at the door, with the token of a device or none.
    pub(crate) async fn knock(
        &self,
        address: &str,
        device: Option<&DeviceToken>,
        name: &str,
        password: &str,
    ) -> Result<(Admitted, DeviceToken), Denied> {
        let device: Option<Presented> =
            device.map(|device| serde_json::from_value(serde_json::json!(device.reveal())).unwrap());
        let password = &given(password);
        let knock = Knock { name, password, code: None, device: device.as_ref(), origin: &origin(address) };
        self.doorkeeper.admit(knock, &NameKey::derive(b"a secret of the tests").unwrap()).await
    }

    /// A new session of a user.
    pub(crate) async fn session(&self, user: &User) -> Granted {
        let access = self.sessions.access(user.id).await.unwrap().unwrap();
        self.sessions
            .open(user.id, access.generation, Strength::Password, &DeviceToken::issue().unwrap())
            .await
            .unwrap()
    }

    /// Exchanges a refresh token now.
    pub(crate) async fn renew(&self, token: &RefreshToken) -> Result<Granted, RenewError> {
        self.sessions.renew(token, Timestamp::now()).await
    }

    /// Whether the access tokens of a session stand.
    pub(crate) async fn admits(&self, granted: &Granted) -> bool {
        let session = &granted.session;
        let access = self.sessions.access(session.user_id).await.unwrap().unwrap();
        access.admits(session.session_id, session.generation)
    }
}
