//! `password`, `lockout` and `sessions` of the configuration: what is asked of those who sign in, within bounds.

use jiff::SignedDuration;
use kubesso_directory::SignInRules;
use serde::Deserialize;

/// A password of fewer characters needs a setting whose name says what it is.
const SHORTEST: u64 = 8;

/// `password`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Passwords {
    min_length: Option<u64>,
    danger_min_length: Option<u64>,
    #[serde(default)]
    danger_allow_common: bool,
    history: Option<u64>,
    max_age_days: Option<u64>,
}

/// `lockout`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lockout {
    free_attempts: Option<u64>,
    longest_wait_seconds: Option<u64>,
    forgotten_after_minutes: Option<u64>,
}

/// `sessions`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sessions {
    idle_minutes: Option<u64>,
    lifetime_minutes: Option<u64>,
}

/// The rules that the three say together.
pub(super) fn rules(
    passwords: Passwords,
    lockout: Lockout,
    sessions: Sessions,
) -> Result<SignInRules, String> {
    let mut rules = SignInRules::default();
    if passwords.min_length.is_some() && passwords.danger_min_length.is_some() {
        return Err("password.min_length and password.danger_min_length say the same: keep one".to_owned());
    }
    if let Some(length) = within("password.min_length", passwords.min_length, SHORTEST, 128)? {
        rules.passwords.shortest = usize::try_from(length).unwrap_or(usize::MAX);
    }
    if let Some(length) = within("password.danger_min_length", passwords.danger_min_length, 1, SHORTEST - 1)?
    {
        rules.passwords.shortest = usize::try_from(length).unwrap_or(usize::MAX);
    }
    rules.passwords.refuses_guessable = !passwords.danger_allow_common;
    if let Some(history) = within("password.history", passwords.history, 0, 30)? {
        rules.passwords.history = u32::try_from(history).unwrap_or(u32::MAX);
    }
    if let Some(days) = within("password.max_age_days", passwords.max_age_days, 1, 3650)? {
        rules.passwords.max_age = Some(seconds(days * 24 * 3600));
    }
    if let Some(free) = within("lockout.free_attempts", lockout.free_attempts, 1, 20)? {
        rules.lockout.free = u32::try_from(free).unwrap_or(u32::MAX);
    }
    if let Some(wait) = within("lockout.longest_wait_seconds", lockout.longest_wait_seconds, 10, 86_400)? {
        rules.lockout.longest_delay = seconds(wait);
    }
    if let Some(minutes) =
        within("lockout.forgotten_after_minutes", lockout.forgotten_after_minutes, 5, 2880)?
    {
        rules.lockout.forgotten_after = seconds(minutes * 60);
    }
    if rules.lockout.forgotten_after <= rules.lockout.longest_delay {
        return Err("lockout.forgotten_after_minutes must be longer than lockout.longest_wait_seconds, or nobody would \
                    wait that long"
            .to_owned());
    }
    let day = 24 * 60;
    if let Some(minutes) = within("sessions.lifetime_minutes", sessions.lifetime_minutes, 5, 90 * day)? {
        rules.sessions.absolute = seconds(minutes * 60);
        rules.sessions.idle = rules.sessions.idle.min(rules.sessions.absolute);
    }
    if let Some(minutes) = within("sessions.idle_minutes", sessions.idle_minutes, 1, 90 * day)? {
        rules.sessions.idle = seconds(minutes * 60);
    }
    if rules.sessions.idle > rules.sessions.absolute {
        return Err("sessions.idle_minutes must not be longer than sessions.lifetime_minutes".to_owned());
    }
    Ok(rules)
}

/// What weakens everybody's sign-in, to be said at the start.
pub(super) fn dangers(rules: &SignInRules) -> Vec<String> {
    let mut dangers = Vec::new();
    if rules.passwords.shortest < usize::try_from(SHORTEST).unwrap_or(0) {
        dangers.push(format!(
            "passwords of {} characters are taken (password.danger_min_length)",
            rules.passwords.shortest
        ));
    }
    if !rules.passwords.refuses_guessable {
        dangers.push("passwords that are guessed first are taken (password.danger_allow_common)".to_owned());
    }
    dangers
}

fn within(name: &str, value: Option<u64>, least: u64, most: u64) -> Result<Option<u64>, String> {
    match value {
        Some(value) if !(least..=most).contains(&value) => Err(format!("{name} must be {least} to {most}")),
        value => Ok(value),
    }
}

fn seconds(seconds: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<SignInRules, String> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct All {
            password: Passwords,
            lockout: Lockout,
            sessions: Sessions,
        }
        let all: All = serde_json::from_str(text).map_err(|e| e.to_string())?;
        rules(all.password, all.lockout, all.sessions)
    }

    #[test]
    fn what_is_not_said_is_as_it_was() {
        assert_eq!(of("{}"), Ok(SignInRules::default()));
        let rules = of(r#"{"password": {"min_length": 14, "history": 0, "max_age_days": 90},
            "lockout": {"free_attempts": 3}, "sessions": {"lifetime_minutes": 60}}"#)
        .unwrap();
        assert_eq!((rules.passwords.shortest, rules.passwords.history), (14, 0));
        assert_eq!(rules.passwords.max_age, Some(SignedDuration::from_hours(90 * 24)));
        assert_eq!(rules.lockout.free, 3);
        assert_eq!(rules.sessions.idle, SignedDuration::from_mins(60), "never longer than in all");
        assert!(dangers(&rules).is_empty());
    }

    #[test]
    fn what_weakens_has_a_name_that_says_so_and_is_told() {
        let rules = of(r#"{"password": {"danger_min_length": 4, "danger_allow_common": true}}"#).unwrap();
        assert_eq!(dangers(&rules).len(), 2);
        for (text, expected) in [
            (r#"{"password": {"min_length": 7}}"#, "password.min_length must be 8 to 128"),
            (r#"{"password": {"danger_min_length": 8}}"#, "must be 1 to 7"),
            (r#"{"password": {"min_length": 9, "danger_min_length": 4}}"#, "keep one"),
            (r#"{"password": {"allow_common": true}}"#, "unknown field"),
            (r#"{"lockout": {"free_attempts": 0}}"#, "must be 1 to 20"),
            (r#"{"lockout": {"longest_wait_seconds": 900}}"#, "must be longer"),
            (r#"{"sessions": {"idle_minutes": 721}}"#, "must not be longer"),
            (r#"{"sessions": {"lifetime_minutes": 4}}"#, "must be 5"),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
