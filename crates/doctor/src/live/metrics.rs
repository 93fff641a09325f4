//! What an API server's metrics say of its configuration file.

use jiff::{SignedDuration, Timestamp};
use kubesso_clusters::Loaded;

use crate::evidence::LoadedConfig;

/// What all of these lines begin with; an API server without such a file has none of them.
const LINES: &str = "apiserver_authentication_config_controller_";

/// What the metrics say; none if they say nothing of a file.
pub(super) fn loaded_config(metrics: &str) -> Option<LoadedConfig> {
    let mut lines = metrics.lines().filter(|line| line.starts_with(LINES));
    let api_server = lines.find_map(|line| {
        let (_, value) = line.split_once("apiserver_id_hash=\"")?;
        value.split('"').next().map(str::to_owned)
    })?;
    let Loaded { hash, refusals, last_reload, last_refusal, .. } = Loaded::of_metrics(metrics);
    Some(LoadedConfig {
        api_server: Some(api_server),
        hash,
        failures: refusals,
        last_failure: last_refusal,
        last_success: last_reload,
    })
}

/// When the process began: a metric of every process that Prometheus' libraries measure.
pub(super) fn began(metrics: &str) -> Option<Timestamp> {
    let value = metrics.lines().find_map(|line| line.strip_prefix("process_start_time_seconds "))?;
    let seconds: f64 = value.trim().parse().ok()?;
    Timestamp::UNIX_EPOCH.checked_add(SignedDuration::try_from_secs_f64(seconds).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_about_the_file_are_read_and_no_others() {
        let text = "# HELP apiserver_authentication_config_controller_last_config_info [ALPHA] x\n\
                    apiserver_authentication_config_controller_automatic_reload_last_timestamp_seconds{apiserver_id_hash=\"sha256:aa\",status=\"failure\"} 1.7e+09\n\
                    apiserver_authentication_config_controller_automatic_reload_last_timestamp_seconds{apiserver_id_hash=\"sha256:aa\",status=\"success\"} 1.6e+09\n\
                    apiserver_authentication_config_controller_automatic_reloads_total{apiserver_id_hash=\"sha256:aa\",status=\"failure\"} 2\n\
                    apiserver_authentication_config_controller_last_config_info{apiserver_id_hash=\"sha256:aa\",hash=\"sha256:bb\"} 1\n\
                    apiserver_request_total{code=\"200\"} 7\n";
        let config = loaded_config(text).unwrap();
        assert_eq!((config.hash.as_deref(), config.failures), (Some("sha256:bb"), 2));
        assert_eq!(config.api_server.as_deref(), Some("sha256:aa"));
        assert!(config.is_refusing());
        assert_eq!(loaded_config("apiserver_request_total{code=\"200\"} 7\n"), None);
    }

    #[test]
    fn the_beginning_of_the_process_is_read() {
        let text = "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 1.7e+09\n";
        assert_eq!(began(text), Some("2023-11-14T22:13:20Z".parse().unwrap()));
        for text in ["", "process_start_time_seconds NaN\n", "process_start_time_seconds 1e300\n"] {
            assert_eq!(began(text), None, "{text}");
        }
    }

    #[test]
    fn a_file_that_was_taken_after_a_refusal_is_in_force() {
        let config = |failure, success| LoadedConfig {
            failures: 1,
            last_failure: failure,
            last_success: success,
            ..LoadedConfig::default()
        };
        assert!(config(Some(2.0), Some(1.0)).is_refusing());
        assert!(config(Some(2.0), None).is_refusing());
        assert!(!config(Some(1.0), Some(2.0)).is_refusing());
        assert!(!LoadedConfig::default().is_refusing());
    }
}
