//! Descriptions to ask by, and instructions as text.

use std::fmt::Write as _;

use kubesso_clusters::{Access, Impossible, Instructions, Step};

/// One line of base64 stands for a certificate: what is in it is not looked at.
pub(crate) const AUTHORITY: &str = include_str!("../authority.pem");

/// The tutorial's access: e-mail as the name, groups without a prefix.
pub(crate) const TUTORIAL: &str = "
issuers:
- url: https://sso.example.com/oauth2/k8s-auth
  audiences: [0oa1b2c3]
";

/// All that can be said.
pub(crate) const EVERYTHING: &str = "
issuers:
- url: https://sso.example.com
  audiences: [kubectl, dashboard]
  certificateAuthorityFile: ca.crt
  username: {claim: sub, prefix: 'oidc:'}
  groups: {expression: 'claims.roles'}
  uid: {claim: sub}
  extra: {example.com/team: claims.team}
  requiredClaims: {hd: example.com}
  claimRules:
  - expression: claims.email_verified == true
    message: the address must be verified
  userRules:
  - expression: \"!user.username.endsWith('@contractor.example')\"
    message: no contractors
- url: https://dex.example.com
  discoveryURL: https://dex.internal/.well-known/openid-configuration
  audiences: [kubectl]
  username: {expression: \"'dex:' + claims.sub\"}
anonymous: {enabled: true, paths: [/livez, /readyz, /healthz]}
";

/// What flags can say, with all of them.
pub(crate) const FLAGS: &str = "
issuers:
- url: https://sso.example.com
  audiences: [kubectl]
  certificateAuthorityFile: ca.crt
  username: {claim: sub, prefix: 'oidc:'}
  groups: {claim: groups, prefix: 'oidc:'}
  requiredClaims: {hd: example.com}
  signingAlgorithms: [RS256, ES256]
";

/// Two issuers with what AKS can say of them.
pub(crate) const SEVERAL: &str = "
issuers:
- url: https://sso.example.com
  audiences: [kubectl, dashboard]
  certificateAuthorityFile: ca.crt
  username: {claim: sub, prefix: 'oidc:'}
  groups: {expression: 'claims.roles'}
  uid: {claim: sub}
  extra: {example.com/team: claims.team}
  userRules:
  - expression: \"!user.username.endsWith('@contractor.example')\"
    message: no contractors
- url: https://dex.example.com
  audiences: [kubectl]
  username: {expression: \"'dex:' + claims.sub\"}
";

/// One issuer with everything that OpenShift can say of it.
pub(crate) const ONE: &str = "
issuers:
- url: https://sso.example.com
  audiences: [kubectl, dashboard]
  certificateAuthorityFile: ca.crt
  username: {claim: sub, prefix: 'oidc:'}
  groups: {claim: roles, prefix: 'oidc:'}
  uid: {expression: claims.sub}
  extra: {example.com/team: claims.team}
  requiredClaims: {hd: example.com}
";

pub(crate) fn access(text: &str) -> Access {
    access_with(text, AUTHORITY)
}

/// With this certificate authority.
pub(crate) fn access_with(text: &str, authority: &str) -> Access {
    Access::from_yaml(text, |path| match path {
        "ca.crt" => Ok(authority.to_owned()),
        _ => Err("no such file".to_owned()),
    })
    .unwrap()
}

/// As text to compare.
pub(crate) fn shown(made: &Result<Instructions, Impossible>) -> String {
    let mut text = String::new();
    match made {
        Ok(made) => {
            for file in &made.files {
                let part = if file.is_part { " [part]" } else { "" };
                writeln!(text, "=== {}{part} -> {}\n{}", file.name, file.place, file.content).unwrap();
            }
            for (name, steps) in
                [("apply", &made.apply), ("verify", &made.verify), ("rollback", &made.rollback)]
            {
                writeln!(text, "--- {name}").unwrap();
                for Step { what, command } in steps {
                    writeln!(text, "- {what}").unwrap();
                    if let Some(command) = command {
                        writeln!(text, "    $ {command}").unwrap();
                    }
                }
            }
            for warning in &made.warnings {
                writeln!(text, "! {warning}").unwrap();
            }
        }
        Err(impossible) => {
            writeln!(text, "{impossible}:").unwrap();
            for one in &impossible.restrictions {
                writeln!(text, "- {} ({})\n  instead: {}", one.what, one.source, one.instead).unwrap();
            }
        }
    }
    text
}
