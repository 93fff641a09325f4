//! How a kubeconfig calls the plugin: the entry, and its flags.

use kubesso_k8s_types::kubeconfig::ExecConfig;

/// What kubectl prints where the plugin is missing.
pub const INSTALL_HINT: &str = "This user signs in with kubesso's kubectl plugin, which is not there. Get it from \
                                https://github.com/kubesso/kubesso, or set the path in the kubeconfig.";

/// A call of the plugin for `client.authentication.k8s.io/v1`, that may talk to a person if there is one.
pub fn plugin_entry(command: impl Into<String>, words: Vec<String>) -> ExecConfig {
    let mut exec = ExecConfig::new(command, words);
    INSTALL_HINT.clone_into(&mut exec.install_hint);
    exec
}

/// The words behind `get-token`. A flag with a value stands as `--flag=value` or as two words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginFlags(Vec<String>);

impl PluginFlags {
    /// What stands behind `get-token` in these arguments; nothing if it is not there.
    pub fn of(arguments: &[String]) -> Self {
        Self(arguments.iter().skip_while(|word| *word != "get-token").skip(1).cloned().collect())
    }

    /// From the words themselves.
    pub fn new(words: Vec<String>) -> Self {
        Self(words)
    }

    /// The words.
    pub fn into_words(self) -> Vec<String> {
        self.0
    }

    /// Whether the flag is there.
    pub fn has(&self, flag: &str) -> bool {
        self.0.iter().any(|word| !matches!(find(word, flag), Found::Other))
    }

    /// The values of a flag that takes one, in their order.
    pub fn values(&self, flag: &str) -> Vec<String> {
        let mut values = Vec::new();
        let mut words = self.0.iter();
        while let Some(word) = words.next() {
            match find(word, flag) {
                Found::Value(value) => values.push(value.to_owned()),
                Found::Bare => values.extend(words.next().cloned()),
                Found::Other => {}
            }
        }
        values
    }

    /// Takes a flag that takes a value away, and returns its values.
    pub fn take(&mut self, flag: &str) -> Vec<String> {
        let values = self.values(flag);
        self.replace(flag, &[]);
        values
    }

    /// Takes a flag away that takes no value but behind `=`.
    pub fn take_switch(&mut self, flag: &str) -> Option<bool> {
        let mut last = None;
        self.0.retain(|word| {
            let is_on = match find(word, flag) {
                Found::Other => return true,
                Found::Bare => true,
                Found::Value(value) => !matches!(value, "false" | "False" | "FALSE" | "f" | "F" | "0"),
            };
            last = Some(is_on);
            false
        });
        last
    }

    /// Gives a flag that takes a value these values: where it stood, or at the end.
    pub fn replace(&mut self, flag: &str, values: &[String]) {
        let mut kept = Vec::new();
        let mut place = None;
        let mut words = self.0.drain(..);
        while let Some(word) = words.next() {
            match find(&word, flag) {
                Found::Other => {
                    kept.push(word);
                    continue;
                }
                Found::Bare => drop(words.next()),
                Found::Value(_) => {}
            }
            place.get_or_insert(kept.len());
        }
        drop(words);
        let new = values.iter().map(|value| format!("{flag}={value}"));
        let place = place.unwrap_or(kept.len());
        kept.splice(place..place, new);
        self.0 = kept;
    }
}

/// What a word is to a flag.
enum Found<'a> {
    /// Something else.
    Other,
    /// The flag; its value, if it takes one, is the next word.
    Bare,
    /// The flag with its value.
    Value(&'a str),
}

fn find<'a>(word: &'a str, flag: &str) -> Found<'a> {
    match word.strip_prefix(flag) {
        Some("") => Found::Bare,
        Some(rest) => rest.strip_prefix('=').map_or(Found::Other, Found::Value),
        None => Found::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(words: &str) -> PluginFlags {
        PluginFlags::new(words.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn a_flag_is_found_and_replaced_in_either_form_and_its_namesakes_are_not() {
        let both = "--oidc-client-id a --oidc-client-id-x=no --oidc-client-id=b -v1";
        assert_eq!(flags(both).values("--oidc-client-id"), ["a", "b"]);
        for (before, values, after) in [
            (both, &["c"][..], "--oidc-client-id=c --oidc-client-id-x=no -v1"),
            (both, &[], "--oidc-client-id-x=no -v1"),
            ("-v1 --x", &["c", "d"], "-v1 --x --oidc-client-id=c --oidc-client-id=d"),
            ("--x --oidc-client-id", &["c"], "--x --oidc-client-id=c"),
        ] {
            let mut changed = flags(before);
            changed
                .replace("--oidc-client-id", &values.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
            assert_eq!(changed, flags(after), "{before}");
        }
        let mut switch = flags("--oidc-use-pkce a --oidc-use-pkce=false");
        assert_eq!(switch.take_switch("--oidc-use-pkce"), Some(false));
        assert_eq!(switch, flags("a"));
        assert!(!switch.has("--oidc-use-pkce"));
        assert_eq!(PluginFlags::of(&["oidc-login".into(), "get-token".into(), "-v1".into()]), flags("-v1"));
    }
}
