//! How well a person has proved who it is (`acr`, OpenID Connect Core §2, §5.5.1.1), by the names that Okta gives the
//! levels. A level is computed from the methods of the sign-in (`amr`, RFC 8176), so that a session with a second factor
//! answers more without anything else to change.

use serde::{Deserialize, Serialize};

/// By one factor, whichever.
const ONE_FACTOR: &str = "urn:okta:loa:1fa:any";
/// By a password.
const PASSWORD: &str = "urn:okta:loa:1fa:pwd";
/// By two factors.
const TWO_FACTORS: &str = "urn:okta:loa:2fa:any";

/// What a sign-in here can reach; `acr_values_supported`.
pub(crate) const SUPPORTED: [&str; 2] = [ONE_FACTOR, PASSWORD];

/// What a request says of `acr`: `acr_values`, or the claim of that name in the parameter `claims`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AcrRequest {
    /// Whether nothing else will do.
    pub(crate) essential: bool,
    /// In the order of preference; empty: whichever it is.
    pub(crate) values: Vec<String>,
}

impl AcrRequest {
    /// Whether some sign-in here could meet it.
    pub(crate) fn can_be_met(&self) -> bool {
        !self.is_strict() || self.values.iter().any(|value| SUPPORTED.contains(&value.as_str()))
    }

    /// The `acr` to answer after a sign-in by `amr`: the first that was asked for and is met, else what it is; `None`
    /// within, if that has no name. `Err`: it had to be another.
    pub(crate) fn answer(&self, amr: &[String]) -> Result<Option<&'static str>, Unmet> {
        let met = met_by(amr);
        let wanted = self.values.iter().find_map(|value| met.iter().find(|level| *level == value));
        if wanted.is_none() && self.is_strict() {
            return Err(Unmet);
        }
        Ok(wanted.or(met.first()).copied())
    }

    fn is_strict(&self) -> bool {
        self.essential && !self.values.is_empty()
    }
}

/// The sign-in is not what the request insists on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unmet;

/// The level of a sign-in by `amr`, where no other was asked for; `None`: it has no name.
pub(crate) fn level(amr: &[String]) -> Option<&'static str> {
    met_by(amr).first().copied()
}

/// The levels that a sign-in by `amr` meets, the one that says most first.
fn met_by(amr: &[String]) -> Vec<&'static str> {
    let has = |method: &str| amr.iter().any(|found| found == method);
    let levels = [(has("mfa"), TWO_FACTORS), (has("pwd"), PASSWORD), (!amr.is_empty(), ONE_FACTOR)];
    levels.into_iter().filter_map(|(is_met, level)| is_met.then_some(level)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_level_that_was_asked_for_and_is_met_is_answered() {
        let cases = [
            (&[][..], false, &["pwd"][..], Ok(Some(PASSWORD))),
            (&[], true, &["pwd"], Ok(Some(PASSWORD))),
            (&["x", ONE_FACTOR, PASSWORD], false, &["pwd"], Ok(Some(ONE_FACTOR))),
            (&[TWO_FACTORS], false, &["pwd"], Ok(Some(PASSWORD))),
            (&[TWO_FACTORS], true, &["pwd"], Err(Unmet)),
            (&[TWO_FACTORS], true, &["pwd", "mfa"], Ok(Some(TWO_FACTORS))),
            (&[TWO_FACTORS, PASSWORD], true, &["pwd"], Ok(Some(PASSWORD))),
            (&[], true, &[], Ok(None)),
            (&[PASSWORD], true, &[], Err(Unmet)),
        ];
        for (values, essential, amr, expected) in cases {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            let request = AcrRequest { essential, values: owned(values) };
            assert_eq!(request.answer(&owned(amr)), expected, "{values:?} {essential} {amr:?}");
        }
    }
}
