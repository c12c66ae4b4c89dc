//! AP-530 to AP-535: a second factor is enrolled, asked for, used once, and taken away.

use crate::fixture::{ADDRESS, House, LIMITS, PASSWORD, acting};
use boxoffice_aws::transaction::Written;
use boxoffice_kernel::{Role, Timestamp};
use boxoffice_runtime::{
    Code,
    auth::{Access, Gate, PrivateKey, PublicKeys, Verifier},
};
use boxoffice_testing::{Database, Listener, Table, for_each_dynamodb, trace};
use boxoffice_users::{
    Mint,
    domain::{Refusal, Requester, User},
    doorkeeper::{Admitted, Denied},
    second_factor::{FactorSecret, RecoveryCode, SecondFactor, step_at},
    session::{DeviceToken, Strength},
    store::ChangeError,
    throttle::Limits,
};
use lambda_http::Request;
use serde_json::json;
use tokio::task::JoinSet;

/// Limits that no test of this file reaches by itself.
const PATIENT: Limits = Limits { free: 1000, lockout: 1000, account_delay_seconds: 0, ..LIMITS };

fn is_wrong(outcome: &Result<Admitted, Denied>) -> bool {
    matches!(outcome, Err(Denied::CodeWrong))
}

/// A user's app, whose clock is at most a step early: a test uses several codes within one step of the box office's clock.
pub(crate) struct App {
    secret: FactorSecret,
    codes: Vec<RecoveryCode>,
}

impl App {
    /// The code of the step before the current one, the current one, or the one after it.
    fn code(&self, later: i64) -> String {
        self.secret.code(step_at(Timestamp::now()).saturating_add_signed(later))
    }
}

impl House {
    /// The user enrols, with the code of a step that is over.
    pub(crate) async fn enrol(&self, user: &User) -> App {
        let factor = SecondFactor::begin().unwrap();
        assert_eq!(self.users.begin_factor(user.id, &factor).await.unwrap(), Written::Yes);
        let codes = RecoveryCode::issue_all().unwrap();
        let step = step_at(Timestamp::now()) - 2;
        self.users.confirm_factor(self.acting_now(user).await, &factor.secret, step, &codes, &trace()).await.unwrap();
        App { secret: factor.secret, codes }
    }

    /// An actor of the user's generation of now.
    async fn acting_now(&self, user: &User) -> Requester {
        let access = self.sessions.access(user.id).await.unwrap().unwrap();
        Requester { generation: access.generation, ..acting(user) }
    }
}

#[tokio::test]
async fn a_second_factor_counts_once_it_is_confirmed_and_its_sessions_begin_anew() {
    for_each_dynamodb(|database| async move {
        let house = House::limited(&database, PATIENT);
        let ada = house.ada().await;
        let before = house.session(&ada).await;
        let (first, second) = (SecondFactor::begin().unwrap(), SecondFactor::begin().unwrap());
        for factor in [&first, &second] {
            assert_eq!(house.users.begin_factor(ada.id, factor).await.unwrap(), Written::Yes);
        }
        let admitted = house.admit("ada", PASSWORD).await.unwrap();
        assert_eq!(admitted.strength, Strength::Password, "nobody has shown that an app knows it");

        let actor = house.acting_now(&ada).await;
        let superseded = house.users.confirm_factor(actor, &first.secret, 1, &[], &trace()).await;
        assert!(matches!(superseded, Err(ChangeError::Refused(Refusal::FactorNotBegun))), "{superseded:?}");
        let late = Requester { logged_in_lately: false, ..actor };
        let late = house.users.confirm_factor(late, &second.secret, 1, &[], &trace()).await;
        assert!(matches!(late, Err(ChangeError::Refused(Refusal::LogInAgain))), "{late:?}");
        house.users.confirm_factor(actor, &second.secret, 1, &[], &trace()).await.unwrap();

        assert!(!house.admits(&before).await);
        assert!(matches!(house.admit("ada", PASSWORD).await, Err(Denied::CodeMissing)));
        assert!(matches!(house.admit("ada@example.org", PASSWORD).await, Err(Denied::CodeMissing)));
        let code = second.secret.code(step_at(Timestamp::now()));
        assert_eq!(house.admit_with_code(ADDRESS, "ada", &code).await.unwrap().strength, Strength::SecondFactor);
        assert_eq!(house.users.begin_factor(ada.id, &first).await.unwrap(), Written::Stale);
        assert_eq!(database.history(ada.id).await, ["UserCreated", "UserSecondFactorChanged"]);
    })
    .await;
}

#[tokio::test]
async fn a_code_of_an_app_is_accepted_once_and_the_control_without_its_condition_twice() {
    for_each_dynamodb(|database| async move {
        let house = House::limited(&database, PATIENT);
        let ada = house.ada().await;
        let app = house.enrol(&ada).await;
        let code = app.code(0);
        house.admit_with_code(ADDRESS, "ada", &code).await.unwrap();
        let replayed = house.admit_with_code(ADDRESS, "ada", &code).await;
        assert!(is_wrong(&replayed), "{replayed:?}");
        let earlier = house.admit_with_code(ADDRESS, "ada", &app.code(-1)).await;
        assert!(is_wrong(&earlier), "a step before the last accepted one: {earlier:?}");

        // The condition by itself: of those who present a code at one moment, one wins.
        let step = step_at(Timestamp::now()) + 1;
        let mut running = JoinSet::new();
        for _ in 0..8 {
            let (users, secret) = (house.users.clone(), app.secret.clone());
            running.spawn(async move { users.accept_step(ada.id, &secret, step).await.unwrap() });
        }
        let accepted = running.join_all().await.into_iter().filter(|written| *written == Written::Yes).count();
        assert_eq!(accepted, 1);

        // The control: where the last step is not remembered, the same code is good again.
        forget_steps(&database, &ada).await;
        assert_eq!(house.users.accept_step(ada.id, &app.secret, step).await.unwrap(), Written::Yes);
    })
    .await;
}

async fn forget_steps(database: &Database, user: &User) {
    use aws_sdk_dynamodb::types::AttributeValue;
    let update = database.client().update_item().table_name(database.table(Table::Users));
    let update = update.key("pk", AttributeValue::S(format!("USER#{}", user.id)));
    let update = update.key("sk", AttributeValue::S("FACTOR".to_owned())).update_expression("SET lastStep = :none");
    update.expression_attribute_values(":none", AttributeValue::N("0".to_owned())).send().await.unwrap();
}

#[tokio::test]
async fn one_of_many_concurrent_log_ins_with_one_recovery_code_is_let_in() {
    for_each_dynamodb(|database| async move {
        let house = House::limited(&database, PATIENT);
        let ada = house.ada().await;
        let app = house.enrol(&ada).await;
        let code = app.codes[0].reveal();
        let mut running = JoinSet::new();
        for number in 0..8 {
            let (house, code) = (house.clone(), code.clone());
            running.spawn(async move {
                house
                    .admit_with_code(&format!("198.51.100.{number}"), "ada", &code)
                    .await
                    .map(|admitted| admitted.strength)
            });
        }
        let outcomes = running.join_all().await;
        let let_in = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Strength::SecondFactor))).count();
        let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(Denied::CodeWrong))).count();
        assert_eq!((let_in, refused), (1, 7), "{outcomes:?}");
        // The others are as good as before.
        house.admit_with_code(ADDRESS, "ada", &app.codes[1].reveal().to_lowercase()).await.unwrap();
        let left = house.users.factor(ada.id).await.unwrap().unwrap().recovery;
        assert_eq!(left.len(), app.codes.len() - 2);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_code_locks_out_as_a_wrong_password_and_a_missing_one_forgives_nothing() {
    for_each_dynamodb(|database| async move {
        let house = House::limited(&database, Limits { free: 9, lockout: 3, account_delay_seconds: 0, ..LIMITS });
        let ada = house.ada().await;
        let app = house.enrol(&ada).await;
        for _ in 0..2 {
            assert!(is_wrong(&house.admit_with_code(ADDRESS, "ada", "000000").await));
            assert!(matches!(house.admit("ada", PASSWORD).await, Err(Denied::CodeMissing)));
        }
        assert!(is_wrong(&house.admit_with_code(ADDRESS, "ada", "000000").await));
        let locked_out = house.admit_with_code(ADDRESS, "ada", &app.code(0)).await;
        assert!(matches!(locked_out, Err(Denied::Wait(_))), "{locked_out:?}");
        // A wrong password says nothing of the second factor.
        let stranger = house.admit_from("198.51.100.7", "ada", "incorrect horse").await;
        assert!(matches!(stranger, Err(Denied::Wrong)), "{stranger:?}");
        // The owner comes from elsewhere, and a right code forgives.
        house.admit_with_code("203.0.113.7", "ada", &app.code(0)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn wrong_codes_run_out_over_all_sources_and_recovery_codes_still_work() {
    for_each_dynamodb(|database| async move {
        let house = House::limited(&database, PATIENT);
        let ada = house.ada().await;
        let app = house.enrol(&ada).await;
        for number in 0..10 {
            let guessed = house.admit_with_code(&format!("198.51.100.{number}"), "ada", "000000").await;
            assert!(is_wrong(&guessed), "guess {number}: {guessed:?}");
        }
        let spent = house.admit_with_code("203.0.113.7", "ada", &app.code(0)).await;
        assert!(matches!(spent, Err(Denied::Wait(_))), "{spent:?}");
        house.admit_with_code("203.0.113.7", "ada", &app.codes[0].reveal()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_admin_resets_anothers_second_factor_and_every_session_of_theirs_ends() {
    for_each_dynamodb(|database| async move {
        let house = House::limited(&database, PATIENT);
        let (ada, admin) = (house.ada().await, house.admin().await);
        let app = house.enrol(&ada).await;
        let session = house.session(&ada).await;
        let reason = "Lost the telephone".parse().unwrap();
        let gone = Requester { generation: 7, ..admin };
        let refused = house.users.remove_factor(ada.id, gone, Some(&reason), &trace()).await;
        assert!(matches!(refused, Err(ChangeError::ActorGone)), "{refused:?}");
        assert!(house.admits(&session).await);

        house.users.remove_factor(ada.id, admin, Some(&reason), &trace()).await.unwrap();
        assert!(!house.admits(&session).await);
        assert_eq!(house.admit("ada", PASSWORD).await.unwrap().strength, Strength::Password);
        assert_eq!(house.users.accept_step(ada.id, &app.secret, u64::MAX / 2).await.unwrap(), Written::Stale);
        let again = house.users.remove_factor(ada.id, admin, Some(&reason), &trace()).await;
        assert!(matches!(again, Err(ChangeError::Refused(Refusal::FactorNotBegun))), "{again:?}");
        let told = ["UserCreated", "UserSecondFactorChanged", "UserSecondFactorChanged"];
        assert_eq!(database.history(ada.id).await, told);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_user_leaves_no_second_factor() {
    for_each_dynamodb(|database| async move {
        let house = House::limited(&database, PATIENT);
        let (ada, admin) = (house.ada().await, house.admin().await);
        house.enrol(&ada).await;
        house.users.delete(ada.id, admin, &trace()).await.unwrap();
        assert_eq!(house.users.factor(ada.id).await.unwrap(), None);
        let begun = house.users.begin_factor(ada.id, &SecondFactor::begin().unwrap()).await.unwrap();
        assert_eq!(begun, Written::Stale);
    })
    .await;
}

#[tokio::test]
async fn a_manager_without_a_second_factor_is_told_to_enrol_where_their_role_would_do() {
    for_each_dynamodb(|database| async move {
        const ISSUER: &str = "urn:boxoffice:test";
        let house = House::limited(&database, PATIENT);
        let grace = house.register_as("grace", "grace@example.org", Role::Manager).await.unwrap();
        let (private, public) = PrivateKey::generate().unwrap();
        let text = serde_json::to_string(&private).unwrap();
        let parameters = Listener::answering(move |_, _| (200, json!({ "Parameter": { "Value": text } })));
        let key = boxoffice_aws::Secret::new(aws_sdk_ssm::Client::new(&parameters.sdk_config()), "/boxoffice/key");
        let mint = Mint::new(key, ISSUER, 300).requiring_second_factor(true);
        let verifier = Verifier::new(&PublicKeys { keys: vec![public] }, ISSUER).unwrap();
        let register = boxoffice_aws::AccessRegister::new(database.client(), database.table(Table::Sessions));
        let gate = Gate::new(verifier, register);
        let asks = async |strength: Strength, access: Access| {
            let device = DeviceToken::issue().unwrap();
            let session = house.sessions.open(grace.id, 1, strength, &device).await.unwrap().session;
            let withheld = mint.withheld(&session, grace.role);
            let caller = session.caller(withheld.map_or(grace.role, |_| Role::User));
            let token = mint.access_token(&caller, withheld).await.unwrap();
            let mut request = Request::default();
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
            gate.admit(access, &request).await.map(|caller| caller.role).map_err(|problem| problem.code)
        };
        for (strength, access, answer) in [
            (Strength::Password, Access::Manager, Err(Code::SecondFactorMissing)),
            (Strength::Password, Access::Admin, Err(Code::Forbidden)),
            (Strength::Password, Access::SignedIn, Ok(Role::User)),
            (Strength::SecondFactor, Access::Manager, Ok(Role::Manager)),
        ] {
            assert_eq!(asks(strength, access).await, answer, "{strength:?} {access:?}");
        }
    })
    .await;
}
