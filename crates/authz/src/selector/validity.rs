//! What may be a label (`k8s.io/apimachinery/pkg/api/validate/content/kube.go`), in upstream's words.

/// Why a text is no label key; empty if it is one: `[prefix/]name` with a DNS subdomain as prefix.
pub(super) fn label_key_problems(key: &str) -> Vec<String> {
    let name_form = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
    let (prefix, name) = match key.split('/').collect::<Vec<_>>().as_slice() {
        [name] => (None, *name),
        [prefix, name] => (Some(*prefix), *name),
        _ => {
            return vec![format!(
                "a valid label key {name_form} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    let mut problems = Vec::new();
    if let Some(prefix) = prefix {
        problems.extend(prefix_problems(prefix).into_iter().map(|problem| format!("prefix part {problem}")));
    }
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        problems.push("name part must be no more than 63 bytes".to_owned());
    }
    if !is_name(name) {
        problems.push(format!("name part {name_form}"));
    }
    problems
}

/// Why a text is no label value; empty if it is one.
pub(super) fn label_value_problems(value: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if value.len() > 63 {
        problems.push("must be no more than 63 bytes".to_owned());
    }
    if !value.is_empty() && !is_name(value) {
        problems.push("a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')".to_owned());
    }
    problems
}

fn prefix_problems(prefix: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if prefix.is_empty() {
        problems.push("must be non-empty".to_owned());
        return problems;
    }
    if prefix.len() > 253 {
        problems.push("must be no more than 253 bytes".to_owned());
    }
    if !prefix.split('.').all(is_dns_label) {
        problems.push("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')".to_owned());
    }
    problems
}

fn is_name(text: &str) -> bool {
    framed(text, |byte| byte.is_ascii_alphanumeric(), b"-_.")
}

/// Without a limit of length: the parts of a subdomain have none upstream.
fn is_dns_label(text: &str) -> bool {
    framed(text, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit(), b"-")
}

/// Not empty, `outer` at both ends, and `outer` or `inner` between them.
fn framed(text: &str, outer: fn(u8) -> bool, inner: &[u8]) -> bool {
    let bytes = text.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    ends.into_iter().all(|byte| byte.is_some_and(|byte| outer(*byte)))
        && bytes.iter().all(|byte| outer(*byte) || inner.contains(byte))
}
