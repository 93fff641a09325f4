//! Which claims an expression selects, found without understanding it: texts and comments are passed over, `claims.NAME`
//! and `claims.?NAME` are looked for. `claims["NAME"]` does not count for kube-apiserver either.

/// Whether `claims.field` is selected somewhere.
pub(super) fn selects(expression: &str, field: &str) -> bool {
    let tokens = tokens(expression);
    (0..tokens.len()).any(|at| {
        if tokens.get(at).map(String::as_str) != Some(field) || tokens.get(at.wrapping_sub(1)).is_none() {
            return false;
        }
        let mut before = at - 1;
        if matches!(token(&tokens, before), "?") && before > 0 {
            before -= 1;
        }
        if token(&tokens, before) != "." || before == 0 {
            return false;
        }
        before -= 1;
        // `(claims).email` is the same.
        let mut depth = 0;
        while token(&tokens, before) == ")" && before > 0 {
            depth += 1;
            before -= 1;
        }
        if token(&tokens, before) != "claims" {
            return false;
        }
        let opened = (1..=depth).all(|back| before >= back && token(&tokens, before - back) == "(");
        let first = before - depth.min(before);
        opened && (first == 0 || token(&tokens, first - 1) != ".")
    })
}

fn token(tokens: &[String], at: usize) -> &str {
    tokens.get(at).map(String::as_str).unwrap_or_default()
}

/// Names and single characters; of texts nothing but an empty pair of quotes.
fn tokens(expression: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            rest = &rest[first.len_utf8()..];
        } else if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |at| &rest[at..]);
        } else if first == '"' || first == '\'' {
            let is_raw = tokens.last().is_some_and(|it: &String| is_raw_prefix(it));
            rest = behind_text(rest, first, is_raw);
            tokens.push("\"\"".to_owned());
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let (name, behind) = rest.split_at(end);
            tokens.push(name.to_owned());
            rest = behind;
        } else {
            tokens.push(first.to_string());
            rest = &rest[first.len_utf8()..];
        }
    }
    tokens
}

fn is_raw_prefix(token: &str) -> bool {
    ["r", "R", "br", "bR", "Br", "BR", "rb", "rB", "Rb", "RB"].contains(&token)
}

/// What follows the text that begins here.
fn behind_text(text: &str, quote: char, is_raw: bool) -> &str {
    let triple: String = [quote; 3].iter().collect();
    let end = if text.starts_with(&triple) { triple } else { quote.to_string() };
    let mut rest = text.get(end.len()..).unwrap_or_default();
    loop {
        if let Some(behind) = rest.strip_prefix(&end) {
            return behind;
        }
        let mut characters = rest.chars();
        match characters.next() {
            None => return "",
            Some('\\') if !is_raw => {
                characters.next();
            }
            Some(_) => {}
        }
        rest = characters.as_str();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_selected_by_its_name_and_not_in_a_text_or_by_an_index() {
        for (expression, expected) in [
            ("claims.email", true),
            ("claims . email + 'x'", true),
            ("claims.?email.orValue('')", true),
            ("has(claims.email) ? claims.sub : ''", true),
            ("(claims).email", true),
            ("((claims)).email", true),
            ("claims.email.endsWith('x')", true),
            ("'a' + claims.email", true),
            ("claims['email']", false),
            ("claims.email_verified", false),
            ("claims.emails", false),
            ("x.claims.email", false),
            ("(a + claims).email", false),
            ("'claims.email'", false),
            ("\"\"\"a \" claims.email\"\"\"", false),
            (r"r'\' + claims.email", true),
            (r"'\'claims.email'", false),
            ("claims.sub // claims.email", false),
            ("email", false),
            (".email", false),
            ("", false),
        ] {
            assert_eq!(selects(expression, "email"), expected, "{expression}");
        }
    }
}
