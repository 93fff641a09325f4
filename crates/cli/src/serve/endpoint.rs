//! Paths as labels of metrics: however many there are, and whatever strangers ask for, the labels are few.

/// Paths without a variable part.
const PAGES: [&str; 10] = [
    "/",
    "/device",
    "/healthz",
    "/livez",
    "/favicon.ico",
    "/readyz",
    "/sign-in",
    "/sign-out",
    "/sign-in/expired",
    "/api/v1",
];

/// What an authorization server has behind `/oauth2/{id}/v1/` (and the management API behind `/oauth2/v1/`).
const OF_SERVERS: [(&str, &str); 9] = [
    ("authorize", "authorize"),
    ("clients", "oauth2 clients"),
    ("device", "device_authorization"),
    ("introspect", "introspect"),
    ("keys", "keys"),
    ("logout", "logout"),
    ("revoke", "revoke"),
    ("token", "token"),
    ("userinfo", "userinfo"),
];

/// What the management API has behind `/api/v1/`.
const MANAGED: [(&str, &str); 9] = [
    ("api-tokens", "management api-tokens"),
    ("apps", "management apps"),
    ("authorizationServers", "management authorizationServers"),
    ("groups", "management groups"),
    ("iam", "management iam"),
    ("logs", "management logs"),
    ("policies", "management policies"),
    ("sessions", "management sessions"),
    ("users", "management users"),
];

/// The label of a path.
pub(super) fn endpoint(path: &str) -> &'static str {
    if let Some(page) = PAGES.iter().find(|page| **page == path) {
        return page;
    }
    let find = |known: &'static [(&str, &str)], name: &str| {
        known.iter().find(|(word, _)| *word == name).map_or("other", |(_, label)| label)
    };
    let segments: Vec<_> = path.split('/').skip(1).take(4).collect();
    match segments.as_slice() {
        ["oauth2", _, ".well-known", ..] | [".well-known", ..] => "discovery",
        ["oauth2", "v1", name, ..] | ["oauth2", _, "v1", name] => find(&OF_SERVERS, name),
        ["api", "v1", name, ..] => find(&MANAGED, name),
        ["welcome", _] => "/welcome",
        ["reset_password", _] => "/reset_password",
        ["assets", ..] => "assets",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_never_has_a_part_that_the_caller_chose() {
        for (path, expected) in [
            ("/", "/"),
            ("/oauth2/aus1/v1/token", "token"),
            ("/oauth2/v1/token", "token"),
            ("/oauth2/aus1/v1/device/authorize", "device_authorization"),
            ("/oauth2/aus1/.well-known/openid-configuration", "discovery"),
            ("/oauth2/aus1/v1/secret", "other"),
            ("/api/v1/users/00u1/groups", "management users"),
            ("/api/v1/whatever", "other"),
            ("/welcome/secret", "/welcome"),
            ("/a/b/c", "other"),
            ("", "other"),
        ] {
            assert_eq!(endpoint(path), expected, "{path}");
        }
    }
}
