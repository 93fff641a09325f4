//! Where settings of `kubesso serve` come from: flags, then variables, then the file.

use serde_json::{Map, Value};

/// How a variable's text becomes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    /// true or false.
    Flag,
    Number,
    /// Between commas.
    List,
    /// A list in JSON: there may be commas in what it holds.
    Words,
}

/// A setting, by its place in the file.
struct Setting {
    path: &'static str,
    kind: Kind,
}

const fn text(path: &'static str) -> Setting {
    Setting { path, kind: Kind::Text }
}

const fn list(path: &'static str) -> Setting {
    Setting { path, kind: Kind::List }
}

/// All of them; docs/serve.md has the same as a table.
const SETTINGS: &[Setting] = &[
    text("base_url"),
    list("listen"),
    text("tls.certificate"),
    text("tls.key"),
    text("data_dir"),
    text("database_url_file"),
    text("database"),
    text("master_key.file"),
    Setting { path: "master_key.command", kind: Kind::Words },
    text("master_key.wrapped"),
    Setting { path: "master_key.timeout_seconds", kind: Kind::Number },
    text("begin_with"),
    text("organization.url"),
    list("organization.listen"),
    text("organization.tls.certificate"),
    text("organization.tls.key"),
    text("danger_plain_http"),
    Setting { path: "danger_backchannel_logout_to_private_addresses", kind: Kind::Flag },
    Setting { path: "danger_fetch_from_private_addresses", kind: Kind::Flag },
    list("mtls_listen"),
    text("mtls_base_url"),
    text("mtls_client_ca"),
    Setting { path: "client_cert_header", kind: Kind::Flag },
    text("registration"),
    list("registration_groups"),
    Setting { path: "danger_open_registration", kind: Kind::Flag },
    list("trusted_proxies"),
    text("proxy_header"),
    Setting { path: "drain_seconds", kind: Kind::Number },
    Setting { path: "password.min_length", kind: Kind::Number },
    Setting { path: "password.danger_min_length", kind: Kind::Number },
    Setting { path: "password.danger_allow_common", kind: Kind::Flag },
    Setting { path: "password.history", kind: Kind::Number },
    Setting { path: "password.max_age_days", kind: Kind::Number },
    Setting { path: "lockout.free_attempts", kind: Kind::Number },
    Setting { path: "lockout.longest_wait_seconds", kind: Kind::Number },
    Setting { path: "lockout.forgotten_after_minutes", kind: Kind::Number },
    Setting { path: "sessions.idle_minutes", kind: Kind::Number },
    Setting { path: "sessions.lifetime_minutes", kind: Kind::Number },
    Setting { path: "key_rotation.days", kind: Kind::Number },
    Setting { path: "key_rotation.published_ahead_hours", kind: Kind::Number },
    text("metrics"),
    text("audit_log"),
    text("otlp_endpoint"),
    text("otlp_ca"),
];

/// Variables of other commands.
const OTHERS: [&str; 4] =
    ["KUBESSO_BACKUP_PASSPHRASE_FILE", "KUBESSO_CACHE_DIR", "KUBESSO_CONFIG", crate::master_key::VARIABLE];

/// Values that come before the file's, by their places in it; later ones win.
pub(super) type Overrides = Vec<(&'static str, Value)>;

impl Setting {
    /// `tls.key` is `KUBESSO_TLS_KEY`.
    fn variable(&self) -> String {
        format!("KUBESSO_{}", self.path.replace('.', "_").to_uppercase())
    }

    fn value(&self, given: &str) -> Value {
        match self.kind {
            Kind::Text => given.into(),
            Kind::Flag => given.parse::<bool>().map_or_else(|_| given.into(), Value::from),
            Kind::Number => given.parse::<u64>().map_or_else(|_| given.into(), Value::from),
            Kind::Words => serde_json::from_str(given).unwrap_or_else(|_| given.into()),
            Kind::List => {
                given.split(',').map(str::trim).filter(|one| !one.is_empty()).map(Value::from).collect()
            }
        }
    }
}

/// What the environment sets. `variable`: its value, if it is set and not empty.
pub(super) fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Overrides {
    let set = |one: &Setting| variable(&one.variable()).map(|given| (one.path, one.value(&given)));
    SETTINGS.iter().filter_map(set).collect()
}

/// Variables that look as if they were meant for kubesso, and are not read by it: misspelt ones.
pub(super) fn unknown_variables(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let is_known = |name: &str| OTHERS.contains(&name) || SETTINGS.iter().any(|one| one.variable() == name);
    let mut unknown: Vec<_> = names
        .into_iter()
        .filter(|name| name.starts_with("KUBESSO_") && !is_known(name) && !is_of_a_service(name))
        .collect();
    unknown.sort();
    unknown
}

/// What Kubernetes sets for a Service that is called kubesso, or kubesso-something.
fn is_of_a_service(name: &str) -> bool {
    name.contains("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || name.contains("_PORT_")
}

/// The file's text with `overrides` put over it.
pub(super) fn merge(text: &str, overrides: Overrides) -> Result<Value, String> {
    let mut merged = if text.trim().is_empty() {
        Value::Object(Map::new())
    } else {
        serde_saphyr::from_str(text).map_err(|e| super::first_line(&e.to_string()))?
    };
    for (path, value) in overrides {
        put(&mut merged, path, value)?;
    }
    Ok(merged)
}

fn put(into: &mut Value, path: &str, value: Value) -> Result<(), String> {
    let mut place = into;
    for name in path.split('.') {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(members) = place else {
            return Err(format!("{path} cannot be set, because the file has something else in its place"));
        };
        place = members.entry(name).or_insert(Value::Null);
    }
    *place = value;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_come_before_the_file_member_by_member() {
        let variable = |name: &str| match name {
            "KUBESSO_BASE_URL" => Some("https://b".to_owned()),
            "KUBESSO_TLS_KEY" => Some("/k".to_owned()),
            "KUBESSO_LISTEN" => Some("127.0.0.1:1, [::1]:1".to_owned()),
            _ => None,
        };
        let merged =
            merge("base_url: https://a\ntls: {certificate: /c}\n", of_environment(variable)).unwrap();
        let expected = json!({
            "base_url": "https://b",
            "tls": {"certificate": "/c", "key": "/k"},
            "listen": ["127.0.0.1:1", "[::1]:1"],
        });
        assert_eq!(merged, expected);
        assert!(merge("tls: yes\n", of_environment(variable)).unwrap_err().contains("tls.key cannot be set"));
        assert_eq!(merge("", Vec::new()).unwrap(), json!({}));
    }

    #[test]
    fn a_misspelt_variable_is_named_and_those_of_a_kubernetes_service_are_not() {
        let names = [
            "KUBESSO_BASEURL",
            "KUBESSO_BASE_URL",
            "KUBESSO_CONFIG",
            "KUBESSO_SERVICE_HOST",
            "KUBESSO_PORT_443_TCP_ADDR",
            "KUBESSO_METRICS_SERVICE_PORT",
            "PATH",
        ];
        assert_eq!(unknown_variables(names.map(str::to_owned)), ["KUBESSO_BASEURL"]);
    }

    #[test]
    fn whatever_the_file_may_say_can_be_a_variable_too() {
        // The error for an unknown name lists those that are known.
        let refused = serde_json::from_str::<super::super::Config>(r#"{"?": 0}"#).unwrap_err().to_string();
        let known = refused.split_once("expected one of").unwrap().1;
        for name in known.split('`').skip(1).step_by(2) {
            let is_first = |one: &&Setting| one.path.split('.').next() == Some(name);
            assert!(SETTINGS.iter().any(|one| is_first(&one)), "{name} has no variable");
        }
    }

    #[test]
    fn the_documentation_lists_every_setting_with_its_variable() {
        let documentation = include_str!("../../../../docs/serve.md");
        for setting in SETTINGS {
            let row = format!("| `{}` | `{}` |", setting.path, setting.variable());
            assert!(documentation.contains(&row), "docs/serve.md has no row that begins {row}");
        }
    }
}
