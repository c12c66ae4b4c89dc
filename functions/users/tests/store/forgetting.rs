//! AP-330 to AP-334: tokens in mails, and what they are good for.

use crate::fixture::{House, PASSWORD, acting, chosen, hasher};
use boxoffice_aws::transaction::Written;
use boxoffice_kernel::Timestamp;
use boxoffice_testing::{Database, Table, for_each_dynamodb, trace};
use boxoffice_users::{
    Post,
    domain::{Change, User},
    handlers::send_account_mail,
    mail::{Mailer, Wanted},
    proof::{Proof, ProofToken, Purpose},
    proofs::ProofStore,
    session::TokenHash,
};
use tokio::task::JoinSet;

const NEW: &str = "staple of another kind";

/// Where mails are sent from, in the name of an address that this implementation of SES knows.
pub(crate) async fn post(database: &Database, house: &House) -> Post {
    let ses = aws_sdk_ses::Client::new(database.sdk_config());
    let sns = aws_sdk_sns::Client::new(database.sdk_config());
    let from = "tickets@boxoffice.example";
    ses.verify_email_identity().email_address(from).send().await.unwrap();
    let proofs = ProofStore::new(database.client(), database.table(Table::Sessions));
    Post { users: house.users.clone(), sessions: house.sessions.clone(), proofs, mailer: Mailer::new(ses, sns, from) }
}

/// A token as `send-account-mail` makes one.
pub(crate) async fn token(post: &Post, user: &User, purpose: Purpose) -> (TokenHash, Proof) {
    let generation = post.sessions.access(user.id).await.unwrap().unwrap().generation;
    let expires_at = Timestamp::now().plus_seconds(purpose.lifetime_seconds()).unix_seconds();
    let address = match purpose {
        Purpose::PasswordReset => user.profile.email.canonical(),
        Purpose::EmailVerification => user.unverified_email().unwrap().canonical(),
        Purpose::PhoneVerification => user.unverified_phone().unwrap().to_string(),
    };
    let proof = Proof { purpose, user_id: user.id, address, generation, expires_at };
    let token = ProofToken::issue(purpose).unwrap();
    post.proofs.keep(&token, &proof).await.unwrap();
    (token.hash(), proof)
}

/// How many tokens are kept.
async fn kept(database: &Database) -> usize {
    let items = database.items(Table::Sessions).await;
    items.iter().filter(|item| item["sk"].as_s().unwrap() == "PROOF").count()
}

impl House {
    async fn reset(&self, user: &User, token: &TokenHash, proof: &Proof, password: &str) -> Written {
        let account = self.users.account(user.id).await.unwrap().unwrap();
        let hash = hasher().hash(&chosen(password)).unwrap();
        self.users.reset_password(&account, token, proof.generation, &hash, &trace()).await.unwrap()
    }
}

#[tokio::test]
async fn a_token_from_a_mail_sets_a_password_once() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let post = post(&database, &house).await;
        let session = house.session(&ada).await;
        let (hash, proof) = token(&post, &ada, Purpose::PasswordReset).await;
        assert_eq!(post.proofs.get(&hash).await.unwrap().as_ref(), Some(&proof));

        assert_eq!(house.reset(&ada, &hash, &proof, NEW).await, Written::Yes);
        assert!(!house.admits(&session).await);
        assert!(house.admit("ada", PASSWORD).await.is_err());
        house.admit("ada", NEW).await.unwrap();
        let stored = house.stored(ada.id).await;
        assert!(stored.email_verified_at.is_some(), "they read the mail of that address");
        assert_eq!(stored.profile.phone, None, "who registered it may be another");
        assert_eq!(house.users.whose_mail(&ada.profile.email).await.unwrap(), Some(ada.id));
        assert_eq!(house.admit("ada@example.org", NEW).await.unwrap().account.user, stored);
        assert_eq!(database.history(ada.id).await, ["UserCreated", "UserPasswordChanged", "UserEmailVerified"]);

        assert_eq!(post.proofs.get(&hash).await.unwrap(), None);
        assert_eq!(house.reset(&ada, &hash, &proof, "and a third one").await, Written::Stale);
        house.admit("ada", NEW).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_reset_of_an_address_that_nobody_had_verified_forgets_the_second_factor_and_another_keeps_it() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let (ada, post) = (house.ada().await, post(&database, &house).await);
        for keeps in [false, true] {
            // The first time, whoever registered may be another than who reads the mail.
            house.enrol(&ada).await;
            let (hash, proof) = token(&post, &house.stored(ada.id).await, Purpose::PasswordReset).await;
            assert_eq!(house.reset(&ada, &hash, &proof, NEW).await, Written::Yes);
            assert_eq!(house.users.factor(ada.id).await.unwrap().is_some(), keeps);
        }
    })
    .await;
}

#[tokio::test]
async fn one_of_many_concurrent_resets_with_one_token_counts() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let post = post(&database, &house).await;
        let (hash, proof) = token(&post, &ada, Purpose::PasswordReset).await;
        let mut running = JoinSet::new();
        for number in 0..6 {
            let (house, ada, hash, proof) = (house.clone(), ada.clone(), hash.clone(), proof.clone());
            running.spawn(async move { house.reset(&ada, &hash, &proof, &format!("secret number {number}")).await });
        }
        let written = running.join_all().await.into_iter().filter(|written| *written == Written::Yes).count();
        assert_eq!(written, 1);
        assert_eq!(database.history(ada.id).await, ["UserCreated", "UserPasswordChanged", "UserEmailVerified"]);
    })
    .await;
}

#[tokio::test]
async fn a_token_from_before_a_new_password_is_worth_nothing() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let post = post(&database, &house).await;
        let (first, of_first) = token(&post, &ada, Purpose::PasswordReset).await;
        let (second, of_second) = token(&post, &ada, Purpose::PasswordReset).await;
        assert_eq!(house.reset(&ada, &second, &of_second, NEW).await, Written::Yes);
        assert_eq!(house.reset(&ada, &first, &of_first, "and a third one").await, Written::Stale);
        house.admit("ada", NEW).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_address_is_verified_once_and_a_new_one_anew() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let post = post(&database, &house).await;
        let (hash, _) = token(&post, &ada, Purpose::EmailVerification).await;
        let account = async || house.users.account(ada.id).await.unwrap().unwrap();
        assert_eq!(house.users.verify_email(&account().await, &hash, &trace()).await.unwrap(), Written::Yes);
        assert!(house.stored(ada.id).await.email_verified_at.is_some());
        assert_eq!(house.users.verify_email(&account().await, &hash, &trace()).await.unwrap(), Written::Stale);

        let moved = Change { email: Some("ada@example.net".parse().unwrap()), ..Change::default() };
        house.users.change(ada.id, &moved, acting(&ada), &trace()).await.unwrap();
        assert_eq!(house.users.verify_email(&account().await, &hash, &trace()).await.unwrap(), Written::Stale);
        assert_eq!(database.history(ada.id).await, ["UserCreated", "UserEmailVerified", "UserUpdated"]);
    })
    .await;
}

#[tokio::test]
async fn a_mailbox_gets_three_mails_an_hour() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let post = post(&database, &house).await;
        for _ in 0..5 {
            let wanted = Wanted::PasswordReset { email: "ADA@example.org".parse().unwrap() };
            send_account_mail::run(&post, wanted).await.unwrap();
        }
        assert_eq!(kept(&database).await, 3);
        send_account_mail::run(&post, Wanted::EmailVerification { user_id: ada.id }).await.unwrap();
        assert_eq!(kept(&database).await, 4, "each purpose has a budget of its own");
        let later = Timestamp::now().plus_seconds(3601);
        let address = "ada@example.org";
        assert!(post.proofs.within_budget(ada.id, Purpose::PasswordReset, address, later).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_address_of_nobody_gets_no_mail_and_no_other_answer() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let post = post(&database, &house).await;
        let wanted = Wanted::PasswordReset { email: "nobody@example.org".parse().unwrap() };
        send_account_mail::run(&post, wanted).await.unwrap();
        assert_eq!(kept(&database).await, 0);
        // Nor does one that is suspended.
        let (root, ada) = (house.admin().await, house.ada().await);
        house.users.suspend(ada.id, &"A test".parse().unwrap(), root, &trace()).await.unwrap();
        let wanted = Wanted::PasswordReset { email: ada.profile.email.clone() };
        send_account_mail::run(&post, wanted).await.unwrap();
        assert_eq!(kept(&database).await, 0);
    })
    .await;
}
