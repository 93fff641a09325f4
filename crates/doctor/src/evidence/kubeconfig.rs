//! What a kubeconfig's context sends, and how its plugin is called.

use kubesso_k8s_types::kubeconfig::{Cluster, ExecConfig, InteractiveMode, User};
use kubesso_kubeconfig::{Entry, Kubeconfig, SelectError, Selection};

/// The context that is asked for, and what stands behind it.
#[derive(Clone, Debug)]
pub struct KubeconfigEvidence {
    /// Its name.
    pub context: Option<String>,
    /// The server's URL.
    pub server: Option<String>,
    /// Whether certificates are checked.
    pub skips_verification: bool,
    /// The user's name; an error where there is none.
    pub user: Result<String, String>,
    /// How it authenticates; all that are set.
    pub credentials: Vec<Credential>,
    /// The plugin.
    pub plugin: Option<PluginCall>,
    /// A token that stands in the file.
    pub token: Option<super::TokenEvidence>,
}

/// A way to authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// `auth-provider`, with its name.
    AuthProvider(String),
    /// A client certificate.
    ClientCertificate,
    /// `exec`.
    Exec,
    /// `username` and `password`.
    Password,
    /// `token`.
    Token,
    /// `tokenFile`.
    TokenFile,
}

impl Credential {
    /// As the file names it.
    pub fn name(&self) -> String {
        match self {
            Self::AuthProvider(name) => format!("auth-provider: {name}"),
            Self::ClientCertificate => "client-certificate".to_owned(),
            Self::Exec => "exec".to_owned(),
            Self::Password => "username".to_owned(),
            Self::Token => "token".to_owned(),
            Self::TokenFile => "tokenFile".to_owned(),
        }
    }
}

/// How kubectl calls a plugin.
#[derive(Clone, Debug)]
pub struct PluginCall {
    /// The program as written.
    pub command: String,
    /// The programs that it needs: itself, and kubectl's plugin where it is called by way of kubectl.
    pub needs: Vec<String>,
    /// Which of those are not there; none if nobody looked.
    pub lacking: Option<Vec<String>>,
    /// `apiVersion`.
    pub api_version: String,
    /// `interactiveMode`.
    pub interactive_mode: Option<String>,
    /// Whether it is a plugin whose flags are known: kubelogin's, or ours.
    pub is_known: bool,
    /// `--oidc-issuer-url`.
    pub issuer: Option<String>,
    /// `--oidc-client-id`.
    pub client_id: Option<String>,
    /// All scopes that it asks for, `openid` among them.
    pub scopes: Vec<String>,
    /// Whether it gives kubectl the access token.
    pub uses_access_token: bool,
    /// Where the browser is sent back to.
    pub redirect_uri: String,
    /// Addresses that it listens at, of which one must be free.
    pub listens_at: Vec<String>,
    /// Which of them are taken; none if nobody looked.
    pub taken: Option<Vec<String>>,
    /// `--grant-type`.
    pub grant_type: Option<String>,
    /// Whether a client secret is given.
    pub has_secret: bool,
    /// `--certificate-authority`: a file.
    pub ca_file: Option<String>,
    /// `--certificate-authority-data`: base64 of PEM.
    pub ca_data: Option<String>,
}

impl KubeconfigEvidence {
    /// Reads a context, the current one if none is named.
    ///
    /// # Errors
    /// There is no such context.
    pub fn read(kubeconfig: &Kubeconfig, context: Option<&str>) -> Result<Self, SelectError> {
        let selected = kubeconfig.select_context(context)?;
        let cluster = kubeconfig.cluster(&selected.value.cluster).map(|entry| &entry.value);
        let selection = Selection { context: Some(&selected.name), user: None };
        let user = kubeconfig.select_user(selection);
        let (name, entry) = match user {
            Ok(entry) => (Ok(entry.name.clone()), Some(&entry.value)),
            Err(ref error) => (Err(error.to_string()), None),
        };
        let mut evidence = Self::new(&selected.name, cluster, name, entry);
        // As kubectl starts it: relative to the file, if it is no bare name.
        if let (Some(plugin), Some(command)) = (&mut evidence.plugin, user.ok().and_then(Entry::exec_command))
            && let Some(first) = plugin.needs.first_mut()
        {
            *first = command.display().to_string();
        }
        Ok(evidence)
    }

    /// Looks whether the programs are there that kubectl would start.
    pub fn look_for_programs(&mut self, is_there: impl Fn(&str) -> bool) {
        if let Some(plugin) = &mut self.plugin {
            plugin.lacking =
                Some(plugin.needs.iter().filter(|program| !is_there(program)).cloned().collect());
        }
    }

    fn new(
        context: &str,
        cluster: Option<&Cluster>,
        name: Result<String, String>,
        user: Option<&User>,
    ) -> Self {
        let exec = user.and_then(|user| user.exec.as_ref());
        let token = user.map(|user| user.token.expose()).filter(|token| !token.is_empty());
        Self {
            context: Some(context.to_owned()),
            server: cluster.map(|cluster| cluster.server.clone()),
            skips_verification: cluster.is_some_and(|cluster| cluster.insecure_skip_tls_verify),
            user: name,
            credentials: user.map(credentials).unwrap_or_default(),
            plugin: exec.map(PluginCall::new),
            token: token.map(super::TokenEvidence::read),
        }
    }
}

fn credentials(user: &User) -> Vec<Credential> {
    let mut found = Vec::new();
    if !user.client_certificate.is_empty() || !user.client_certificate_data.is_empty() {
        found.push(Credential::ClientCertificate);
    }
    if user.exec.is_some() {
        found.push(Credential::Exec);
    }
    if !user.token.is_empty() {
        found.push(Credential::Token);
    }
    if !user.token_file.is_empty() {
        found.push(Credential::TokenFile);
    }
    if !user.username.is_empty() {
        found.push(Credential::Password);
    }
    if let Some(provider) = &user.auth_provider {
        found.push(Credential::AuthProvider(provider.name.clone()));
    }
    found
}

impl PluginCall {
    fn new(exec: &ExecConfig) -> Self {
        let words: Vec<_> = exec.args.iter().map(String::as_str).collect();
        let program = exec.command.rsplit(['/', '\\']).next().unwrap_or_default();
        let is_known = program.contains("oidc_login")
            || program.starts_with("kubelogin")
            || words.contains(&"oidc-login");
        let mut needs = vec![exec.command.clone()];
        if program.trim_end_matches(".exe") == "kubectl" && words.first() == Some(&"oidc-login") {
            needs.push("kubectl-oidc_login".to_owned());
        }
        let mut scopes = vec!["openid".to_owned()];
        let asked = values(&words, "--oidc-extra-scope");
        scopes.extend(
            asked
                .iter()
                .flat_map(|value| value.split([' ', ',']))
                .filter(|scope| !scope.is_empty())
                .map(str::to_owned),
        );
        scopes.dedup();
        let last = |name| values(&words, name).pop().map(str::to_owned);
        let mut listens_at: Vec<_> =
            values(&words, "--listen-address").iter().map(|it| (*it).to_owned()).collect();
        if listens_at.is_empty() {
            listens_at = vec!["127.0.0.1:8000".to_owned(), "127.0.0.1:18000".to_owned()];
        }
        // As kubelogin makes it: the name localhost unless another is said, and the port of the first address.
        let port = listens_at.first().and_then(|it| it.rsplit(':').next()).unwrap_or("8000").to_owned();
        let host = last("--oidc-redirect-url-hostname").unwrap_or_else(|| "localhost".to_owned());
        let redirect_uri = last("--oidc-redirect-url").unwrap_or_else(|| format!("http://{host}:{port}"));
        let interactive_mode = exec.interactive_mode.as_ref().map(|mode| match mode {
            InteractiveMode::Always => "Always".to_owned(),
            InteractiveMode::IfAvailable => "IfAvailable".to_owned(),
            InteractiveMode::Never => "Never".to_owned(),
            InteractiveMode::Other(other) => other.clone(),
        });
        Self {
            command: exec.command.clone(),
            needs,
            lacking: None,
            api_version: exec.api_version.clone(),
            interactive_mode,
            is_known,
            issuer: last("--oidc-issuer-url"),
            client_id: last("--oidc-client-id"),
            scopes,
            uses_access_token: values(&words, "--oidc-use-access-token")
                .last()
                .is_some_and(|value| *value != "false"),
            redirect_uri,
            listens_at,
            taken: None,
            grant_type: last("--grant-type"),
            has_secret: !values(&words, "--oidc-client-secret").is_empty(),
            ca_file: last("--certificate-authority"),
            ca_data: last("--certificate-authority-data"),
        }
    }
}

/// The values of a flag, `--flag=value` and `--flag value`; a flag without one has the empty value.
fn values<'a>(words: &[&'a str], name: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let Some(rest) = word.strip_prefix(name) else { continue };
        if let Some(value) = rest.strip_prefix('=') {
            found.push(value);
        } else if rest.is_empty() {
            found.push(words.get(at + 1).filter(|next| !next.starts_with("--")).copied().unwrap_or_default());
        }
    }
    found
}
