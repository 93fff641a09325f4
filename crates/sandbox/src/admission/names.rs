//! Rules for names, labels and keys, each returning what is wrong in upstream's words
//! (apimachinery `pkg/api/validate/content`).

/// A rule for names: what is wrong with this one.
pub(crate) type NameRule = fn(&str) -> Vec<String>;

const LABEL_RULE: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN_RULE: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const KEY_RULE: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const KEY_TEXT: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

/// RFC 1123 label: namespaces, services' ports, containers.
pub(crate) fn dns_label(name: &str) -> Vec<String> {
    let mut wrong = at_most(name, 63);
    if !is_dns_label(name) {
        if is_subdomain(name) {
            wrong.push("must not contain dots".to_owned());
        } else {
            wrong.push(rule(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
                LABEL_RULE,
                &["my-name", "123-abc"],
            ));
        }
    }
    wrong
}

/// RFC 1123 subdomain: most objects.
pub(crate) fn dns_subdomain(name: &str) -> Vec<String> {
    let mut wrong = at_most(name, 253);
    if !is_subdomain(name) {
        wrong.push(rule(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
            SUBDOMAIN_RULE,
            &["example.com"],
        ));
    }
    wrong
}

/// What fits in a URL path: roles and bindings.
pub(crate) fn path_segment(name: &str) -> Vec<String> {
    if let "." | ".." = name {
        return vec![format!("may not be '{name}'")];
    }
    ["/", "%"]
        .iter()
        .filter(|part| name.contains(*part))
        .map(|part| format!("may not contain '{part}'"))
        .collect()
}

/// Label keys, annotation keys and finalizers: `example.com/name`.
pub(crate) fn label_key(key: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let name = match key.split('/').collect::<Vec<_>>().as_slice() {
        [name] => *name,
        ["", name] => {
            wrong.push("prefix part must be non-empty".to_owned());
            name
        }
        [prefix, name] => {
            wrong.extend(dns_subdomain(prefix).into_iter().map(|text| format!("prefix part {text}")));
            name
        }
        _ => {
            let text =
                rule(&format!("a valid label key {KEY_TEXT}"), KEY_RULE, &["MyName", "my.name", "123-abc"]);
            return vec![format!(
                "{text} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else {
        wrong.extend(at_most(name, 63).into_iter().map(|text| format!("name part {text}")));
    }
    if !is_key(name) {
        wrong.push(rule(&format!("name part {KEY_TEXT}"), KEY_RULE, &["MyName", "my.name", "123-abc"]));
    }
    wrong
}

/// Label values; the empty one is fine.
pub(crate) fn label_value(value: &str) -> Vec<String> {
    let mut wrong = at_most(value, 63);
    if !value.is_empty() && !is_key(value) {
        wrong.push(rule(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
            &format!("({KEY_RULE})?"),
            &["MyValue", "my_value", "12345"],
        ));
    }
    wrong
}

/// Keys of config maps and secrets.
pub(crate) fn config_key(key: &str) -> Vec<String> {
    let mut wrong = at_most(key, 253);
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        wrong.push(rule(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            "[-._a-zA-Z0-9]+",
            &["key.name", "KEY_NAME", "key-name"],
        ));
    }
    match key {
        "." | ".." => wrong.push(format!("must not be '{key}'")),
        key if key.starts_with("..") => wrong.push("must not start with '..'".to_owned()),
        _ => {}
    }
    wrong
}

/// The names that a `generateName` makes must be valid, so its end may be what a name may not end with.
pub(crate) fn masked_prefix(prefix: &str) -> String {
    match prefix.strip_suffix('-') {
        Some(shorter) if !shorter.is_empty() => format!("{shorter}a"),
        _ => prefix.to_owned(),
    }
}

fn at_most(text: &str, length: usize) -> Vec<String> {
    if text.len() > length { vec![format!("must be no more than {length} bytes")] } else { Vec::new() }
}

/// Go's `content.RegexError`, comma and space after every example included.
fn rule(text: &str, pattern: &str, examples: &[&str]) -> String {
    let examples: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!("{text} (e.g. {}regex used for validation is '{pattern}')", examples.join(" or "))
}

fn is_dns_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.iter().all(|byte| inner(*byte) || *byte == b'-')
        && bytes.first().is_some_and(|byte| inner(*byte))
        && bytes.last().is_some_and(|byte| inner(*byte))
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_dns_label)
}

fn is_key(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_pass() {
        for (rule, names) in [
            (dns_label as NameRule, &["a", "a-1", "0"] as &[&str]),
            (dns_subdomain, &["a", "a.b-c.d"]),
            (path_segment, &["system:admin", "x y", "Ä"]),
            (label_key, &["a", "A_b.c-1", "example.com/x"]),
            (label_value, &["", "a", "A_b.c-1"]),
            (config_key, &["a", "a.B_c-1", ".x"]),
        ] {
            for name in names {
                assert_eq!(rule(name), Vec::<String>::new(), "{name}");
            }
        }
    }

    // Recorded from kube-apiserver 1.36.3.
    #[test]
    fn bad_names_are_explained_as_kube_apiserver_explains_them() {
        let key = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
        for (rule, name, wrong) in [
            (dns_label as NameRule, "a.b", "must not contain dots".to_owned()),
            (dns_label, "A", "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')".to_owned()),
            (dns_subdomain, "X_2", "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')".to_owned()),
            (path_segment, "a/b", "may not contain '/'".to_owned()),
            (path_segment, "..", "may not be '..'".to_owned()),
            (label_key, "a b", format!("name part {key}")),
            (label_key, "a/b/c", format!("a valid label key {key} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")),
            (label_value, "c d", "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')".to_owned()),
            (config_key, "a b", "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')".to_owned()),
        ] {
            assert_eq!(rule(name), [wrong], "{name}");
        }
    }

    #[test]
    fn lengths_are_limited() {
        assert_eq!(dns_label(&"a".repeat(64)), ["must be no more than 63 bytes"]);
        assert_eq!(dns_subdomain(&"a".repeat(254)), ["must be no more than 253 bytes"]);
        assert_eq!(label_value(&"a".repeat(64)), ["must be no more than 63 bytes"]);
    }
}
