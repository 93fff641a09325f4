//! `GET /version`.

use serde_json::{Value, json};

/// The version of Kubernetes whose behaviour this server follows, marked as what it is. kubectl prints it as the
/// server version.
pub(crate) const GIT_VERSION: &str = "v1.36.3+kubesso-sandbox";

/// The reply to `GET /version`.
pub(crate) fn handle() -> Value {
    json!({
        "major": "1",
        "minor": "36",
        "emulationMajor": "1",
        "emulationMinor": "36",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35",
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", go_os(), go_architecture()),
    })
}

/// The operating system under Go's name.
pub(crate) fn go_os() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    }
}

/// The processor under Go's name.
pub(crate) fn go_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_says_that_this_is_a_sandbox_and_parses_as_a_semantic_version() {
        let version = handle();
        let text = version["gitVersion"].as_str().unwrap();
        let (numbers, build) = text.strip_prefix('v').unwrap().split_once('+').unwrap();
        assert_eq!(build, "kubesso-sandbox");
        assert!(numbers.split('.').all(|number| number.parse::<u32>().is_ok()), "{numbers}");
        let minor = format!("{}.{}.", version["major"].as_str().unwrap(), version["minor"].as_str().unwrap());
        assert!(numbers.starts_with(&minor));
    }
}
