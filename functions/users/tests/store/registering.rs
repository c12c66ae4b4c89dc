//! AP-80 to AP-83 and AP-88: who is registered, and as whom.

use crate::fixture::{House, PASSWORD};
use boxoffice_aws::Limit;
use boxoffice_kernel::{Role, UserId};
use boxoffice_testing::{Table, for_each_dynamodb, trace};
use boxoffice_users::{domain::Change, store::RegisterError};
use tokio::task::JoinSet;

#[tokio::test]
async fn a_user_is_found_by_each_of_their_names_in_any_case() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        assert_eq!(house.stored(ada.id).await, ada);
        let by_name = house.users.whose_name(&"aDA".parse().unwrap()).await.unwrap();
        let by_mail = house.users.accounts_naming(&"ADA@example.ORG".parse().unwrap()).await.unwrap();
        assert_eq!((by_name, by_mail), (Some(ada.id), vec![ada.id]));
        assert_eq!(house.users.whose_name(&"ada2".parse().unwrap()).await.unwrap(), None);
        assert_eq!(house.users.get(UserId::generate()).await.unwrap(), None);
        assert_eq!(database.history(ada.id).await, ["UserCreated"]);
    })
    .await;
}

#[tokio::test]
async fn a_mail_address_is_one_in_every_spelling_of_its_domain() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.register("ada", "ada@b\u{fc}cher.example").await.unwrap();
        for spelling in ["Ada@BU\u{308}CHER.example", "ada@xn--bcher-kva.example"] {
            assert_eq!(house.users.accounts_naming(&spelling.parse().unwrap()).await.unwrap(), [ada.id], "{spelling}");
            assert_eq!(house.admit(spelling, PASSWORD).await.unwrap().account.user, ada, "{spelling}");
        }
    })
    .await;
}

#[tokio::test]
async fn no_event_holds_a_password_or_what_is_kept_of_one() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let ada = house.ada().await;
        let detail = &database.events_of(ada.id).await[0].detail;
        assert!(!detail.contains("argon2") && !detail.to_lowercase().contains("password"), "{detail}");
        let kept = format!("{:?}", database.items(Table::Users).await);
        assert!(kept.contains("$argon2id$") && !kept.contains(crate::fixture::PASSWORD));
    })
    .await;
}

#[tokio::test]
async fn one_of_many_concurrent_registrations_gets_the_name_and_each_may_name_the_address() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let mut running = JoinSet::new();
        for number in 0..12 {
            let house = house.clone();
            // Half race for the name in another case; half name one mail address, which nobody has by that.
            let (name, mail) = match number % 2 {
                0 => (["Ada", "ADA", "ada"][number % 3].to_owned(), format!("ada{number}@example.org")),
                _ => (format!("ada-{number}"), ["ada@example.org", "Ada@Example.org"][number % 4 / 2].to_owned()),
            };
            running.spawn(async move { (number % 2, house.register(&name, &mail).await) });
        }
        let (mut names, mut mails) = (0, 0);
        for (kind, outcome) in running.join_all().await {
            match (kind, outcome) {
                (0, Ok(_)) => names += 1,
                (_, Ok(_)) => mails += 1,
                (0, Err(RegisterError::UsernameTaken)) => {}
                (_, other) => panic!("{other:?}"),
            }
        }
        assert_eq!((names, mails), (1, 6));
        let address = "ada@example.org".parse().unwrap();
        assert_eq!(house.users.whose_mail(&address).await.unwrap(), None);
        assert_eq!(house.users.accounts_naming(&address).await.unwrap().len(), 6);
        // Those refused left nothing: a user is three items here, and one of access.
        assert_eq!(database.items(Table::Users).await.len(), 7 * 3);
        assert_eq!(database.items(Table::Sessions).await.len(), 7);
        assert_eq!(database.events().await.len(), 7);
    })
    .await;
}

#[tokio::test]
async fn users_are_listed_newest_first_and_by_the_role_they_have_now() {
    for_each_dynamodb(|database| async move {
        let house = House::new(&database);
        let admin = house.admin().await;
        let mut ids = vec![admin.id];
        for number in 0..5 {
            ids.push(house.register(&format!("user{number}"), &format!("u{number}@example.org")).await.unwrap().id);
        }
        ids.reverse();
        let two: Limit = "2".parse().unwrap();
        let (mut listed, mut cursor) = (Vec::new(), None);
        loop {
            let page = house.users.list(two, cursor).await.unwrap();
            listed.extend(page.items.iter().map(|user| user.id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(listed, ids);

        let promote = Change { role: Some(Role::Manager), ..Change::default() };
        house.users.change(ids[1], &promote, admin, &trace()).await.unwrap();
        let of = async |role| -> Vec<UserId> {
            let page = house.users.list_by_role(role, Limit::default(), None).await.unwrap();
            page.items.iter().map(|user| user.id).collect()
        };
        assert_eq!(of(Role::Manager).await, [ids[1]]);
        assert_eq!(of(Role::User).await, [ids[0], ids[2], ids[3], ids[4]]);

        house.users.delete(ids[0], admin, &trace()).await.unwrap();
        assert_eq!(of(Role::User).await, [ids[2], ids[3], ids[4]]);
        let page = house.users.list(Limit::default(), None).await.unwrap();
        assert_eq!(page.items.len(), 5);
    })
    .await;
}
