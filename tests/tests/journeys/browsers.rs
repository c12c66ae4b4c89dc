//! Browsers: other origins, headers, the API's document and its page, the public keys.

use boxoffice_e2e::{
    BoxOffice, Verdict,
    platform::{Ability, can, is_the_gateways_own},
    stack::workspace,
};
use reqwest::Method;
use serde_json::Value;

#[tokio::test]
async fn a_browser_learns_what_it_may_send_from_another_origin() -> Verdict {
    let house = BoxOffice::open().await?;
    for (path, method, others) in
        [("/tickets", "POST", "GET"), ("/users/login", "POST", "POST"), ("/inventory/available", "GET", "GET")]
    {
        let asked = house.api.call(Method::OPTIONS, path).header("Origin", "https://tickets.example");
        let asked = asked.header("Access-Control-Request-Method", method);
        let reply = asked.header("Access-Control-Request-Headers", "authorization, content-type").send().await?;

        reply.with_status(204)?;
        let header = |name: &str| reply.header(name).unwrap_or_default().to_ascii_lowercase();
        assert!(header("access-control-allow-methods").contains(&method.to_ascii_lowercase()), "{reply:?}");
        assert!(header("access-control-allow-methods").contains(&others.to_ascii_lowercase()), "{reply:?}");
        for name in ["authorization", "content-type", "idempotency-key", "if-none-match"] {
            assert!(header("access-control-allow-headers").contains(name), "{name}: {reply:?}");
        }
        assert!(!header("access-control-allow-origin").is_empty(), "{reply:?}");
        // Tokens travel in a header. With cookies allowed, any page could call in the name of who visits it.
        assert_eq!(reply.header("access-control-allow-credentials"), None);
    }
    Ok(())
}

#[tokio::test]
async fn every_answer_whatever_it_is_carries_the_headers_that_keep_browsers_safe() -> Verdict {
    let house = BoxOffice::open().await?;
    let answers = [
        (200, house.api.get("/inventory")),
        (200, house.buyer.get("/users/me")),
        (401, house.api.get("/users/me")),
        (403, house.buyer.get("/users")),
        (404, house.api.get("/nowhere")),
        (405, house.api.call(Method::PATCH, "/inventory")),
        (400, house.api.get("/inventory/inv_1")),
        (400, house.api.post("/users").text("application/json", "{")),
    ];
    for (status, request) in answers {
        let reply = request.send().await?;
        reply.with_status(status)?;
        if is_the_gateways_own(&reply) {
            // It has the headers that the template gives it, which are fewer: it is nothing that a browser shows.
            if can(Ability::ShapesItsRefusals, "the headers of what the gateway refuses by itself").await? {
                assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{reply:?}");
                assert_eq!(reply.header("cache-control"), Some("no-store"), "{reply:?}");
            }
            continue;
        }
        for (name, part) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", "default-src 'none'"),
            ("strict-transport-security", "max-age="),
            ("access-control-allow-origin", ""),
            ("cache-control", ""),
            ("x-correlation-id", ""),
        ] {
            assert!(reply.header(name).is_some_and(|value| value.contains(part)), "{name}: {reply:?}");
        }
        if status >= 400 {
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{reply:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_missing_token_is_answered_with_its_scheme() -> Verdict {
    let house = BoxOffice::open().await?;
    let none = house.api.get("/users/me").send().await?;
    none.refusal(401, "AUTHENTICATION_REQUIRED")?;
    assert!(none.challenge().is_some_and(|header| header.starts_with("Bearer")), "{none:?}");
    for authorization in ["Basic YWRtaW46YWRtaW4=", "Bearer", "token"] {
        let reply = house.api.get("/users/me").header("Authorization", authorization).send().await?;
        assert_eq!(reply.status, 401, "{authorization}: {reply:?}");
    }
    let wrong = house.api.get("/users/me").bearer("not.a.token").send().await?;
    wrong.refusal(401, "TOKEN_INVALID")?;
    assert!(wrong.challenge().is_some_and(|header| header.contains("invalid_token")), "{wrong:?}");
    Ok(())
}

#[tokio::test]
async fn the_api_s_document_is_the_one_of_this_checkout() -> Verdict {
    let house = BoxOffice::open().await?;
    let reply = house.api.get("/openapi.json").send().await?;
    let served: Value = reply.answer(200)?;
    assert!(reply.header("content-type").is_some_and(|kind| kind.starts_with("application/json")), "{reply:?}");
    assert!(served["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let checked_in = std::fs::read_to_string(workspace().join("api/openapi.json")).unwrap();
    assert_eq!(served, serde_json::from_str::<Value>(&checked_in).unwrap());
    let tag = reply.header("etag").unwrap_or_default();
    house.api.get("/openapi.json").header("If-None-Match", tag).send().await?.with_status(304)?;
    Ok(())
}

#[tokio::test]
async fn the_document_s_page_and_what_it_loads_are_there() -> Verdict {
    let house = BoxOffice::open().await?;
    let page = house.api.get("/docs").send().await?;
    page.with_status(200)?;
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{page:?}");
    for (file, kind) in
        [("swagger-ui.css", "text/css"), ("swagger-ui-bundle.js", "text/javascript"), ("start.js", "text/javascript")]
    {
        assert!(page.body.contains(file), "the page does not load {file}");
        let reply = house.api.get(&format!("/docs/{file}")).send().await?;
        reply.with_status(200)?;
        assert!(reply.header("content-type").is_some_and(|header| header.starts_with(kind)), "{file}");
        assert!(!reply.body.is_empty(), "{file}");
    }
    house.api.get("/docs/secrets.txt").send().await?.refusal(404, "ROUTE_NOT_FOUND")?;
    Ok(())
}

#[tokio::test]
async fn the_public_keys_are_shown_and_nothing_but_them() -> Verdict {
    let house = BoxOffice::open().await?;
    let set: Value = house.api.get("/.well-known/jwks.json").send().await?.answer(200)?;
    let keys = set["keys"].as_array().unwrap();
    assert!(!keys.is_empty());
    for key in keys {
        assert_eq!(
            (key["kty"].as_str(), key["crv"].as_str(), key["alg"].as_str()),
            (Some("OKP"), Some("Ed25519"), Some("EdDSA"))
        );
        assert!(key["x"].is_string() && key["kid"].is_string(), "{key}");
        // `d` is a key's private half (RFC 8037, section 2).
        assert!(key.get("d").is_none(), "{key}");
    }
    Ok(())
}
