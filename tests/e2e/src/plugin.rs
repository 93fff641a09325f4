//! kubectl with the exec plugin, and somebody who answers when it opens the browser.

use anyhow::{Context, Result};

use crate::form::{FormClient, Outcome};
use crate::kubectl::{Done, Kubectl, Opened};
use crate::kubesso::{Kubesso, email};
use crate::token_cache::TokenCache;

/// The user of the tutorial's kubeconfig.
pub const OIDC_USER: &str = "oidc-user";

/// A person's desk: kubectl with the plugin set up for one `kubesso up`.
#[derive(Debug)]
pub struct Desk {
    /// kubectl, whose kubeconfig has the user [`OIDC_USER`].
    pub kubectl: Kubectl,
    /// What the plugin opened.
    pub opened: Opened,
    ca_pem: String,
}

impl Desk {
    /// A new desk for the sandbox of `kubesso`.
    ///
    /// # Errors
    /// kubectl is not there or refuses the settings.
    pub async fn new(kubesso: &Kubesso) -> Result<Self> {
        let kubectl = Kubectl::new()?;
        let opened = kubectl.browser_command()?;
        kubectl.take_kubeconfig(&kubesso.ready.kubeconfig)?;
        let desk = Self { kubectl, opened, ca_pem: kubesso.ca_pem()? };
        desk.set_credentials(kubesso, &["openid email profile offline_access"]).await?;
        Ok(desk)
    }

    /// Writes [`OIDC_USER`] as the tutorial does, with the given `--oidc-extra-scope` values.
    ///
    /// # Errors
    /// kubectl refuses.
    pub async fn set_credentials(&self, kubesso: &Kubesso, extra_scopes: &[&str]) -> Result<()> {
        self.set_credentials_with(kubesso, extra_scopes, &[]).await
    }

    /// As [`set_credentials`](Self::set_credentials), with further flags of `kubectl config set-credentials`.
    ///
    /// # Errors
    /// kubectl refuses.
    pub async fn set_credentials_with(
        &self,
        kubesso: &Kubesso,
        extra_scopes: &[&str],
        flags: &[&str],
    ) -> Result<()> {
        let ready = &kubesso.ready;
        let mut arguments = vec![
            "--exec-api-version=client.authentication.k8s.io/v1".to_owned(),
            "--exec-interactive-mode=Never".to_owned(),
            "--exec-command=kubectl".to_owned(),
            "--exec-arg=oidc-login".to_owned(),
            "--exec-arg=get-token".to_owned(),
            format!("--exec-arg=--oidc-issuer-url={}", ready.issuer),
            format!("--exec-arg=--oidc-client-id={}", ready.client_id),
            format!("--exec-arg=--certificate-authority={}", ready.ca.display()),
            format!("--exec-arg=--browser-command={}", self.opened.script.display()),
            "--exec-arg=--listen-address=127.0.0.1:0".to_owned(),
        ];
        arguments.extend(extra_scopes.iter().map(|scope| format!("--exec-arg=--oidc-extra-scope={scope}")));
        let fixed = ["config", "set-credentials", OIDC_USER];
        let given = arguments.iter().map(String::as_str).chain(flags.iter().copied());
        let all: Vec<&str> = fixed.into_iter().chain(given).collect();
        self.kubectl.run(&all).await?.succeeded()?;
        Ok(())
    }

    /// Runs kubectl as [`OIDC_USER`]; nobody is there to sign in.
    ///
    /// # Errors
    /// It could not be started, or did not end (as when it waits for a browser).
    pub async fn run(&self, arguments: &[&str]) -> Result<Done> {
        self.kubectl.run(&[arguments, &["--user", OIDC_USER]].concat()).await
    }

    /// Runs kubectl as [`OIDC_USER`], and signs in as `who` when the browser is opened.
    ///
    /// # Errors
    /// No browser was opened, or the pages did not let go.
    pub async fn run_and_sign_in(&self, arguments: &[&str], kubesso: &Kubesso, who: &str) -> Result<Done> {
        let password = kubesso.password(who)?;
        let person = async {
            let url = self.opened.next().await?;
            let mut browser = FormClient::new(&self.ca_pem)?;
            match browser.sign_in(&url, &email(who), &password).await? {
                Outcome::Redirected(back) => browser.follow(&back).await.map(drop),
                Outcome::Refused(why) => anyhow::bail!("the page refuses {who}: {why}"),
            }
        };
        let (done, signed_in) = tokio::join!(self.run(arguments), person);
        let done = done?;
        signed_in.with_context(|| format!("kubectl said: {}", done.stderr))?;
        Ok(done)
    }

    /// The plugin's cache.
    pub fn cache(&self) -> TokenCache {
        TokenCache::below(self.kubectl.home())
    }
}
