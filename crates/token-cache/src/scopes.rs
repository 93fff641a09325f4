//! Scopes (RFC 6749, section 3.3).

use std::fmt;

/// The scopes to ask for: no doubles, in the order they were given, `openid` always among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// Reads the values of `--oidc-extra-scope`. Each may hold several scopes, separated by commas or spaces.
    /// `openid` comes last unless it was given, as in kubelogin.
    pub fn from_flags(values: &[String]) -> Self {
        let mut scopes = Self(Vec::new());
        for value in values {
            for scope in value.split(|c: char| c == ',' || c.is_whitespace() || c == '"') {
                scopes.add(scope);
            }
        }
        scopes.add("openid");
        scopes
    }

    /// Adds `scope` unless it is there or empty; says whether it did.
    pub fn add(&mut self, scope: &str) -> bool {
        let new = !scope.is_empty() && !self.contains(scope);
        if new {
            self.0.push(scope.to_owned());
        }
        new
    }

    /// Asks for `scope` no more.
    pub fn remove(&mut self, scope: &str) {
        self.0.retain(|have| have != scope);
    }

    /// Whether `scope` is asked for.
    pub fn contains(&self, scope: &str) -> bool {
        self.0.iter().any(|have| have == scope)
    }

    /// All but `openid`, which nobody needs to write.
    pub fn extra(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str).filter(|scope| *scope != "openid")
    }
}

impl fmt::Display for Scopes {
    /// As the `scope` parameter has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_several_scopes_means_several_scopes() {
        for (values, scopes) in [
            (&[][..], "openid"),
            (&["email offline_access profile openid"], "email offline_access profile openid"),
            (&["email", "profile"], "email profile openid"),
            (&["email,profile"], "email profile openid"),
            (&["email, profile", "email"], "email profile openid"),
            (&["openid", "openid email"], "openid email"),
            (&["", " "], "openid"),
        ] {
            let values: Vec<_> = values.iter().map(|v| (*v).to_owned()).collect();
            assert_eq!(Scopes::from_flags(&values).to_string(), scopes, "{values:?}");
        }
    }
}
