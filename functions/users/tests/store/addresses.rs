//! AP-334 and AP-480 to AP-483: an address is anybody's to name, and its reader's to have.

use crate::{
    fixture::{House, LIMITS, PASSWORD, acting, chosen, hasher, profile},
    forgetting::{post, token},
};
use aws_sdk_dynamodb::types::AttributeValue;
use boxoffice_aws::transaction::Written;
use boxoffice_kernel::{Email, Role, Timestamp, UserId};
use boxoffice_testing::{Database, Table, for_each_dynamodb, trace};
use boxoffice_users::{
    domain::{Change, User},
    doorkeeper::Denied,
    handlers::send_account_mail,
    mail::Wanted,
    proof::{Proof, ProofToken, Purpose},
    proofs::ProofStore,
    store::ChangeError,
    throttle::Limits,
};
use std::sync::Arc;
use tokio::{sync::Barrier, task::JoinSet};

const SHARED: &str = "ada@example.org";

fn address() -> Email {
    SHARED.parse().unwrap()
}

impl House {
    /// Somebody who names the shared address, with a password of their own.
    async fn names_it(&self, username: &str, password: &str) -> User {
        self.register_with(profile(username, SHARED), Role::User, password).await.unwrap()
    }

    /// They use the token of a mail to the address that waits.
    pub(crate) async fn verify(&self, user: &User) -> Result<Written, ChangeError> {
        let account = self.users.account(user.id).await?.unwrap();
        let token = self.proof(&account.user).await;
        self.users.verify_email(&account, &token.hash(), &trace()).await
    }

    async fn proof(&self, user: &User) -> ProofToken {
        let (purpose, now) = (Purpose::EmailVerification, Timestamp::now());
        let address = user.unverified_email().unwrap().canonical();
        let expires_at = now.plus_seconds(purpose.lifetime_seconds()).unix_seconds();
        let proof = Proof { purpose, user_id: user.id, address, generation: 1, expires_at };
        let token = ProofToken::issue(purpose).unwrap();
        self.proofs.keep(&token, &proof).await.unwrap();
        token
    }

    async fn moves_to(&self, user: &User, email: &str) -> User {
        let change = Change { email: Some(email.parse().unwrap()), ..Change::default() };
        self.users.change(user.id, &change, acting(user), &trace()).await.unwrap()
    }

    async fn owner(&self) -> Option<UserId> {
        self.users.whose_mail(&address()).await.unwrap()
    }

    async fn enters(&self, name: &str, password: &str) -> Result<UserId, Denied> {
        self.admit(name, password).await.map(|admitted| admitted.account.user.id)
    }
}

#[tokio::test]
async fn several_accounts_name_one_address_and_each_logs_in_with_it_until_its_reader_has_it() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let eve = house.names_it("eve", "a strangers secret").await;
        let ada = house.names_it("ada", PASSWORD).await;
        assert_eq!(house.enters(SHARED, PASSWORD).await.unwrap(), ada.id);
        assert_eq!(house.enters(SHARED, "a strangers secret").await.unwrap(), eve.id);
        assert_eq!(house.owner().await, None);

        assert_eq!(house.verify(&ada).await.unwrap(), Written::Yes);
        assert_eq!(house.owner().await, Some(ada.id));
        assert_eq!(house.enters(SHARED, PASSWORD).await.unwrap(), ada.id);
        let refused = house.verify(&eve).await;
        assert!(matches!(refused, Err(ChangeError::EmailTaken)), "{refused:?}");
        assert_eq!(house.stored(eve.id).await, eve, "nothing is left of the try");
        // An account keeps the log-in by an address that another has verified since: its user's order may be there.
        assert_eq!(house.enters(SHARED, "a strangers secret").await.unwrap(), eve.id);
        // The control: with an address of her own she has what she proves.
        house.moves_to(&eve, "eve@example.org").await;
        assert_eq!(house.verify(&eve).await.unwrap(), Written::Yes);
        assert_eq!(house.enters("eve@example.org", "a strangers secret").await.unwrap(), eve.id);
        assert!(matches!(house.enters(SHARED, "a strangers secret").await, Err(Denied::Wrong)));
    })
    .await;
}

/// Whether this account has the address now, had it read first and written then: as a claim without a condition would be.
async fn takes_without_condition(database: Database, house: House, user: User, all_have_read: Arc<Barrier>) -> bool {
    let free = house.owner().await.is_none();
    all_have_read.wait().await;
    let put = database.client().put_item().table_name(database.table(Table::Users));
    let put = put.item("pk", AttributeValue::S(format!("MAIL#{SHARED}"))).item("sk", AttributeValue::S("MAIL".into()));
    put.item("userId", AttributeValue::S(user.id.to_string())).send().await.unwrap();
    free
}

#[tokio::test]
async fn one_of_many_concurrent_verifications_has_the_address_and_without_the_condition_all_would() {
    for_each_dynamodb(|database| async move {
        const CLAIMANTS: usize = 6;
        for conditional in [true, false] {
            let house = House::new(&database);
            let mut claimants = Vec::new();
            for number in 0..CLAIMANTS {
                let name = format!("claimant-{number}-{conditional}");
                claimants.push(house.names_it(&name, &format!("secret number {number}")).await);
            }
            let (mut running, all_have_read) = (JoinSet::new(), Arc::new(Barrier::new(CLAIMANTS)));
            for user in claimants {
                let (database, house, all_have_read) = (database.clone(), house.clone(), all_have_read.clone());
                running.spawn(async move {
                    if !conditional {
                        return takes_without_condition(database, house, user, all_have_read).await;
                    }
                    match house.verify(&user).await {
                        Ok(written) => written == Written::Yes,
                        Err(ChangeError::EmailTaken) => false,
                        Err(error) => panic!("{error}"),
                    }
                });
            }
            let owners = running.join_all().await.into_iter().filter(|owns| *owns).count();
            if conditional {
                assert_eq!(owners, 1);
                let owner = house.stored(house.owner().await.unwrap()).await;
                assert!(owner.email_verified_at.is_some());
                let delete = database.client().delete_item().table_name(database.table(Table::Users));
                let delete = delete.key("pk", AttributeValue::S(format!("MAIL#{SHARED}")));
                delete.key("sk", AttributeValue::S("MAIL".into())).send().await.unwrap();
            } else {
                assert_eq!(owners, CLAIMANTS, "the control shows no race");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_stranger_learns_from_no_answer_whether_an_address_is_known() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.names_it("ada", PASSWORD).await;
        house.verify(&ada).await.unwrap();
        house.register("grace", "grace@example.org").await.unwrap();
        // Verified, named, unknown: the same answers to a registration, a change and a log-in.
        for (number, known) in [SHARED, "grace@example.org", "nobody@example.org"].into_iter().enumerate() {
            let stranger = house.register(&format!("stranger-{number}"), known).await.unwrap();
            house.moves_to(&stranger, "stranger@example.org").await;
            house.moves_to(&stranger, known).await;
            let refused = house.enters(known, "not the password").await;
            assert!(matches!(refused, Err(Denied::Wrong)), "{known}: {refused:?}");
        }
        assert_eq!(house.owner().await, Some(ada.id));
        assert_eq!(house.enters(SHARED, PASSWORD).await.unwrap(), ada.id);
    })
    .await;
}

#[tokio::test]
async fn an_address_stays_in_force_until_the_new_one_is_verified_and_is_free_then() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.names_it("ada", PASSWORD).await;
        house.verify(&ada).await.unwrap();
        house.moves_to(&ada, "ada@example.net").await;
        assert_eq!(house.owner().await, Some(ada.id));
        assert_eq!(house.enters(SHARED, PASSWORD).await.unwrap(), ada.id);
        assert!(matches!(house.enters("ada@example.net", PASSWORD).await, Err(Denied::Wrong)));
        let successor = house.names_it("successor", "another secret").await;
        assert!(matches!(house.verify(&successor).await, Err(ChangeError::EmailTaken)));

        house.verify(&ada).await.unwrap();
        assert_eq!(house.enters("ada@example.net", PASSWORD).await.unwrap(), ada.id);
        assert!(matches!(house.enters(SHARED, PASSWORD).await, Err(Denied::Wrong)));
        assert_eq!(house.owner().await, None);
        assert_eq!(house.verify(&successor).await.unwrap(), Written::Yes);
    })
    .await;
}

#[tokio::test]
async fn a_log_in_to_another_account_of_an_address_gives_no_guess_back() {
    for_each_dynamodb(|database| async move {
        let limits = Limits { free: 9, lockout: 5, account_delay_seconds: 0, ..LIMITS };
        for verified in [false, true] {
            let house = House::limited(&database, limits);
            let (ada, eve) = (format!("ada-{verified}"), format!("eve-{verified}"));
            let shared = format!("{ada}@example.org");
            let ada = house.register_with(profile(&ada, &shared), Role::User, PASSWORD).await.unwrap();
            let stranger = "a strangers secret";
            let eve = house.register_with(profile(&eve, &shared), Role::User, stranger).await.unwrap();
            if verified {
                house.verify(&ada).await.unwrap();
            }
            for guess in 0..limits.lockout {
                assert_eq!(house.enters(&shared, stranger).await.unwrap(), eve.id);
                let refused = house.enters(&shared, &format!("guess {guess}")).await;
                assert!(matches!(refused, Err(Denied::Wrong)), "guess {guess}: {refused:?}");
            }
            let locked = house.enters(&shared, "one guess more").await;
            assert!(matches!(locked, Err(Denied::Wait(_))), "{locked:?}");
            // The control: by a name that is hers alone, a log-in forgives what she mistyped.
            for _ in 0..limits.lockout {
                assert!(matches!(house.enters(eve.profile.username.as_str(), "mistyped").await, Err(Denied::Wrong)));
                house.enters(eve.profile.username.as_str(), stranger).await.unwrap();
            }
            // The owner of the address is kept out at the guesser's network address alone.
            let elsewhere = house.admit_from("203.0.113.77", &shared, PASSWORD).await.unwrap();
            assert_eq!(elsewhere.account.user.id, ada.id);
        }
    })
    .await;
}

#[tokio::test]
async fn a_new_password_is_the_one_that_an_unverified_address_logs_in_with() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.names_it("ada", PASSWORD).await;
        for (old, new) in [(PASSWORD, "staple of another kind"), ("staple of another kind", "staple of another kind")] {
            let account = house.admit(SHARED, old).await.unwrap().account;
            let kept = hasher().keep(&chosen(new), &account.user).unwrap();
            let written = house.users.change_password(&account, &kept, &trace()).await.unwrap();
            assert_eq!(written, Written::Yes);
            assert_eq!(house.enters(SHARED, new).await.unwrap(), ada.id);
        }
        assert!(matches!(house.enters(SHARED, PASSWORD).await, Err(Denied::Wrong)));
    })
    .await;
}

#[tokio::test]
async fn a_telephone_number_is_verified_once_by_its_token_and_several_may_have_it() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let post = post(&database, &house).await;
        for name in ["ada", "grace"] {
            let user = house.register(name, &format!("{name}@example.org")).await.unwrap();
            let (hash, _) = token(&post, &user, Purpose::PhoneVerification).await;
            assert_eq!(house.users.verify_phone(&user, &hash, &trace()).await.unwrap(), Written::Yes);
            let verified = house.stored(user.id).await;
            assert!(verified.phone_verified_at.is_some());
            assert_eq!(house.users.verify_phone(&verified, &hash, &trace()).await.unwrap(), Written::Stale);
            assert_eq!(database.history(user.id).await, ["UserCreated", "UserUpdated"]);
        }
    })
    .await;
}

/// The tokens that are kept for an address.
async fn kept_for(database: &Database, address: &str) -> usize {
    let items = database.items(Table::Sessions).await;
    items.iter().filter(|item| item.get("address").is_some_and(|at| at.as_s().unwrap() == address)).count()
}

#[tokio::test]
async fn a_reader_of_the_mail_resets_each_account_that_names_the_address_and_its_owner_alone_where_there_is_one() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let post = post(&database, &house).await;
        let ada = house.names_it("ada", PASSWORD).await;
        house.names_it("eve", "a strangers secret").await;
        let forgotten = || Wanted::PasswordReset { email: address() };
        send_account_mail::run(&post, forgotten()).await.unwrap();
        assert_eq!(kept_for(&database, SHARED).await, 2);
        house.verify(&ada).await.unwrap();
        let before = kept_for(&database, SHARED).await;
        send_account_mail::run(&post, forgotten()).await.unwrap();
        assert_eq!(kept_for(&database, SHARED).await, before + 1);
    })
    .await;
}

#[tokio::test]
async fn any_number_of_accounts_sends_an_address_a_bounded_number_of_messages() {
    for_each_dynamodb(|database| async move {
        let proofs = ProofStore::new(database.client(), database.table(Table::Sessions));
        let (purpose, now) = (Purpose::EmailVerification, Timestamp::now());
        let mut sent = 0;
        for _ in 0..30 {
            sent += usize::from(proofs.within_budget(UserId::generate(), purpose, SHARED, now).await.unwrap());
        }
        assert_eq!(sent, 20);
        assert!(proofs.within_budget(UserId::generate(), purpose, "eve@example.org", now).await.unwrap());
        let noted = "ada+tickets@example.org";
        assert!(!proofs.within_budget(UserId::generate(), purpose, noted, now).await.unwrap(), "it is one mailbox");
        let reset = proofs.within_budget(UserId::generate(), Purpose::PasswordReset, SHARED, now).await.unwrap();
        assert!(reset, "strangers' verifications take nothing from what its owner asks for");
        let later = now.plus_seconds(3601);
        assert!(proofs.within_budget(UserId::generate(), purpose, SHARED, later).await.unwrap());
        let left = format!("{:?}", database.items(Table::Sessions).await);
        assert!(!left.contains("ada@"), "an address is counted by its hash: {left}");
    })
    .await;
}
