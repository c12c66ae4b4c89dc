//! AP-484 and AP-485: a key that leaked signs nothing that anybody takes, seconds after it was retired.

use crate::fixture::House;
use aws_sdk_ssm::Client;
use boxoffice_aws::{AccessRegister, Secret};
use boxoffice_kernel::Role;
use boxoffice_runtime::{
    Code,
    auth::{Access, Caller, Gate, PrivateKey, PublicKey, PublicKeys, RETIREMENT_SECONDS, Signer, Verifier},
};
use boxoffice_testing::{Listener, Table, for_each_dynamodb};
use boxoffice_users::Mint;
use lambda_http::Request;
use serde_json::json;
use std::time::Duration;

const ISSUER: &str = "urn:boxoffice:test";

#[tokio::test]
async fn tokens_of_a_retired_key_are_refused_and_others_are_not() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let session = house.session(&house.ada().await).await.session;
        let caller: Caller = session.caller(Role::User);
        let ((leaked, public), (other, spare)) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
        // A key is named by the millisecond that it is made in, and here both may be made in one.
        let (other, spare) = (
            PrivateKey { kid: format!("{}-other", other.kid), ..other },
            PublicKey { kid: format!("{}-other", spare.kid), ..spare },
        );
        let verifier = Verifier::new(&PublicKeys { keys: vec![public, spare] }, ISSUER).unwrap();
        let register = AccessRegister::new(database.client(), database.table(Table::Sessions));
        let gate = |trusts_for| Gate::new(verifier.clone(), register.clone()).trusting_for(trusts_for);
        let (prompt, patient) = (gate(Duration::ZERO), gate(Duration::from_secs(RETIREMENT_SECONDS * 1000)));
        let admits = async |gate: &Gate, key: &PrivateKey| {
            let token =
                Signer::new(key, ISSUER).unwrap().sign(&caller, 300, boxoffice_kernel::Timestamp::now()).unwrap();
            let mut request = Request::default();
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
            gate.admit(Access::SignedIn, &request).await.map_err(|problem| problem.code)
        };
        for gate in [&prompt, &patient] {
            assert_eq!(admits(gate, &leaked).await, Ok(caller));
        }
        register.retire_keys(std::slice::from_ref(&leaked.kid)).await.unwrap();
        assert_eq!(admits(&prompt, &leaked).await, Err(Code::TokenInvalid));
        assert_eq!(admits(&prompt, &other).await, Ok(caller));
        // The control: what a function read before goes for as long as it is told to go by it.
        assert_eq!(admits(&patient, &leaked).await, Ok(caller));
        // Once more, and another: each stays retired.
        register.retire_keys(&["another".to_owned(), leaked.kid.clone()]).await.unwrap();
        assert_eq!(register.retired_keys().await.unwrap(), ["another".to_owned(), leaked.kid.clone()].into());
        assert_eq!(admits(&prompt, &leaked).await, Err(Code::TokenInvalid));
    })
    .await;
}

#[tokio::test]
async fn a_log_in_reads_the_key_that_signs_once_a_minute() {
    let (private, _) = PrivateKey::generate().unwrap();
    let text = serde_json::to_string(&private).unwrap();
    let parameters = Listener::answering(move |_, _| (200, json!({ "Parameter": { "Value": text } })));
    let key = Secret::new(Client::new(&parameters.sdk_config()), "/boxoffice/token-key");
    let mint = Mint::new(key, ISSUER, 300).signing_for(Duration::ZERO);
    let me = Caller {
        user_id: boxoffice_kernel::UserId::generate(),
        role: Role::User,
        session: boxoffice_kernel::SessionId::generate(),
        generation: 1,
        logged_in_at: 0,
    };
    for reads in 1..=3 {
        mint.access_token(&me, None).await.unwrap();
        assert_eq!(parameters.heard().len(), reads);
    }
}
