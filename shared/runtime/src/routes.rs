//! Every route of the API, in one place: what a path takes, and what it does not. A test holds it to `template.yaml`.

use crate::auth::Access::{self, Admin, Device, Manager, Owner, OwnerOrManager, Public, SignedIn};

/// A method, a path and who may call it; `{…}` stands for one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// In upper case.
    pub method: &'static str,
    /// As in `template.yaml`.
    pub path: &'static str,
    /// The access rule.
    pub access: Access,
}

const fn route(method: &'static str, path: &'static str, access: Access) -> Route {
    Route { method, path, access }
}

/// The API.
pub const ROUTES: &[Route] = &[
    route("POST", "/users", Public),
    route("POST", "/users/register", Public),
    route("POST", "/users/login", Public),
    route("POST", "/users/refresh", Public),
    route("POST", "/users/logout", SignedIn),
    route("GET", "/users/me", SignedIn),
    route("POST", "/users/me/password", SignedIn),
    route("POST", "/users/password-reset", Public),
    route("POST", "/users/password-reset/confirm", Public),
    route("POST", "/users/me/second-factor", SignedIn),
    route("DELETE", "/users/me/second-factor", SignedIn),
    route("POST", "/users/me/second-factor/confirm", SignedIn),
    route("POST", "/users/me/email-verification", SignedIn),
    route("POST", "/users/email-verification", Public),
    route("POST", "/users/me/phone-verification", SignedIn),
    route("POST", "/users/phone-verification", Public),
    route("GET", "/users", Admin),
    route("GET", "/users/role/{role}", Admin),
    route("GET", "/users/username/{username}", Owner),
    route("POST", "/users/lookup", Owner),
    route("GET", "/users/email/{email}", Owner),
    route("GET", "/users/{id}", Owner),
    route("PUT", "/users/{id}", Owner),
    route("DELETE", "/users/{id}", Owner),
    route("POST", "/users/{id}/suspend", Admin),
    route("POST", "/users/{id}/reinstate", Admin),
    route("POST", "/users/{id}/second-factor/reset", Admin),
    route("GET", "/users/{id}/sessions", Owner),
    route("DELETE", "/users/{id}/sessions", Owner),
    route("DELETE", "/users/{id}/sessions/{sessionId}", Owner),
    route("GET", "/users/{id}/bookings", Owner),
    route("POST", "/inventory", Manager),
    route("GET", "/inventory", Public),
    route("GET", "/inventory/available", Public),
    route("GET", "/inventory/date-range", Public),
    route("GET", "/inventory/{id}", Public),
    route("PUT", "/inventory/{id}", Manager),
    route("DELETE", "/inventory/{id}", Manager),
    route("POST", "/inventory/{id}/reserve", Manager),
    route("POST", "/inventory/{id}/release", Manager),
    route("POST", "/inventory/{id}/cancellation", Manager),
    route("GET", "/inventory/{id}/cancellation", Manager),
    route("GET", "/inventory/{id}/sales", Manager),
    route("GET", "/reports/settlement", Manager),
    route("GET", "/reports/ledger", Manager),
    route("GET", "/inventory/event/{eventName}", Public),
    route("POST", "/inventory/event/{eventName}/reserve", Manager),
    route("POST", "/inventory/event/{eventName}/release", Manager),
    route("POST", "/tickets", SignedIn),
    route("GET", "/tickets", Admin),
    route("GET", "/tickets/user/{userId}", Owner),
    route("GET", "/tickets/status/{status}", Admin),
    route("GET", "/tickets/event/{eventName}", Manager),
    route("GET", "/tickets/inventory/{inventoryId}", Manager),
    route("GET", "/tickets/{id}", Owner),
    route("GET", "/tickets/{id}/admissions", Owner),
    route("GET", "/admissions/{id}", OwnerOrManager),
    route("GET", "/admissions/{id}/code.svg", Owner),
    route("GET", "/admissions/{id}/code.png", Owner),
    route("POST", "/inventory/{id}/check-in-lists", Manager),
    route("GET", "/inventory/{id}/check-in-lists", Manager),
    route("GET", "/check-in-lists/{id}", Manager),
    route("GET", "/check-in-lists/{id}/numbers", Manager),
    route("GET", "/check-in-lists/{id}/devices", Manager),
    route("POST", "/check-in-lists/{id}/devices", Manager),
    route("POST", "/check-in-lists/{id}/undo", Manager),
    route("GET", "/devices/{id}/scans.csv", Manager),
    route("DELETE", "/devices/{id}", Manager),
    route("POST", "/devices/enrol", Public),
    route("POST", "/check-ins", Device),
    route("GET", "/scanner", Public),
    route("GET", "/scanner/{file}", Public),
    route("PATCH", "/tickets/{id}/status", OwnerOrManager),
    route("PATCH", "/tickets/{id}/cancel", Owner),
    route("POST", "/tickets/{id}/mail", Owner),
    route("DELETE", "/tickets/{id}", Owner),
    route("POST", "/payments", Owner),
    route("GET", "/payments", Admin),
    route("GET", "/payments/cases", Admin),
    route("GET", "/payments/user/{userId}", Owner),
    route("GET", "/payments/status/{status}", Admin),
    route("GET", "/payments/transaction/{transactionId}", Owner),
    route("GET", "/payments/ticket/{ticketId}", Owner),
    route("GET", "/payments/{id}", Owner),
    route("POST", "/payments/{id}/process", Owner),
    route("POST", "/payments/{id}/refund", Admin),
    route("POST", "/payments/{id}/refunds/{refundId}/retry", Admin),
    route("POST", "/payments/{id}/refunds/{refundId}/settle", Admin),
    route("POST", "/payments/stripe/events", Public),
    route("DELETE", "/payments/{id}", Admin),
    route("POST", "/notifications", Admin),
    route("GET", "/notifications", Admin),
    route("GET", "/notifications/user/{userId}", Owner),
    route("GET", "/notifications/status/{status}", Admin),
    route("GET", "/notifications/type/{type}", Admin),
    route("GET", "/notifications/{id}", Owner),
    route("DELETE", "/notifications/{id}", Owner),
    route("GET", "/sagas/{ticketId}", Owner),
    route("GET", "/operations/sagas", Admin),
    route("POST", "/operations/sagas/{ticketId}/redrive", Admin),
    route("POST", "/operations/sagas/{ticketId}/compensate", Admin),
    route("POST", "/operations/notifications/{id}/resend", Admin),
    route("GET", "/operations/queues", Admin),
    route("POST", "/operations/queues/{queue}/redrive", Admin),
    route("POST", "/operations/replays", Admin),
    route("POST", "/operations/reconcile", Admin),
    route("GET", "/health", Public),
    route("GET", "/openapi.json", Public),
    route("GET", "/docs", Public),
    route("GET", "/docs/{file}", Public),
    route("GET", "/.well-known/jwks.json", Public),
    route("GET", "/.well-known/ticket-keys.json", Public),
];

/// The shop's pages. A caller is a cookie's, not a header's: a page that needs one leads to the log-in where the API answers 401, and is not found where the API
/// answers 403. `docs/authorization.md` has their table.
pub const PAGES: &[Route] = &[
    route("GET", "/shop", Public),
    route("GET", "/shop/events/{id}", Public),
    route("GET", "/shop/assets/{file}", Public),
    route("GET", "/shop/checkout", SignedIn),
    route("GET", "/shop/orders", SignedIn),
    route("GET", "/shop/orders/{id}", Owner),
    route("GET", "/shop/orders/{id}/calendar", Owner),
    route("GET", "/shop/orders/{id}/payment", Owner),
    route("POST", "/shop/orders", SignedIn),
    route("POST", "/shop/orders/{id}/payment", Owner),
    route("POST", "/shop/orders/{id}/cancellation", Owner),
    route("GET", "/shop/session", Public),
    route("POST", "/shop/session", Public),
    route("POST", "/shop/account", Public),
    route("GET", "/shop/session/renewal", Public),
    route("POST", "/shop/session/renewal", Public),
    route("POST", "/shop/session/end", SignedIn),
    route("GET", "/shop/verification", SignedIn),
    route("POST", "/shop/verification", SignedIn),
    route("POST", "/shop/verification/mail", SignedIn),
    route("GET", "/shop/password", Public),
    route("POST", "/shop/password", Public),
    route("GET", "/shop/password/reset", Public),
    route("POST", "/shop/password/reset", Public),
    route("GET", "/shop/second-factor", SignedIn),
    route("POST", "/shop/second-factor", SignedIn),
    route("POST", "/shop/second-factor/confirmation", SignedIn),
    route("POST", "/shop/second-factor/removal", SignedIn),
];

/// The route that API Gateway matched: its method, and its path as the template has it.
pub fn matched(method: &str, path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.method == method && route.path == path)
}

impl Route {
    fn serves(&self, path: &str) -> bool {
        let (mut template, mut segments) = (self.path.split('/'), path.trim_end_matches('/').split('/'));
        loop {
            match (template.next(), segments.next()) {
                (None, None) => return true,
                (Some(expected), Some(segment)) if expected == segment => {}
                (Some(expected), Some(segment)) if expected.starts_with('{') && !segment.is_empty() => {}
                _ => return false,
            }
        }
    }

    /// How many of its segments are spelled out: of two routes that serve a path, the one with more is meant.
    fn literals(&self) -> usize {
        self.path.split('/').filter(|segment| !segment.starts_with('{')).count()
    }
}

/// The methods that this path takes; none when there is no such path.
pub fn methods_of(path: &str) -> Vec<&'static str> {
    let serving = || ROUTES.iter().chain(PAGES).filter(|route| route.serves(path));
    let meant = serving().map(Route::literals).max();
    let mut methods: Vec<_> =
        serving().filter(|route| Some(route.literals()) == meant).map(|route| route.method).collect();
    methods.sort_unstable();
    methods
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Caller;
    use boxoffice_kernel::{Role, SessionId, UserId};
    use std::collections::BTreeSet;

    #[test]
    fn a_path_takes_the_methods_of_the_route_that_is_meant() {
        assert_eq!(methods_of("/inventory/inv_1"), ["DELETE", "GET", "PUT"]);
        assert_eq!(methods_of("/inventory/available"), ["GET"]);
        assert_eq!(methods_of("/inventory/event/Concert"), ["GET"]);
        assert_eq!(methods_of("/tickets/"), ["GET", "POST"]);
        assert!(methods_of("/nowhere").is_empty());
        assert!(methods_of("/tickets//cancel").is_empty());
    }

    /// The outcome for a caller: `yes`, or the status of the refusal.
    fn outcome(access: Access, role: Role, theirs: bool) -> &'static str {
        // A user's token is no device's.
        if access == Device {
            return "401";
        }
        let (owner, other) = (UserId::generate(), UserId::generate());
        let user_id = if theirs { owner } else { other };
        let caller = Caller { user_id, role, session: SessionId::generate(), generation: 1, logged_in_at: 0 };
        let may_act = match access {
            Owner => caller.may_act_for(owner).is_ok(),
            OwnerOrManager => caller.may_act_for(owner).or_else(|_| caller.must_be(Manager)).is_ok(),
            _ => true,
        };
        if caller.must_be(access).is_ok() && may_act { "yes" } else { "403" }
    }

    /// The rows of `docs/authorization.md` for these routes.
    fn rows<'a>(routes: impl IntoIterator<Item = &'a Route>) -> BTreeSet<String> {
        let row = |Route { method, path, access }: &Route| {
            let unknown = if *access == Public { "yes" } else { "401" };
            let callers = [(Role::User, true), (Role::User, false), (Role::Manager, false), (Role::Admin, false)];
            let [owner, other, manager, admin] = callers.map(|(role, theirs)| outcome(*access, role, theirs));
            format!("| `{method} {path}` | {unknown} | {unknown} | {owner} | {other} | {manager} | {admin} |")
        };
        routes.into_iter().map(row).collect()
    }

    fn documented() -> BTreeSet<String> {
        let page = include_str!("../../../docs/authorization.md");
        page.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 8).map(Into::into).collect()
    }

    #[test]
    fn the_table_of_who_may_call_is_the_documented_one() {
        let (routes, documented) = (rows(ROUTES), documented());
        assert_eq!(routes.difference(&documented).collect::<Vec<_>>(), [""; 0], "missing in docs/authorization.md");
        assert_eq!(documented.difference(&routes).collect::<Vec<_>>(), [""; 0], "in docs/authorization.md, and not so");
    }

    /// The rows of `docs/authorization.md` for pages, in the words that a page answers with.
    fn page_rows<'a>(pages: impl IntoIterator<Item = &'a Route>) -> BTreeSet<String> {
        let row = |Route { method, path, access }: &Route| {
            let [stranger, owner, other] = match access {
                Public => ["yes", "yes", "yes"],
                SignedIn => ["log-in", "yes", "yes"],
                _ => ["log-in", "yes", "404"],
            };
            format!("| `{method} {path}` | {stranger} | {owner} | {other} |")
        };
        pages.into_iter().map(row).collect()
    }

    #[test]
    fn the_table_of_pages_is_the_documented_one() {
        let page = include_str!("../../../docs/authorization.md");
        let row = |line: &&str| line.starts_with("| `") && line.matches('|').count() == 5 && line.contains(" /shop");
        let documented: BTreeSet<String> = page.lines().filter(row).map(Into::into).collect();
        assert_eq!(page_rows(PAGES), documented);
        for (index, route) in PAGES.iter().enumerate() {
            for access in [Public, SignedIn, Owner] {
                let mut changed = PAGES.to_vec();
                changed[index].access = access;
                let same = page_rows(&changed) == documented;
                assert_eq!(same, access == route.access, "{} {}", route.method, route.path);
            }
        }
    }

    #[test]
    fn a_rule_that_is_changed_added_or_dropped_no_longer_fits_the_table() {
        let documented = documented();
        for (index, route) in ROUTES.iter().enumerate() {
            for access in [Public, SignedIn, Owner, OwnerOrManager, Manager, Admin, Device] {
                let mut changed = ROUTES.to_vec();
                changed[index].access = access;
                assert_eq!(rows(&changed) == documented, access == route.access, "{} {}", route.method, route.path);
            }
            let without = ROUTES.iter().filter(|other| *other != route);
            assert_ne!(rows(without), documented, "{} {}", route.method, route.path);
        }
        let added = Route { method: "GET", path: "/nowhere", access: Admin };
        assert_ne!(rows(ROUTES.iter().chain([&added])), documented);
    }

    #[test]
    fn the_routes_are_those_of_the_template() {
        let template = include_str!("../../../template.yaml");
        let mut declared: Vec<(String, &str)> = template
            .lines()
            .filter_map(|line| line.split_once("Method: "))
            .filter_map(|(_, rest)| rest.split_once(", Path: \""))
            .filter_map(|(method, rest)| Some((method.to_uppercase(), rest.split_once('"')?.0)))
            .filter(|(_, path)| !path.contains("{proxy+}"))
            .collect();
        let mut known: Vec<(String, &str)> =
            ROUTES.iter().chain(PAGES).map(|route| (route.method.to_owned(), route.path)).collect();
        declared.sort();
        known.sort();
        assert_eq!(known, declared);
    }
}
