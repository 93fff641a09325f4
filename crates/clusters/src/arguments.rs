//! Arguments of kube-apiserver, wherever a distribution keeps them.

use crate::oidc_flags::Argument;

/// Arguments in order, without their dashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments(Vec<Argument>);

impl Arguments {
    /// Reads words as a process gets them: `--name=value`, `--name value`, `--name`; other words say nothing.
    pub fn of_words<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Self {
        let mut found: Vec<Argument> = Vec::new();
        let mut is_open = false;
        for word in words {
            let word = word.as_ref();
            match word.strip_prefix("--") {
                Some(flag) => {
                    let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
                    is_open = !flag.contains('=');
                    found.push((name.to_owned(), value.to_owned()));
                }
                None if is_open => {
                    is_open = false;
                    if let Some((_, value)) = found.last_mut() {
                        word.clone_into(value);
                    }
                }
                None => {}
            }
        }
        Self(found)
    }

    /// Reads `name=value`, as distributions write it that add the dashes.
    pub fn of_assignments<S: AsRef<str>>(assignments: impl IntoIterator<Item = S>) -> Self {
        let read = |text: &str| {
            let text = text.trim_start_matches('-');
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            (name.to_owned(), value.to_owned())
        };
        Self(assignments.into_iter().map(|one| read(one.as_ref())).collect())
    }

    /// From names and values.
    pub fn of_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// The value of an argument: the last one counts.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// As [`value`](Self::value), unless it is empty.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.value(name).filter(|value| !value.is_empty())
    }

    /// All values of an argument that may be given several times.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Adds what stands elsewhere too.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that say whose tokens are taken.
    pub fn about_issuers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().filter(|(name, _)| is_about_issuers(name))
    }
}

/// Whether an argument says whose tokens are taken: `--authentication-config`, `--oidc-*`.
pub(crate) fn is_about_issuers(name: &str) -> bool {
    name == "authentication-config" || name.starts_with("oidc-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_the_process_reads_them() {
        let words =
            ["kube-apiserver", "--a=1", "--b", "2", "--c", "--a=3", "--oidc-groups-prefix=oidc:", "loose"];
        let read = Arguments::of_words(words);
        assert_eq!((read.value("a"), read.value("b"), read.value("c")), (Some("3"), Some("2"), Some("")));
        assert_eq!(read.values("a").collect::<Vec<_>>(), ["1", "3"]);
        assert_eq!(read.about_issuers().collect::<Vec<_>>(), [("oidc-groups-prefix", "oidc:")]);
        assert_eq!(Arguments::of_assignments(["a=b=c", "--d=e"]).value("a"), Some("b=c"));
    }
}
