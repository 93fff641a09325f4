//! Whether clients may register themselves (RFC 7591), and who may use them then.

use kubesso_directory::GroupName;
use kubesso_provider::RegistrationPolicy;
use serde::Deserialize;

use super::Config;

/// Who may register clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Registration {
    /// Nobody.
    #[default]
    Off,
    /// Whoever has a token from `kubesso registration-token`.
    WithToken,
}

impl Config {
    /// What is wrong with the settings.
    pub(super) fn check_registration(&self) -> Result<(), String> {
        let is_off = self.registration == Registration::Off && !self.danger_open_registration;
        if is_off && !self.registration_groups.is_empty() {
            return Err("registration_groups needs registration: with-token".to_owned());
        }
        self.registration_policy().map(drop)
    }

    /// Who may register clients; `None`: nobody.
    pub(super) fn registration_policy(&self) -> Result<Option<RegistrationPolicy>, String> {
        if self.registration == Registration::Off && !self.danger_open_registration {
            return Ok(None);
        }
        let groups = self.registration_groups.iter().map(|name| GroupName::parse(name));
        let groups = groups.collect::<Result<_, _>>().map_err(|e| format!("registration_groups: {e}"))?;
        Ok(Some(RegistrationPolicy { dangerously_open: self.danger_open_registration, groups }))
    }
}
