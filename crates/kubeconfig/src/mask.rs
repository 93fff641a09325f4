//! Which parts of a kubeconfig's text nobody should see.

use crate::yaml::{Kind, Node, Pair, Parsed};

/// Keys whose whole value is secret, wherever they are.
const SECRET_KEYS: &[&str] =
    &["access-token", "client-key-data", "client-secret", "id-token", "password", "refresh-token", "token"];

/// What stands in a secret's place.
const MASK: &str = "[redacted]";

/// Whether what a plugin is given by this flag is secret: `--oidc-client-secret`, `--password`, a request header, but not
/// the file or the command that a secret comes from.
pub fn is_secret_flag(flag: &str) -> bool {
    flag.starts_with('-')
        && ["secret", "password", "token", "request-header", "api-key"].iter().any(|end| flag.ends_with(end))
        // A flag without a value.
        && !["--oidc-use-access-token", "--no-refresh-token"].contains(&flag)
}

/// The text with its secrets masked, line for line.
pub(crate) fn masked(text: &str, parsed: &Parsed) -> String {
    let mut secrets = Vec::new();
    if let Some(root) = &parsed.root {
        find(root, text, &mut secrets);
    }
    secrets.sort_unstable();
    let mut shown = String::with_capacity(text.len());
    let mut done = 0;
    for (start, end) in secrets {
        // One within the other.
        if start < done || end < start {
            continue;
        }
        shown.push_str(&text[done..start]);
        for (number, line) in text[start..end].split_inclusive('\n').enumerate() {
            let content = line.trim_end_matches(['\r', '\n']);
            let indent = if number == 0 { 0 } else { content.len() - content.trim_start().len() };
            shown.push_str(&content[..indent]);
            if content.len() > indent {
                shown.push_str(MASK);
            }
            shown.push_str(&line[content.len()..]);
        }
        done = end;
    }
    shown.push_str(&text[done..]);
    shown
}

type Ranges = Vec<(usize, usize)>;

fn find(node: &Node, text: &str, secrets: &mut Ranges) {
    match &node.kind {
        Kind::Alias(_) | Kind::Scalar { .. } => {}
        Kind::Sequence { items, .. } => items.iter().for_each(|item| find(&item.node, text, secrets)),
        Kind::Mapping { pairs, .. } => pairs.iter().for_each(|pair| find_in_pair(pair, text, secrets)),
    }
}

fn find_in_pair(pair: &Pair, text: &str, secrets: &mut Ranges) {
    let key = match &pair.key.kind {
        Kind::Scalar { text, .. } => text.as_str(),
        _ => "",
    };
    let value = &pair.value;
    match (key, &value.kind) {
        ("args", Kind::Sequence { items, .. }) => {
            let mut is_value = false;
            for item in items {
                let Kind::Scalar { text: word, .. } = &item.node.kind else { continue };
                if is_value && !word.starts_with('-') {
                    secrets.push((item.node.start, item.node.end));
                }
                is_value = is_secret_flag(word);
                if let Some((flag, _)) = word.split_once('=').filter(|(flag, _)| is_secret_flag(flag)) {
                    secrets.push(behind_flag(&item.node, flag, text));
                }
            }
        }
        // A plugin's variables: what is in them nobody knows.
        ("env", Kind::Sequence { items, .. }) => {
            let variables = items.iter().filter_map(|item| match &item.node.kind {
                Kind::Mapping { pairs, .. } => Some(pairs),
                _ => None,
            });
            let is_value =
                |pair: &&Pair| matches!(&pair.key.kind, Kind::Scalar { text, .. } if text == "value");
            secrets
                .extend(variables.flatten().filter(is_value).map(|pair| (pair.value.start, pair.value.end)));
        }
        ("proxy-url", Kind::Scalar { text: url, .. }) if url.contains('@') => {
            secrets.push((value.start, value.end));
        }
        (key, _) if SECRET_KEYS.contains(&key) => secrets.push((value.start, value.end)),
        _ => find(value, text, secrets),
    }
}

/// What is written behind `--flag=`, without a quote that ends it.
fn behind_flag(node: &Node, flag: &str, text: &str) -> (usize, usize) {
    let written = &text[node.start..node.end];
    let Some(at) = written.find(&format!("{flag}=")) else { return (node.start, node.end) };
    let start = node.start + at + flag.len() + 1;
    let quote =
        written.chars().last().filter(|last| matches!(last, '"' | '\'') && written.starts_with(*last));
    (start, node.end - quote.map_or(0, char::len_utf8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn secrets_are_masked_in_every_form_and_lines_stay_lines() {
        let text = concat!(
            "users:\n",
            "- name: a # token: here is none\n",
            "  user:\n",
            "    token: s3cret # mine\n",
            "    password: |\n      s3cret\n\n      s3cret\n",
            "    client-key-data: \"s3cret\\\n      s3cret\"\n",
            "- {name: b, user: {token: 's3cret', tokenFile: /run/token}}\n",
            "- name: c\n",
            "  user:\n",
            "    exec:\n",
            "      args: [--oidc-client-secret, s3cret, \"--password=s3cret\", --oidc-client-secret-file=/f]\n",
            "      env:\n      - {name: A, value: s3cret}\n",
            "    auth-provider: {config: {id-token: s3cret, refresh-token: s3cret, client-id: k8s}}\n",
            "clusters: [{name: k, cluster: {proxy-url: \"http://me:s3cret@proxy\"}}]\r\n",
        );
        let shown = masked(text, &yaml::parse(text).unwrap());
        assert!(!shown.contains("s3cret"), "{shown}");
        assert_eq!(shown.lines().count(), text.lines().count(), "{shown}");
        for kept in ["# token: here is none", "[redacted] # mine", "tokenFile: /run/token", "client-id: k8s"]
        {
            assert!(shown.contains(kept), "{kept}\n{shown}");
        }
        assert!(shown.contains("\"--password=[redacted]\", --oidc-client-secret-file=/f"), "{shown}");
        assert_eq!(
            masked("a: *x", &Parsed { root: None, value: serde_json::Value::Null, alone: true }),
            "a: *x"
        );
    }

    #[test]
    fn flags_that_name_a_place_or_have_no_value_are_not_secret() {
        for (flag, secret) in [
            ("--oidc-client-secret", true),
            ("--password", true),
            ("--oidc-request-header", true),
            ("--oidc-client-secret-file", false),
            ("--oidc-client-secret-command", false),
            ("--oidc-subject-token-file", false),
            ("--oidc-use-access-token", false),
            ("--no-refresh-token", false),
            ("token", false),
        ] {
            assert_eq!(is_secret_flag(flag), secret, "{flag}");
        }
    }
}
