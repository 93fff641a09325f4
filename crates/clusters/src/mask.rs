//! Secrets in the files of a cluster, which nobody is shown: a storage's password in k0s' configuration, a key that somebody
//! put into a manifest.

/// What stands in a secret's place.
const MASK: &str = "(secret)";

/// Ends of the names whose values are secret, unless they are a file's path.
const SECRET_NAMES: [&str; 6] = ["password", "passwd", "secret", "token", "apikey", "api-key"];

/// The text with its secrets masked, line for line.
#[must_use]
pub fn masked(text: &str) -> String {
    let mut is_in_key = false;
    let mut shown = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\r', '\n']);
        let end = &line[content.len()..];
        let begins = content.contains("-----BEGIN") && content.contains("PRIVATE KEY-----");
        if is_in_key || begins {
            let indent = content.len() - content.trim_start().len();
            shown.push_str(if begins { content } else { &content[..indent] });
            if !begins {
                shown.push_str(if content.contains("-----END") { content.trim_start() } else { MASK });
            }
            is_in_key = !content.contains("-----END");
        } else {
            shown.push_str(&without_user(&without_value(content)));
        }
        shown.push_str(end);
    }
    shown
}

/// `password: x`, `--token=x`
fn without_value(line: &str) -> String {
    let Some(at) = line.find(['=', ':']) else { return line.to_owned() };
    let name = line[..at].trim_end_matches(['"', '\'', ' ']).to_ascii_lowercase();
    if !SECRET_NAMES.iter().any(|end| name.ends_with(end)) {
        return line.to_owned();
    }
    let value = &line[at + 1..];
    let is_nothing = value.trim().is_empty() || value.trim() == "\"\"";
    if is_nothing || value.trim_start_matches([' ', '"', '\'']).starts_with('/') {
        return line.to_owned();
    }
    let space = &value[..value.len() - value.trim_start().len()];
    let comma = if value.ends_with(',') { "," } else { "" };
    format!("{}{space}{MASK}{comma}", &line[..=at])
}

/// `mysql://user:password@host`
fn without_user(line: &str) -> String {
    let mut shown = String::new();
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let authority = behind.find(['/', ' ', '"', '\'', ',']).map_or(behind, |end| &behind[..end]);
        rest = match authority.rsplit_once('@') {
            Some((user, _)) if user.contains(':') => {
                shown.push_str(MASK);
                &behind[user.len()..]
            }
            _ => behind,
        };
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn what_is_secret_is_masked_and_everything_else_stays() {
        for (text, shown) in [
            (
                "      dataSource: mysql://k0s:hunter2@tcp(db:3306)/k0s\n",
                "      dataSource: mysql://(secret)@tcp(db:3306)/k0s\n",
            ),
            ("token: abc", "token: (secret)"),
            ("    - --agent-token=abc\n", "    - --agent-token=(secret)\n"),
            ("\"clientSecret\": \"abc\",", "\"clientSecret\": (secret),"),
            ("    - --token-auth-file=/etc/tokens.csv", "    - --token-auth-file=/etc/tokens.csv"),
            ("tokenSecret: /run/secret", "tokenSecret: /run/secret"),
            (
                "    - --oidc-issuer-url=https://sso.example.com/oauth2/aus1",
                "    - --oidc-issuer-url=https://sso.example.com/oauth2/aus1",
            ),
            ("password: \"\"", "password: \"\""),
            (
                "key: |\n  -----BEGIN PRIVATE KEY-----\n  MIIE\n  -----END PRIVATE KEY-----\nnext: 1",
                "key: |\n  -----BEGIN PRIVATE KEY-----\n  (secret)\n  -----END PRIVATE KEY-----\nnext: 1",
            ),
            ("  -----BEGIN CERTIFICATE-----\n  MIIE\n", "  -----BEGIN CERTIFICATE-----\n  MIIE\n"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }
}
