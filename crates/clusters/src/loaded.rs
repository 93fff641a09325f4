//! What an API server's metrics say about its AuthenticationConfiguration: whether it has the file that is meant.

use serde::Serialize;

const CONTROLLER: &str = "apiserver_authentication_config_controller";

/// What one API server says.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Loaded {
    /// Of the bytes that it has loaded, as [`loaded_hash`](crate::loaded_hash); none: it does not say (older releases), or
    /// has no such file.
    pub hash: Option<String>,
    /// How often it has read the file again and taken it.
    pub reloads: u64,
    /// How often it has read the file again and refused it.
    pub refusals: u64,
    /// When it last took the file, in seconds since 1970.
    pub last_reload: Option<f64>,
    /// When it last refused the file.
    pub last_refusal: Option<f64>,
    /// When the process began.
    pub started: Option<f64>,
}

/// Whether an API server has loaded a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It has this file.
    Loaded,
    /// It has read a new file and refused it; what it had before is still in force.
    Refused,
    /// It has another file, and has refused none since: the new one has not reached it, or not yet.
    Another,
    /// It says nothing about it.
    Unknown,
}

impl Loaded {
    /// Reads what `/metrics` answers (Prometheus' text format).
    pub fn of_metrics(text: &str) -> Self {
        let mut said = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, labels, value)) = sample(line) else { continue };
            if name == "process_start_time_seconds" {
                said.started = Some(value);
            }
            let Some(name) = name.strip_prefix(CONTROLLER) else { continue };
            let is_failure = label(labels, "status") == Some("failure");
            match name {
                "_last_config_info" => said.hash = label(labels, "hash").map(str::to_owned),
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a counter is a whole number, not below 0"
                )]
                "_automatic_reloads_total" => {
                    *(if is_failure { &mut said.refusals } else { &mut said.reloads }) += value as u64;
                }
                "_automatic_reload_last_timestamp_seconds" => {
                    *(if is_failure { &mut said.last_refusal } else { &mut said.last_reload }) = Some(value);
                }
                _ => {}
            }
        }
        said
    }

    /// Whether it has the file of that hash.
    pub fn verdict(&self, expected: &str) -> Verdict {
        match &self.hash {
            Some(hash) if hash == expected => Verdict::Loaded,
            None => Verdict::Unknown,
            Some(_) => match (self.last_refusal, self.last_reload) {
                (Some(refusal), Some(reload)) if refusal < reload => Verdict::Another,
                (Some(_), _) => Verdict::Refused,
                (None, _) => Verdict::Another,
            },
        }
    }
}

/// `name{labels} value`
fn sample(line: &str) -> Option<(&str, &str, f64)> {
    let (before, value) = line.trim().rsplit_once(' ')?;
    let value = value.parse().ok()?;
    match before.split_once('{') {
        Some((name, labels)) => Some((name, labels.strip_suffix('}')?, value)),
        None => Some((before, "", value)),
    }
}

/// The value of a label. Those that are looked at have no quotes in them.
fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    labels.split(',').find_map(|one| {
        let (label, value) = one.split_once('=')?;
        (label.trim() == name).then(|| value.trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = r#"# TYPE apiserver_authentication_config_controller_last_config_info gauge
apiserver_authentication_config_controller_last_config_info{apiserver_id_hash="sha256:1",hash="sha256:aa"} 1
apiserver_authentication_config_controller_automatic_reloads_total{apiserver_id_hash="sha256:1",status="success"} 2
apiserver_authentication_config_controller_automatic_reload_last_timestamp_seconds{apiserver_id_hash="sha256:1",status="success"} 1.7e+09
process_start_time_seconds 1.69e+09
"#;

    #[test]
    fn the_file_is_known_by_its_hash_and_a_refusal_by_its_time() {
        let said = Loaded::of_metrics(METRICS);
        assert_eq!((said.hash.as_deref(), said.reloads, said.refusals), (Some("sha256:aa"), 2, 0));
        assert_eq!((said.started, said.last_reload), (Some(1.69e9), Some(1.7e9)));
        assert_eq!(said.verdict("sha256:aa"), Verdict::Loaded);
        assert_eq!(said.verdict("sha256:bb"), Verdict::Another);
        let refusal = |at: &str| {
            let line = r#"apiserver_authentication_config_controller_automatic_reload_last_timestamp_seconds{status="failure"}"#;
            Loaded::of_metrics(&format!("{METRICS}{line} {at}\n")).verdict("sha256:bb")
        };
        assert_eq!(refusal("1.8e+09"), Verdict::Refused);
        assert_eq!(refusal("1.6e+09"), Verdict::Another);
        assert_eq!(Loaded::of_metrics("up 1\n").verdict("sha256:aa"), Verdict::Unknown);
    }
}
