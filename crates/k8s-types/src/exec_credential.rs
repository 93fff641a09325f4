//! `client.authentication.k8s.io`: what kubectl tells an exec plugin, and what the plugin answers
//! on its standard output.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::go;
use crate::meta::Time;
use crate::secret::Secret;
use crate::wire::{is_default, nullable};

/// The versions that client-go 1.32 to 1.36 speaks. Both have the same shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExecApiVersion {
    /// `client.authentication.k8s.io/v1`
    V1,
    /// `client.authentication.k8s.io/v1beta1`: assumed when nobody says which.
    #[default]
    V1Beta1,
}

impl ExecApiVersion {
    /// The text in `apiVersion`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "client.authentication.k8s.io/v1",
            Self::V1Beta1 => "client.authentication.k8s.io/v1beta1",
        }
    }
}

impl fmt::Display for ExecApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An `apiVersion` that no kubectl of today sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownExecApiVersion(pub String);

impl fmt::Display for UnknownExecApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "unknown exec credential version {}: set apiVersion in the kubeconfig to {} or {}",
            go::quote(&self.0),
            ExecApiVersion::V1,
            ExecApiVersion::V1Beta1
        )
    }
}

impl std::error::Error for UnknownExecApiVersion {}

impl FromStr for ExecApiVersion {
    type Err = UnknownExecApiVersion;

    /// The empty text is the default, as for a kubectl that sets no `KUBERNETES_EXEC_INFO`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "client.authentication.k8s.io/v1" => Ok(Self::V1),
            "" | "client.authentication.k8s.io/v1beta1" => Ok(Self::V1Beta1),
            other => Err(UnknownExecApiVersion(other.to_owned())),
        }
    }
}

/// Both directions: kubectl's question (in `KUBERNETES_EXEC_INFO`) and the plugin's answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecCredential {
    /// `ExecCredential`
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// One of [`ExecApiVersion`]; kept as text because the reader must be able to name a wrong one.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Set by kubectl.
    #[serde(default, deserialize_with = "nullable")]
    pub spec: ExecCredentialSpec,
    /// Set by the plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ExecCredentialStatus>,
}

impl ExecCredential {
    /// The answer with a bearer token that ends at `expires`.
    pub fn token(version: ExecApiVersion, token: Secret, expires: Time) -> Self {
        Self {
            kind: "ExecCredential".to_owned(),
            api_version: version.to_string(),
            spec: ExecCredentialSpec::default(),
            status: Some(ExecCredentialStatus {
                expiration_timestamp: Some(expires),
                token,
                ..ExecCredentialStatus::default()
            }),
        }
    }

    /// The answer as the plugin prints it: one line of compact JSON with Go's escapes and a line feed.
    pub fn to_line(&self) -> serde_json::Result<String> {
        let mut line = go::json(self)?;
        line.push('\n');
        Ok(line)
    }
}

/// What kubectl says about the call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExecCredentialSpec {
    /// Only with `provideClusterInfo: true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ExecCluster>,
    /// Whether standard input is a person's terminal.
    #[serde(default, deserialize_with = "nullable")]
    pub interactive: bool,
}

/// What the plugin answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecCredentialStatus {
    /// kubectl asks again after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_timestamp: Option<Time>,
    /// The bearer token.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Secret::is_empty")]
    pub token: Secret,
    /// PEM
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub client_certificate_data: String,
    /// PEM
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Secret::is_empty")]
    pub client_key_data: Secret,
}

/// The cluster that kubectl is going to talk to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExecCluster {
    /// URL
    #[serde(default, deserialize_with = "nullable")]
    pub server: String,
    /// Overrides the name in the server certificate.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub tls_server_name: String,
    /// Certificates are not checked.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub insecure_skip_tls_verify: bool,
    /// Base64 of PEM.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub certificate_authority_data: String,
    /// URL
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub proxy_url: String,
    /// Responses come uncompressed.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub disable_compression: bool,
    /// The cluster's extension `client.authentication.k8s.io/exec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_one_line_with_these_bytes() {
        let expires: Time = serde_json::from_str(r#""2026-11-22T09:00:00.5Z""#).unwrap();
        let answer = ExecCredential::token(ExecApiVersion::V1, Secret::new("a.b<c"), expires);
        assert_eq!(
            answer.to_line().unwrap(),
            "{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"spec\":{\"interactive\":false},\"status\":{\"expirationTimestamp\":\"2026-11-22T09:00:00Z\",\"token\":\"a.b\\u003cc\"}}\n"
        );
        assert!(!format!("{answer:?}").contains("a.b"));
    }

    #[test]
    fn the_version_is_echoed_or_refused() {
        for (text, version) in [
            ("", Some(ExecApiVersion::V1Beta1)),
            ("client.authentication.k8s.io/v1beta1", Some(ExecApiVersion::V1Beta1)),
            ("client.authentication.k8s.io/v1", Some(ExecApiVersion::V1)),
            ("client.authentication.k8s.io/v1alpha1", None),
        ] {
            assert_eq!(text.parse().ok(), version, "{text}");
        }
    }

    #[test]
    fn kubectls_question_reads_with_cluster_and_unknown_fields() {
        let question: ExecCredential = serde_json::from_str(
            r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"cluster":{"server":"https://a:6443","certificate-authority-data":"QQ==","config":null},"interactive":true,"new":1}}"#,
        )
        .unwrap();
        let cluster = question.spec.cluster.unwrap();
        assert_eq!((cluster.server.as_str(), cluster.config), ("https://a:6443", None));
        assert!(question.spec.interactive);
    }
}
