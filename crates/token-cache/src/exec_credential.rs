//! `client.authentication.k8s.io` ExecCredential: what kubectl tells its credential plugin and what it reads back
//! (Kubernetes `staging/src/k8s.io/client-go/plugin/pkg/client/auth/exec`).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::secret::Secret;

/// The versions of the ExecCredential that kubectl has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApiVersion {
    /// Since Kubernetes 1.22.
    #[serde(rename = "client.authentication.k8s.io/v1")]
    V1,
    /// What kubelogin writes when nobody asked for a version.
    #[default]
    #[serde(rename = "client.authentication.k8s.io/v1beta1")]
    V1Beta1,
}

/// Reads `KUBERNETES_EXEC_INFO`. Only its `apiVersion` matters here; absent, empty or without a version means
/// v1beta1, as in kubelogin.
pub fn requested_version(exec_info: Option<&str>) -> Result<ApiVersion, Error> {
    let Some(text) = exec_info.filter(|text| !text.is_empty()) else { return Ok(ApiVersion::default()) };
    let info: Map<String, Value> = serde_json::from_str(text).map_err(Error::ExecInfo)?;
    match info.get("apiVersion").unwrap_or(&Value::Null) {
        Value::Null => Ok(ApiVersion::default()),
        Value::String(version) if version.is_empty() => Ok(ApiVersion::default()),
        version => ApiVersion::deserialize(version).map_err(|_| Error::ExecApiVersion(version.to_string())),
    }
}

/// The line for kubectl: compact JSON and a newline, byte for byte as kubelogin writes it (key order, whole
/// seconds, `<`, `>` and `&` escaped).
pub fn render(version: ApiVersion, token: &Secret, expires_at: Timestamp) -> Secret {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct ExecCredential<'a> {
        kind: &'static str,
        api_version: ApiVersion,
        spec: Spec,
        status: Status<'a>,
    }
    #[derive(Serialize)]
    struct Spec {
        interactive: bool,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Status<'a> {
        expiration_timestamp: String,
        token: &'a str,
    }

    let credential = ExecCredential {
        kind: "ExecCredential",
        api_version: version,
        spec: Spec { interactive: false },
        status: Status {
            expiration_timestamp: format!(
                "{:.0}",
                Timestamp::from_second(expires_at.as_second()).unwrap_or(expires_at)
            ),
            token: token.expose(),
        },
    };
    // These characters stand only inside JSON strings, never in its structure.
    let escaped = serde_json::to_string(&credential)
        .unwrap_or_default()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026");
    Secret::from(escaped + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubectl_says_which_version_it_wants() {
        let wants = |info| requested_version(info).map_err(|e| e.to_string());
        assert_eq!(wants(None), Ok(ApiVersion::V1Beta1));
        assert_eq!(wants(Some("")), Ok(ApiVersion::V1Beta1));
        assert_eq!(wants(Some("{}")), Ok(ApiVersion::V1Beta1));
        let info = r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"interactive":true}}"#;
        assert_eq!(wants(Some(info)), Ok(ApiVersion::V1));
        let info = r#"{"apiVersion":"client.authentication.k8s.io/v1beta1"}"#;
        assert_eq!(wants(Some(info)), Ok(ApiVersion::V1Beta1));
        assert!(wants(Some(r#"{"apiVersion":"client.authentication.k8s.io/v1alpha1"}"#)).is_err());
        assert!(wants(Some("{")).is_err());
    }

    #[test]
    fn the_credential_is_byte_for_byte_what_kubectl_got_from_kubelogin() {
        let token = Secret::from("a.b<&>.c".to_owned());
        let line = render(ApiVersion::V1, &token, "2026-11-22T09:00:00.75Z".parse().unwrap());
        insta::assert_snapshot!(line.expose(), @r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false},"status":{"expirationTimestamp":"2026-11-22T09:00:00Z","token":"a.b\u003c\u0026\u003e.c"}}"#);
        assert!(line.expose().ends_with("}}\n"));
        let line = render(ApiVersion::V1Beta1, &token, Timestamp::UNIX_EPOCH);
        assert!(line.expose().contains(r#""apiVersion":"client.authentication.k8s.io/v1beta1""#));
    }
}
