//! What every test here begins with.

use boxoffice_kernel::{Channel, Role, Timestamp, UserId};
use boxoffice_testing::{Database, Table, trace};
use boxoffice_users::{
    Doorkeeper, SessionStore, Throttle, UserStore,
    domain::{Actor, Profile, User},
    doorkeeper::{Admitted, Denied},
    password::{Hasher, NewPassword, Password},
    sessions::{Granted, Lifetimes},
    store::RegisterError,
    throttle::Limits,
};

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const ADDRESS: &str = "192.0.2.1";

/// Limits that a test reaches, and a lockout longer than any test.
pub(crate) const LIMITS: Limits = Limits { free: 3, lockout: 5, lockout_seconds: 900, address: 100 };

/// The stores that a log-in goes through, over one test's tables.
#[derive(Debug, Clone)]
pub(crate) struct House {
    pub(crate) users: UserStore,
    pub(crate) sessions: SessionStore,
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

pub(crate) fn admin() -> Actor {
    Actor { id: UserId::generate(), role: Role::Admin }
}

impl House {
    pub(crate) fn new(database: &Database) -> Self {
        Self::limited(database, LIMITS)
    }

    /// The same, with other limits.
    pub(crate) fn limited(database: &Database, limits: Limits) -> Self {
        let [users, sessions, events] = [Table::Users, Table::Sessions, Table::Events].map(|it| database.table(it));
        let lifetimes = Lifetimes { access_seconds: 300, refresh_seconds: 3600 };
        let users = UserStore::new(database.client(), users, sessions, events);
        let throttle = Throttle::new(database.client(), sessions, limits);
        let sessions = SessionStore::new(database.client(), sessions, lifetimes);
        let doorkeeper = Doorkeeper::new(users.clone(), sessions.clone(), throttle.clone(), hasher());
        Self { users, sessions, throttle, doorkeeper }
    }

    pub(crate) async fn register(&self, username: &str, email: &str) -> Result<User, RegisterError> {
        self.register_as(username, email, Role::User).await
    }

    pub(crate) async fn register_as(&self, username: &str, email: &str, role: Role) -> Result<User, RegisterError> {
        let user = User::register(UserId::generate(), profile(username, email), role, Timestamp::now());
        let hash = hasher().hash(&chosen(PASSWORD)).unwrap();
        self.users.register(&user, &hash, &trace()).await.map(|()| user)
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
        self.doorkeeper.admit(name, &given(password), ADDRESS).await
    }

    /// A new session of a user.
    pub(crate) async fn session(&self, user: &User) -> Granted {
        let access = self.sessions.access(user.id).await.unwrap().unwrap();
        self.sessions.open(user.id, access.generation).await.unwrap()
    }

    /// Whether the access tokens of a session stand.
    pub(crate) async fn admits(&self, granted: &Granted) -> bool {
        let session = &granted.session;
        let access = self.sessions.access(session.user_id).await.unwrap().unwrap();
        access.admits(session.session_id, session.generation)
    }
}
