//! Every route of the API, in one place: what a path takes, and what it does not. A test holds it to `template.yaml`.

/// A method and a path; `{…}` stands for one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// In upper case.
    pub method: &'static str,
    /// As in `template.yaml`.
    pub path: &'static str,
}

const fn route(method: &'static str, path: &'static str) -> Route {
    Route { method, path }
}

/// The API.
pub const ROUTES: [Route; 21] = [
    route("POST", "/inventory"),
    route("GET", "/inventory"),
    route("GET", "/inventory/available"),
    route("GET", "/inventory/date-range"),
    route("GET", "/inventory/{id}"),
    route("PUT", "/inventory/{id}"),
    route("DELETE", "/inventory/{id}"),
    route("POST", "/inventory/{id}/reserve"),
    route("POST", "/inventory/{id}/release"),
    route("GET", "/inventory/event/{eventName}"),
    route("POST", "/inventory/event/{eventName}/reserve"),
    route("POST", "/inventory/event/{eventName}/release"),
    route("POST", "/tickets"),
    route("GET", "/tickets/{id}"),
    route("PATCH", "/tickets/{id}/cancel"),
    route("GET", "/payments/{id}"),
    route("GET", "/payments/ticket/{ticketId}"),
    route("POST", "/payments/{id}/process"),
    route("POST", "/payments/{id}/refund"),
    route("GET", "/sagas/{ticketId}"),
    route("GET", "/health"),
];

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
    let serving = || ROUTES.iter().filter(|route| route.serves(path));
    let meant = serving().map(Route::literals).max();
    let mut methods: Vec<_> =
        serving().filter(|route| Some(route.literals()) == meant).map(|route| route.method).collect();
    methods.sort_unstable();
    methods
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_takes_the_methods_of_the_route_that_is_meant() {
        assert_eq!(methods_of("/inventory/inv_1"), ["DELETE", "GET", "PUT"]);
        assert_eq!(methods_of("/inventory/available"), ["GET"]);
        assert_eq!(methods_of("/inventory/event/Concert"), ["GET"]);
        assert_eq!(methods_of("/tickets/"), ["POST"]);
        assert!(methods_of("/nowhere").is_empty());
        assert!(methods_of("/tickets//cancel").is_empty());
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
        let mut known: Vec<(String, &str)> = ROUTES.iter().map(|route| (route.method.to_owned(), route.path)).collect();
        declared.sort();
        known.sort();
        assert_eq!(known, declared);
    }
}
