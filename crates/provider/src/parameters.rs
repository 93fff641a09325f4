//! Request parameters as RFC 6749 §3.1 and §3.2 read them: `application/x-www-form-urlencoded`, one without a
//! value counts as left out, one that comes twice is an error, but for `resource` (RFC 8707 §2).

use std::collections::BTreeMap;

use url::form_urlencoded;
use zeroize::Zeroizing;

/// The parameters of a query or of a form body.
#[derive(Clone, Default)]
pub(crate) struct Parameters {
    values: BTreeMap<String, Value>,
}

#[derive(Clone)]
enum Value {
    /// Perhaps a password or a token: wiped when dropped.
    Once(Zeroizing<String>),
    Repeated(Vec<Zeroizing<String>>),
}

/// The one parameter that may come more than once (RFC 8707 §2).
const REPEATABLE: &str = "resource";

/// A parameter that came more than once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the parameter {0} is given more than once")]
pub(crate) struct Repeated(pub(crate) String);

/// A parameter that cannot be taken, whatever it means.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// No store can hold it (a `nonce`, say), and nobody means it.
    #[error("the parameter {0} has the character U+0000 in it")]
    Nul(String),
    #[error("{0}")]
    Repeated(#[from] Repeated),
}

impl Parameters {
    /// Reads `encoded`, which may be anything: what is not UTF-8 becomes U+FFFD.
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        form_urlencoded::parse(encoded)
            .map(|(name, value)| (name.into_owned(), Zeroizing::new(value.into_owned())))
            .collect()
    }

    /// The value of `name`, if it was given.
    pub(crate) fn optional(&self, name: &str) -> Result<Option<&str>, Repeated> {
        match self.values.get(name) {
            None => Ok(None),
            Some(Value::Once(value)) => Ok(Some(value)),
            Some(Value::Repeated(_)) => Err(Repeated(name.to_owned())),
        }
    }

    /// The value of `name`, or nothing when it is missing or repeated.
    pub(crate) fn lenient(&self, name: &str) -> Option<&str> {
        self.optional(name).ok().flatten()
    }

    /// All values of `name`, in their order.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values.get(name).into_iter().flat_map(Value::each)
    }

    /// The first parameter, in alphabetical order, that came more than once and must not, or that has U+0000 in it.
    pub(crate) fn first_malformed(&self) -> Option<Malformed> {
        self.values.iter().find_map(|(name, value)| {
            if name.contains('\0') || value.each().any(|value| value.contains('\0')) {
                return Some(Malformed::Nul(name.replace('\0', "�")));
            }
            let is_repeated = matches!(value, Value::Repeated(_)) && name != REPEATABLE;
            is_repeated.then(|| Repeated(name.clone()).into())
        })
    }

    /// Names and values, as often as they came.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().flat_map(|(name, value)| value.each().map(move |value| (name.as_str(), value)))
    }
}

impl Value {
    fn each(&self) -> impl Iterator<Item = &str> {
        let values = match self {
            Self::Once(value) => std::slice::from_ref(value),
            Self::Repeated(values) => values,
        };
        values.iter().map(|value| value.as_str())
    }
}

/// Empty values count as left out.
impl FromIterator<(String, Zeroizing<String>)> for Parameters {
    fn from_iter<I: IntoIterator<Item = (String, Zeroizing<String>)>>(pairs: I) -> Self {
        let mut values = BTreeMap::new();
        for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            let value = match values.remove(&name) {
                None => Value::Once(value),
                Some(Value::Once(first)) => Value::Repeated(vec![first, value]),
                Some(Value::Repeated(mut several)) => {
                    several.push(value);
                    Value::Repeated(several)
                }
            };
            values.insert(name, value);
        }
        Self { values }
    }
}

/// Names only: values are passwords, codes and tokens.
impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_given_missing_empty_or_repeated() {
        let parameters = Parameters::parse(b"a=1&b=&c=x%20y&d=1&d=1&e=p+q&f");
        let cases = [
            ("a", Ok(Some("1"))),
            ("b", Ok(None)),
            ("c", Ok(Some("x y"))),
            ("d", Err(Repeated("d".into()))),
            ("e", Ok(Some("p q"))),
            ("f", Ok(None)),
            ("g", Ok(None)),
        ];
        for (name, expected) in cases {
            assert_eq!(parameters.optional(name), expected, "{name}");
        }
        assert_eq!(parameters.first_malformed(), Some(Repeated("d".into()).into()));
        assert_eq!(Parameters::parse(b"x=%00").first_malformed(), Some(Malformed::Nul("x".into())));
        assert_eq!(parameters.lenient("d"), None);
    }

    #[test]
    fn values_do_not_print() {
        let printed = format!("{:?}", Parameters::parse(b"password=hunter2"));
        assert_eq!(printed, r#"{"password"}"#);
    }
}
