//! The two kubeconfigs that `kubesso up` writes.

use std::path::Path;

use kubesso_https::Identity;
use kubesso_k8s_types::kubeconfig::{Cluster, Config, Context, Data, ExecConfig, User};

use crate::error::CommandError;

/// What both files say of the cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClusterFacts<'a> {
    /// `https://localhost:6443`
    pub server: &'a str,
    /// The authority that signed the server's certificate, PEM.
    pub authority_pem: &'a str,
}

const CLUSTER: &str = "kubesso-sandbox";
/// The user of the tutorial: signs in through the plugin.
pub(super) const OIDC_USER: &str = "oidc-user";

/// How `oidc-user` gets a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct SignIn<'a> {
    /// The plugin's absolute path, so that the file works without a changed `PATH`.
    pub plugin: &'a Path,
    /// The provider's issuer.
    pub issuer: &'a str,
    /// The application.
    pub client_id: &'a str,
    /// The provider's authority.
    pub authority_file: &'a Path,
}

/// For people: one context, whose user signs in with the browser.
pub(super) fn for_people(cluster: ClusterFacts<'_>, sign_in: SignIn<'_>) -> Config {
    let arguments = vec![
        "get-token".to_owned(),
        format!("--oidc-issuer-url={}", sign_in.issuer),
        format!("--oidc-client-id={}", sign_in.client_id),
        "--oidc-extra-scope=email,profile,offline_access".to_owned(),
        format!("--certificate-authority={}", sign_in.authority_file.display()),
    ];
    let mut exec = ExecConfig::new(sign_in.plugin.display().to_string(), arguments);
    "The plugin is part of kubesso; `kubesso up` writes its link again.".clone_into(&mut exec.install_hint);
    let user = User { exec: Some(exec), ..User::default() };
    config(cluster, OIDC_USER, user)
}

/// Whether `user` signs in at an authorization server under `base_url` that is none of `issuers`, the ones that there are.
pub(super) fn names_another_issuer_of(base_url: &str, user: &User, issuers: &[String]) -> bool {
    let servers = format!("{base_url}/oauth2/");
    let arguments = user.exec.iter().flat_map(|exec| &exec.args);
    let mut named = arguments.filter_map(|argument| argument.strip_prefix("--oidc-issuer-url="));
    named.any(|issuer| issuer.starts_with(&servers) && !issuers.iter().any(|known| known == issuer))
}

/// For the one who has to get in when nobody can sign in: a client certificate of `system:masters`.
pub(super) fn for_break_glass(cluster: ClusterFacts<'_>, administrator: &Identity) -> Config {
    let user = User {
        client_certificate_data: Data::new(administrator.chain_pem()),
        client_key_data: Data::new(administrator.key_pem()),
        ..User::default()
    };
    config(cluster, "break-glass", user)
}

fn config(cluster: ClusterFacts<'_>, user_name: &str, user: User) -> Config {
    let mut config = Config { current_context: "kubesso".to_owned(), ..Config::default() };
    config.set_cluster(
        CLUSTER,
        Cluster {
            server: cluster.server.to_owned(),
            certificate_authority_data: Data::new(cluster.authority_pem),
            ..Cluster::default()
        },
    );
    config.set_context(
        "kubesso",
        Context { cluster: CLUSTER.to_owned(), user: user_name.to_owned(), ..Context::default() },
    );
    config.set_user(user_name, user);
    config
}

/// The file's text.
pub(crate) fn yaml(config: &Config) -> Result<String, CommandError> {
    serde_saphyr::to_string(config)
        .map_err(|e| CommandError::because("the kubeconfig cannot be written as YAML", &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_of_ours_that_is_gone_is_another_issuer() {
        let user = |issuer: &str| {
            let arguments = vec!["get-token".to_owned(), format!("--oidc-issuer-url={issuer}")];
            User { exec: Some(ExecConfig::new("plugin".to_owned(), arguments)), ..User::default() }
        };
        let base = "https://localhost:8443";
        let known = [format!("{base}/oauth2/aus1")];
        for (issuer, expected) in [
            ("https://localhost:8443/oauth2/aus1", false),
            ("https://localhost:8443/oauth2/aus0", true),
            ("https://elsewhere.example/oauth2/aus0", false),
        ] {
            assert_eq!(names_another_issuer_of(base, &user(issuer), &known), expected, "{issuer}");
        }
        assert!(!names_another_issuer_of(base, &User::default(), &known));
    }

    #[test]
    fn the_kubeconfig_for_people_holds_no_secret_and_names_the_plugin_absolutely() {
        let cluster = ClusterFacts { server: "https://localhost:6443", authority_pem: "PEM" };
        let sign_in = SignIn {
            plugin: Path::new("/data/bin/kubectl-oidc_login"),
            issuer: "https://localhost:8443/oauth2/aus1",
            client_id: "0oa1",
            authority_file: Path::new("/data/ca.crt"),
        };
        insta::assert_snapshot!(yaml(&for_people(cluster, sign_in)).unwrap());
    }
}
