//! A command line, and what lies under it: environment variables, a profile, defaults.
//!
//! Every flag can be set in three more places: the variable `KUBELOGIN_` + its name, a profile of the configuration
//! file, and that file's defaults. Here they become one command line again, with only the flags that win: the command
//! line itself, then the environment, the profile, the defaults. So nothing behind this knows where a flag came from.

pub mod configuration;
mod flags;
mod line;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

pub use configuration::Configuration;
pub use flags::{Flags, Kind};
pub use line::CommandLine;

use crate::error::Error;
use crate::surroundings::Surroundings;
use crate::values::csv_cell;
use configuration::{Setting, Settings};

/// How the variables begin that set flags.
pub const PREFIX: &str = "KUBELOGIN_";
/// The variable that names another configuration file. It is no flag, since flags can be set in that file.
pub const CONFIGURATION_VARIABLE: &str = "KUBELOGIN_CONFIG";
const PROFILE: &str = "profile";

/// The flags that lie under a command line.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The variables that begin with [`PREFIX`], by the flag that they would set.
    variables: BTreeMap<String, String>,
    /// The configuration file, if there is one.
    configuration: Option<Configuration>,
}

/// Flags from below, and what is to be said of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Words to put in front of the command's own flags. They may hold secrets.
    pub words: Vec<OsString>,
    /// Where each added flag was set, in words.
    pub origins: BTreeMap<String, String>,
    /// Names that no flag has, one line each.
    pub warnings: Vec<String>,
}

impl Layers {
    /// Reads the variables of `surroundings`, and takes the file as it was read.
    pub fn new(surroundings: &Surroundings, configuration: Option<Configuration>) -> Self {
        let names = (surroundings.variable_names)().into_iter();
        let variables = names
            .filter(|name| name != CONFIGURATION_VARIABLE)
            .filter_map(|name| {
                let flag = name.strip_prefix(PREFIX)?.to_lowercase().replace('_', "-");
                // Set to nothing is how a shell takes a variable back.
                let value = surroundings.variable(&name).filter(|value| !value.is_empty())?;
                Some((flag, value))
            })
            .collect();
        Self { variables, configuration }
    }

    /// Whether nothing lies under the command line.
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty() && self.configuration.is_none()
    }

    /// The names of the profiles that there are.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        self.configuration.iter().flat_map(|file| file.profiles.keys()).map(String::as_str)
    }

    /// The flags that `line` does not have and a layer has. `of_command` are the flags that the command knows, `of_any`
    /// those of any command: a name that is in neither is warned about, one that is only in the latter is for another
    /// command.
    pub fn under(&self, line: &CommandLine, of_command: &Flags, of_any: &Flags) -> Result<Added, Error> {
        let mut added = Added::default();
        for name in self.variables.keys() {
            if !of_any.has(&dashed(of_any, name)) {
                added.warnings.push(format!(
                    "no flag is called --{name}, so the variable {} has no effect{}",
                    variable_of(name),
                    suggestion(of_any, name)
                ));
            }
        }
        let environment: Vec<_> = self
            .variables
            .iter()
            .map(|(name, value)| (dashed(of_any, name), Setting::Text(value.clone()), variable_of(name)))
            .collect();
        let mut layers = vec![environment];
        let profile = self.profile(line)?;
        if let Some(file) = &self.configuration {
            let mut layer = |settings: &Settings, whose: String| {
                let origin = format!("{whose} in {}", file.path.display());
                layers.push(
                    settings
                        .iter()
                        .map(|(name, setting)| (name.clone(), setting.clone(), origin.clone()))
                        .collect(),
                );
            };
            if let Some((name, settings)) =
                profile.as_deref().and_then(|name| file.profiles.get_key_value(name))
            {
                layer(settings, format!("profile {name:?}"));
            }
            layer(&file.defaults, "defaults".to_owned());
            added.warnings.extend(file.unknown_names(of_any));
        }
        let mut taken: BTreeSet<_> =
            line.flags.iter().map(|name| of_command.first_name(name).to_owned()).collect();
        for layer in layers {
            let mut taken_here = Vec::new();
            for (name, setting, origin) in layer {
                let Some(kind) = of_command.kind(&name) else { continue };
                let name = of_command.first_name(&name).to_owned();
                if taken.contains(&name) || of_command.conflicts(&name).any(|other| taken.contains(other)) {
                    continue;
                }
                added.words.extend(words(&name, kind, &setting).into_iter().map(OsString::from));
                added.origins.insert(name.clone(), origin);
                taken_here.push(name);
            }
            taken.extend(taken_here);
        }
        Ok(added)
    }

    /// The profile that is asked for, which must be there once there are any.
    fn profile(&self, line: &CommandLine) -> Result<Option<String>, Error> {
        let given = line.value(PROFILE).or_else(|| self.variables.get(PROFILE).cloned());
        let Some(file) = &self.configuration else { return Ok(given) };
        let named = given.or_else(|| match file.defaults.get(PROFILE)? {
            Setting::Text(name) => Some(name.clone()),
            _ => None,
        });
        match named.filter(|name| !name.is_empty()) {
            Some(name) if !file.profiles.is_empty() && !file.profiles.contains_key(&name) => {
                Err(Error::Flag {
                    flag: "--profile",
                    problem: format!(
                        "{} has no profile {name:?}; it has {}",
                        file.path.display(),
                        file.profiles.keys().cloned().collect::<Vec<_>>().join(", ")
                    ),
                })
            }
            named => Ok(named),
        }
    }
}

/// The words that set a flag so.
fn words(name: &str, kind: Kind, setting: &Setting) -> Vec<String> {
    let one = |value: &str| format!("--{name}={value}");
    match setting {
        Setting::Nothing => Vec::new(),
        Setting::Text(value) => vec![one(value)],
        Setting::List(values) => match kind {
            Kind::List => values.iter().map(|value| one(value)).collect(),
            // For the parser to refuse, by the flag's name.
            Kind::Switch | Kind::Value => vec![one(&values.join(","))],
        },
        Setting::Pairs(pairs) => pairs
            .iter()
            .map(|(key, value)| {
                let pair = format!("{key}={value}");
                one(&if value.contains('=') { csv_cell(&pair) } else { pair })
            })
            .collect(),
    }
}

/// A variable has no dashes, but some flags (of klog) have underscores.
fn dashed(known: &Flags, name: &str) -> String {
    let underscored = name.replace('-', "_");
    if !known.has(name) && known.has(&underscored) { underscored } else { name.to_owned() }
}

fn variable_of(flag: &str) -> String {
    format!("{PREFIX}{}", flag.to_uppercase().replace('-', "_"))
}

fn suggestion(known: &Flags, name: &str) -> String {
    known.nearest(name).map(|near| format!("; is {} meant?", variable_of(near))).unwrap_or_default()
}

#[cfg(test)]
mod tests;
