//! How a user signs in: from flags, from `access.yaml`, or as the kubesso on this machine has it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kubesso_clusters::{IssuerUrl, TrustedIssuer};
use kubesso_k8s_types::kubeconfig::ExecConfig;
use kubesso_kubeconfig::is_secret_flag;
use kubesso_signin::Environment;
use kubesso_signin::entry::{self, PluginProgram, USUAL_SCOPES};

use super::{absolute, certificates};
use crate::args::{KubeconfigAdd, SignInFlags};
use crate::cluster::whom;
use crate::error::CommandError;

/// Where somebody signs in.
pub(super) struct SignIn {
    issuer: String,
    client_id: String,
    /// The flag by which the plugin is told whom to believe.
    authority: Option<String>,
}

impl SignIn {
    /// What `kubesso kubeconfig add` was told; nothing if it was told nothing.
    ///
    /// # Errors
    /// Something is missing, or is no issuer.
    pub(super) async fn of(command: &KubeconfigAdd) -> Result<Option<Self>, CommandError> {
        let flags = &command.sign_in;
        let inline = command.cluster.embed_certs || command.out.is_some();
        let mut sign_in = if let Some(application) = &command.application {
            let server = command.authorization_server.as_deref();
            let issuer =
                whom::issuer_of_provider(application, server, command.base_url.as_ref(), &command.data)
                    .await?;
            Self::of_issuer(&issuer, None)?
        } else if let Some(file) = &command.file {
            let access = whom::access_of_file(file)?;
            let named = flags.issuer.as_deref();
            let mut issuers =
                access.issuers.iter().filter(|one| named.is_none_or(|url| one.url.as_str() == url));
            match (issuers.next(), issuers.next()) {
                (Some(issuer), None) => Self::of_issuer(issuer, flags.client_id.as_deref())?,
                (None, _) => {
                    let url = named.unwrap_or_default();
                    return Err(CommandError::usage(format!("{} has no issuer {url}", file.display())));
                }
                (Some(_), Some(_)) => {
                    return Err(CommandError::usage(format!("{} has several issuers", file.display()))
                        .mend("name one of them with --issuer"));
                }
            }
        } else if let Some(issuer) = &flags.issuer {
            let client_id = flags.client_id.clone().ok_or_else(|| {
                CommandError::usage("--issuer needs --client-id: the application that people sign in to")
            })?;
            Self { issuer: issuer_url(issuer)?, client_id, authority: None }
        } else {
            let told = flags.client_id.is_some() || flags.issuer_ca.is_some() || !flags.scope.is_empty();
            if told || flags.plugin.is_some() || !flags.plugin_arg.is_empty() {
                return Err(CommandError::usage("how the user signs in is said without an issuer")
                    .mend("give --issuer and --client-id, -f access.yaml, or --application"));
            }
            return Ok(None);
        };
        if let Some(flag) = authority_flag(flags, inline)? {
            sign_in.authority = Some(flag);
        }
        Ok(Some(sign_in))
    }

    fn of_issuer(issuer: &TrustedIssuer, client_id: Option<&str>) -> Result<Self, CommandError> {
        let client_id = match (client_id, issuer.audiences.as_slice()) {
            (Some(named), audiences) if audiences.iter().any(|one| one == named) => named,
            (Some(named), _) => {
                return Err(CommandError::usage(format!("the cluster takes no tokens for {named}"))
                    .mend("name one of the audiences with --client-id"));
            }
            (None, [only]) => only,
            (None, _) => {
                return Err(CommandError::usage(format!("{} has several audiences", issuer.url))
                    .mend("name the application that people sign in to with --client-id"));
            }
        };
        let authority =
            issuer.certificate_authority.as_ref().map(|authority| inline_flag(authority.as_pem()));
        Ok(Self { issuer: issuer.url.to_string(), client_id: client_id.to_owned(), authority })
    }

    /// The plugin call.
    ///
    /// # Errors
    /// The plugin would refuse it, or it has a secret in it.
    pub(super) fn exec(
        &self,
        flags: &SignInFlags,
        program: &PluginProgram,
        environment: &Environment,
    ) -> Result<ExecConfig, CommandError> {
        let usual = || USUAL_SCOPES.iter().map(|scope| (*scope).to_owned()).collect();
        let scopes: Vec<String> = if flags.scope.is_empty() { usual() } else { flags.scope.clone() };
        let mut words = vec![
            format!("--oidc-issuer-url={}", self.issuer),
            format!("--oidc-client-id={}", self.client_id),
        ];
        words.extend(scopes.iter().filter(|scope| !scope.is_empty()).map(|scope| scope_flag(scope)));
        words.extend(self.authority.clone());
        refuse_secrets(&flags.plugin_arg)?;
        words.extend(flags.plugin_arg.iter().cloned());
        let exec = entry::exec(program, words, environment);
        checked(exec, environment)
    }
}

/// A call that the plugin takes.
pub(super) fn checked(exec: ExecConfig, environment: &Environment) -> Result<ExecConfig, CommandError> {
    match entry::check(&exec, environment) {
        Ok(()) => Ok(exec),
        Err(problem) => Err(CommandError::usage(format!("the plugin would refuse its call: {problem}"))),
    }
}

pub(super) fn issuer_url(text: &str) -> Result<String, CommandError> {
    let url = IssuerUrl::parse(text).map_err(|what| CommandError::usage(format!("--issuer: {what}")))?;
    Ok(url.as_str().to_owned())
}

pub(super) fn scope_flag(scope: &str) -> String {
    format!("--oidc-extra-scope={scope}")
}

/// The flag for `--issuer-ca`, if that is given and not empty.
pub(super) fn authority_flag(flags: &SignInFlags, inline: bool) -> Result<Option<String>, CommandError> {
    let Some(file) = flags.issuer_ca.as_deref().filter(|file| !file.as_os_str().is_empty()) else {
        return Ok(None);
    };
    let authority = certificates("--issuer-ca", file)?;
    Ok(Some(if inline {
        inline_flag(authority.as_pem())
    } else {
        format!("--certificate-authority={}", absolute(file))
    }))
}

fn inline_flag(pem: &str) -> String {
    format!("--certificate-authority-data={}", BASE64_STANDARD.encode(pem))
}

/// Every program of the person reads the kubeconfig, and people send it to each other.
pub(super) fn refuse_secrets(words: &[String]) -> Result<(), CommandError> {
    let flag = words
        .iter()
        .map(|word| word.split_once('=').map_or(word.as_str(), |(flag, _)| flag))
        .find(|flag| is_secret_flag(flag));
    match flag {
        Some(flag) => Err(CommandError::usage(format!("--plugin-arg {flag}: a secret does not go into a kubeconfig"))
            .mend("put it into a file that only you can read, and give the plugin's flag for that (--oidc-client-secret-file)")),
        None => Ok(()),
    }
}
