//! Versions of Kubernetes, as far as they decide what may be written.

use std::fmt;
use std::str::FromStr;

/// Major and minor number, such as 1.34. A patch number that was given is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KubernetesVersion {
    major: u16,
    minor: u16,
}

/// The text is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no version: use 1.34 or v1.34.2")]
pub struct VersionError(String);

impl KubernetesVersion {
    /// The oldest in which structured configuration is on by itself (Kubernetes 1.30, beta).
    pub const STRUCTURED: Self = Self::new(1, 30);
    /// In which `apiserver.config.k8s.io/v1` came (Kubernetes 1.34).
    pub const STRUCTURED_V1: Self = Self::new(1, 34);
    /// What is assumed where nobody says: what is written for it works for every later one.
    pub const ASSUMED: Self = Self::new(1, 34);

    /// That version.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// Whether `--authentication-config` may be used.
    pub fn has_structured_configuration(self) -> bool {
        self >= Self::STRUCTURED
    }
}

impl FromStr for KubernetesVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let error = || VersionError(text.chars().take(40).collect());
        let mut numbers = text.strip_prefix('v').unwrap_or(text).splitn(3, '.');
        let mut number = || numbers.next().and_then(|part| part.parse().ok()).ok_or_else(error);
        Ok(Self { major: number()?, minor: number()? })
    }
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_people_and_clusters_write_them() {
        for text in ["1.34", "v1.34", "v1.34.2", "1.34.2+k3s1", "v1.34.0-eks-1a2b"] {
            assert_eq!(text.parse(), Ok(KubernetesVersion::new(1, 34)), "{text}");
        }
        for text in ["", "1", "v1", "1.x", "latest", "-1.3"] {
            assert!(text.parse::<KubernetesVersion>().is_err(), "{text}");
        }
        assert!(KubernetesVersion::new(1, 9) < KubernetesVersion::new(1, 30));
    }
}
