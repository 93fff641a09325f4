//! The `kubectl config set-credentials` command, ready to paste into a shell.

use kubesso_token_cache::{AuthenticationArguments, GrantType, PkceMethod, ProviderArguments};
use std::path::Path;

use crate::arguments::SetupArguments;
use crate::entry::Invocation;
use crate::environment::Environment;
use kubesso_token_cache::Options;
use kubesso_token_cache::options::{ClientProof, Grant, SubjectToken};
use kubesso_token_cache::shell;
use kubesso_token_cache::values::{csv_cell, expand_home, key_values};

/// One argument of the plugin.
pub(crate) enum PluginArgument {
    /// As it stands.
    Plain(String),
    /// `--flag=` and the value of a shell variable, so that the secret is in no history.
    FromVariable { flag: &'static str, variable: &'static str },
}

/// The command, one argument a line. Quoted twice: for kubectl, which splits each `--exec-arg` as CSV, and for the shell.
pub(super) fn set_credentials(
    arguments: &SetupArguments,
    options: &Options,
    environment: &Environment,
) -> String {
    let invocation = Invocation::by_habit(environment);
    let mut lines = vec![
        format!("kubectl config set-credentials {}", shell::quote(&arguments.kubeconfig.user)),
        "--exec-api-version=client.authentication.k8s.io/v1".to_owned(),
        "--exec-interactive-mode=IfAvailable".to_owned(),
        shell::quote(&format!("--exec-command={}", invocation.command)),
    ];
    lines.extend(invocation.arguments.iter().map(|word| format!("--exec-arg={word}")));
    let mut preparation = String::new();
    for argument in plugin_arguments(&arguments.provider, &arguments.authentication, options, environment) {
        lines.push(match argument {
            PluginArgument::Plain(text) => shell::quote(&format!("--exec-arg={}", csv_cell(&text))),
            PluginArgument::FromVariable { flag, variable } => {
                preparation = format!("read -rs {variable}   # type the secret; it is not shown\n");
                format!("--exec-arg={flag}=\"${variable}\"")
            }
        });
    }
    preparation + &lines.join(" \\\n  ")
}

/// Every flag that was used, in the order of the help, with the scopes that were asked for.
pub(crate) fn plugin_arguments(
    provider: &ProviderArguments,
    authentication: &AuthenticationArguments,
    options: &Options,
    environment: &Environment,
) -> Vec<PluginArgument> {
    let mut list = List(Vec::new());
    list.add("--oidc-issuer-url", options.issuer.as_str());
    list.add("--oidc-client-id", &options.client_id);
    list.add_all("--profile", options.profile.iter());
    if options.client_secret.is_some() {
        let (flag, variable) = ("--oidc-client-secret", "OIDC_CLIENT_SECRET");
        list.0.push(PluginArgument::FromVariable { flag, variable });
    }
    match &options.client_proof {
        Some(ClientProof::AssertionFile(file)) => list.add("--oidc-client-assertion-file", &absolute(file)),
        Some(ClientProof::AssertionKey { file, key_id }) => {
            list.add("--oidc-client-assertion-key", &absolute(file));
            list.add_all("--oidc-client-assertion-key-id", key_id.iter());
        }
        Some(ClientProof::SecretCommand(command)) => list.add("--oidc-client-secret-command", command),
        Some(ClientProof::SecretFile(file)) => list.add("--oidc-client-secret-file", &absolute(file)),
        None => {}
    }
    list.add_all("--oidc-redirect-url", provider.oidc_redirect_url.iter());
    list.add_all("--oidc-extra-scope", options.scopes.extra());
    list.add_if("--no-refresh-token", options.no_refresh_token);
    list.add_if("--oidc-use-access-token", options.use_access_token);
    list.add_pairs("--oidc-request-header", &provider.oidc_request_header);
    match options.pkce {
        PkceMethod::Auto => {}
        PkceMethod::No => list.add("--oidc-pkce-method", "no"),
        PkceMethod::S256 => list.add("--oidc-pkce-method", "S256"),
    }
    for path in &options.trust.files {
        list.add("--certificate-authority", &absolute(path));
    }
    list.add_all("--certificate-authority-data", options.trust.data.iter());
    list.add_if("--insecure-skip-tls-verify", options.trust.skip_verify);
    if let Some(name) = grant_name(authentication.grant_type) {
        list.add("--grant-type", name);
    }
    list.add_all("--listen-address", authentication.listen_address.iter());
    for port in &authentication.listen_port {
        list.add("--listen-address", &format!("127.0.0.1:{port}"));
    }
    list.add_if("--skip-open-browser", authentication.skip_open_browser);
    list.add_all("--browser-command", authentication.browser_command.iter());
    if authentication.authentication_timeout_sec != 180 {
        list.add("--authentication-timeout-sec", &authentication.authentication_timeout_sec.to_string());
    }
    let home = environment.surroundings.home.as_deref();
    for (flag, path) in [
        ("--local-server-cert", &authentication.local_server_cert),
        ("--local-server-key", &authentication.local_server_key),
    ] {
        if let Some(path) = path {
            list.add(flag, &absolute(&expand_home(path, home)));
        }
    }
    list.add_all("--open-url-after-authentication", authentication.open_url_after_authentication.iter());
    list.add_pairs("--oidc-auth-request-extra-params", &authentication.oidc_auth_request_extra_params);
    list.add_all("--username", authentication.username.iter());
    if let Grant::TokenExchange(exchange) = &options.grant {
        match &exchange.subject {
            SubjectToken::Command(command) => list.add("--oidc-subject-token-command", command),
            SubjectToken::File(file) => list.add("--oidc-subject-token-file", &absolute(file)),
        }
        list.add("--oidc-subject-token-type", &exchange.subject_type);
        list.add_all("--oidc-audience", exchange.audience.iter());
    }
    list.0
}

struct List(Vec<PluginArgument>);

impl List {
    fn add(&mut self, flag: &str, value: &str) {
        self.0.push(PluginArgument::Plain(format!("{flag}={value}")));
    }

    fn add_all<T: AsRef<str>>(&mut self, flag: &str, values: impl Iterator<Item = T>) {
        for value in values {
            self.add(flag, value.as_ref());
        }
    }

    fn add_if(&mut self, flag: &str, given: bool) {
        if given {
            self.0.push(PluginArgument::Plain(flag.to_owned()));
        }
    }

    /// One flag a pair. A pair with several `=` is read as CSV, and written so.
    fn add_pairs(&mut self, flag: &str, values: &[String]) {
        for (name, value) in key_values(values).unwrap_or_default() {
            let pair = format!("{name}={value}");
            self.add(flag, &if value.contains('=') { csv_cell(&pair) } else { pair });
        }
    }
}

/// kubectl runs the plugin from wherever the person is.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

fn grant_name(grant_type: GrantType) -> Option<&'static str> {
    match grant_type {
        GrantType::Auto => None,
        GrantType::Authcode => Some("authcode"),
        GrantType::AuthcodeKeyboard => Some("authcode-keyboard"),
        GrantType::ClientCredentials => Some("client-credentials"),
        GrantType::DeviceCode => Some("device-code"),
        GrantType::Password => Some("password"),
        GrantType::TokenExchange => Some("token-exchange"),
    }
}
