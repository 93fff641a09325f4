//! How a remote command ended.

use std::fmt;

use serde_json::Value;

/// The `Status` that comes at the end of a command (`v4.channel.k8s.io` and later).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecStatus {
    /// Exit code 0.
    Success,
    /// Another exit code, or it was not run at all.
    Failure {
        /// What is said of it.
        message: String,
        /// The exit code, if it ran.
        exit_code: Option<u8>,
    },
}

impl ExecStatus {
    /// A whole status; nothing if this is none, or not the whole of one.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let status: Value = serde_json::from_slice(bytes).ok()?;
        match status.get("status")?.as_str()? {
            "Success" => Some(Self::Success),
            "Failure" => {
                let text = |name: &str| status.get(name).and_then(Value::as_str);
                let causes = status.pointer("/details/causes").and_then(Value::as_array);
                let exit_code = causes.into_iter().flatten().find_map(|cause| {
                    let is_it = cause.get("reason").and_then(Value::as_str) == Some("ExitCode");
                    cause.get("message")?.as_str()?.parse().ok().filter(|_| is_it)
                });
                let message = text("message").or_else(|| text("reason")).unwrap_or("it failed");
                Some(Self::Failure { message: message.to_owned(), exit_code })
            }
            _ => None,
        }
    }
}

impl fmt::Display for ExecStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("Success"),
            Self::Failure { message, .. } => f.write_str(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_once_it_is_whole() {
        let failed =
            |message: &str, exit_code| ExecStatus::Failure { message: message.to_owned(), exit_code };
        for (text, expected) in [
            (r#"{"metadata":{},"status":"Success"}"#, Some(ExecStatus::Success)),
            (
                r#"{"status":"Failure","message":"command terminated with non-zero exit code: 3","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}}"#,
                Some(failed("command terminated with non-zero exit code: 3", Some(3))),
            ),
            (r#"{"status":"Failure","reason":"InternalError"}"#, Some(failed("InternalError", None))),
            (r#"{"status":"Fail"#, None),
            (r#"{"status":"Perhaps"}"#, None),
            ("", None),
            ("[]", None),
        ] {
            assert_eq!(ExecStatus::read(text.as_bytes()), expected, "{text}");
        }
    }
}
