//! What the flags mean, checked: the second step after [`arguments`](crate::arguments).

mod client_proof;
mod token_exchange;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use url::{Host, Url};

pub use self::client_proof::ClientProof;
pub use self::token_exchange::{SubjectToken, TokenExchange};
use crate::arguments::{AuthenticationArguments, GrantType, PkceMethod, ProviderArguments, TlsArguments};
use crate::error::Error;
use crate::issuer::{IssuerUrl, is_loopback};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::surroundings::Surroundings;
use crate::values::{expand_home, key_values};

/// Everything one sign-in needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// Keeps the tokens of several people at one provider apart.
    pub profile: Option<String>,
    /// The provider.
    pub issuer: IssuerUrl,
    /// The application there, and the audience of its tokens.
    pub client_id: String,
    /// The application's secret, if it has one.
    pub client_secret: Option<Secret>,
    /// What the application proves itself with, if not with that secret.
    pub client_proof: Option<ClientProof>,
    /// Sent instead of the address that we listen on.
    pub redirect_url: Option<RedirectUrl>,
    /// What to ask for.
    pub scopes: Scopes,
    /// Whether no refresh token is to be asked for, nor kept.
    pub no_refresh_token: bool,
    /// Whether kubectl gets the access token instead of the ID token.
    pub use_access_token: bool,
    /// For every request to the provider.
    pub request_headers: BTreeMap<String, String>,
    /// Whether codes are bound to this process.
    pub pkce: PkceMethod,
    /// Whom to believe on the network.
    pub trust: TrustOptions,
    /// How to sign in.
    pub grant: Grant,
    /// Parameters for the authorization request, or the token request of client credentials.
    pub extra_parameters: BTreeMap<String, String>,
}

/// A redirect URL. It is sent as it was written, since providers compare it as text.
#[derive(Clone, Debug)]
pub struct RedirectUrl {
    text: String,
    url: Url,
}

impl RedirectUrl {
    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether any free port of this machine will do: an address of it, written as such, with port 0 (RFC 8252, section
    /// 7.3, where providers are to ignore the port).
    pub fn takes_any_port(&self) -> bool {
        let is_address = self.url.host().is_some_and(|host| !matches!(host, Host::Domain(_)));
        is_address && is_loopback(&self.url) && self.url.port() == Some(0)
    }

    /// The text, parsed.
    pub fn url(&self) -> &Url {
        &self.url
    }
}

/// Whom to believe; the files are not read yet.
#[derive(Clone, Debug, Default)]
pub struct TrustOptions {
    /// PEM files, which replace the system's authorities.
    pub files: Vec<PathBuf>,
    /// Base64 of PEM.
    pub data: Vec<String>,
    /// Whether anybody is believed.
    pub skip_verify: bool,
}

/// The way to sign in, with what only that way needs.
#[derive(Clone, Debug)]
pub enum Grant {
    /// The browser comes back to a port of ours.
    AuthorizationCode(BrowserLogin),
    /// The first way that works here: the browser, a code for a browser elsewhere, a pasted address.
    Automatic(BrowserLogin),
    /// The browser's answer is typed or pasted in.
    AuthorizationCodeByKeyboard,
    /// The application signs in as itself.
    ClientCredentials,
    /// A code is typed into a browser anywhere.
    DeviceCode {
        /// How the page for the code gets opened.
        start: BrowserStart,
        /// How long to wait for the person.
        timeout_seconds: u32,
    },
    /// User name and password, asked for where they are missing.
    Password {
        /// The user name.
        username: Option<String>,
        /// The password.
        password: Option<Secret>,
    },
    /// A token of somebody else's is exchanged.
    TokenExchange(TokenExchange),
}

impl Grant {
    /// Whether a person has to do something at a page of the provider.
    pub fn is_interactive(&self) -> bool {
        match self {
            Self::AuthorizationCode(_)
            | Self::AuthorizationCodeByKeyboard
            | Self::Automatic(_)
            | Self::DeviceCode { .. } => true,
            Self::ClientCredentials | Self::Password { .. } | Self::TokenExchange(_) => false,
        }
    }
}

/// How the browser gets to the first page.
#[derive(Clone, Debug)]
pub struct BrowserStart {
    /// Print the URL instead.
    pub skip: bool,
    /// The command line that opens it.
    pub command: Option<String>,
}

/// A sign-in where the browser comes back to a port of ours.
#[derive(Clone, Debug)]
pub struct BrowserLogin {
    /// How the browser gets started.
    pub start: BrowserStart,
    /// `HOST:PORT`, tried in order.
    pub listen_addresses: Vec<String>,
    /// Certificate and key files for a local server with TLS.
    pub local_server: Option<(PathBuf, PathBuf)>,
    /// Where the browser goes after a success.
    pub success_url: Option<String>,
    /// How long to wait for the person.
    pub timeout_seconds: u32,
}

impl BrowserLogin {
    /// How long to wait for the person.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.into())
    }
}

/// kubelogin's addresses, tried in order.
const LISTEN_ADDRESSES: [&str; 2] = ["127.0.0.1:8000", "127.0.0.1:18000"];

impl Options {
    /// Checks the flags. Reads no file and says nothing, so that a cache hit can use it.
    pub fn new(
        issuer: &IssuerUrl,
        client_id: &str,
        provider: &ProviderArguments,
        tls: &TlsArguments,
        authentication: &AuthenticationArguments,
        surroundings: &Surroundings,
    ) -> Result<Self, Error> {
        let pairs =
            |flag, values: &[String]| key_values(values).map_err(|problem| Error::Flag { flag, problem });
        let request_headers = pairs("--oidc-request-header", &provider.oidc_request_header)?;
        let redirect_url = redirect_url(provider.oidc_redirect_url.as_deref())?;
        headers(&request_headers)?;
        Ok(Self {
            profile: provider.profile.clone().filter(|profile| !profile.is_empty()),
            issuer: issuer.clone(),
            client_id: client_id.to_owned(),
            client_secret: provider.oidc_client_secret.clone().filter(|secret| !secret.is_empty()),
            client_proof: ClientProof::from_flags(provider, surroundings)?,
            scopes: scopes(provider),
            no_refresh_token: provider.no_refresh_token,
            use_access_token: provider.oidc_use_access_token,
            request_headers,
            pkce: if provider.oidc_use_pkce { PkceMethod::S256 } else { provider.oidc_pkce_method },
            trust: trust(tls, surroundings),
            grant: grant(authentication, redirect_url.as_ref(), surroundings)?,
            redirect_url,
            extra_parameters: pairs(
                "--oidc-auth-request-extra-params",
                &authentication.oidc_auth_request_extra_params,
            )?,
        })
    }

    /// Whether the application has something to prove itself with.
    pub fn is_confidential(&self) -> bool {
        self.client_secret.is_some() || self.client_proof.is_some()
    }

    /// What lets others read the tokens, or forge them, on the way: one line each.
    pub fn exposures(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.issuer.is_exposed() {
            lines.push(format!(
                "{} is not https: anybody on the way can read and take the tokens",
                self.issuer
            ));
        }
        if self.trust.skip_verify {
            lines.push(
                "--insecure-skip-tls-verify: whoever answers is believed, and can take the tokens".to_owned(),
            );
        }
        lines
    }

    /// The headers for every request to the provider.
    pub fn header_map(&self) -> Result<HeaderMap, Error> {
        headers(&self.request_headers)
    }
}

/// One line for each flag that is taken for the sake of old kubeconfigs and changes nothing, or soon will not be.
pub fn old_flags(
    provider: &ProviderArguments,
    tls: &TlsArguments,
    authentication: &AuthenticationArguments,
) -> Vec<&'static str> {
    let old = [
        (provider.oidc_use_pkce, "--oidc-use-pkce is deprecated; write --oidc-pkce-method=S256"),
        (
            provider.oidc_redirect_url_hostname.is_some(),
            "--oidc-redirect-url-hostname has no effect any more; write --oidc-redirect-url",
        ),
        (
            provider.oidc_redirect_url_authcode_keyboard.is_some(),
            "--oidc-redirect-url-authcode-keyboard has no effect any more; write --oidc-redirect-url",
        ),
        (
            tls.tls_renegotiation_once || tls.tls_renegotiation_freely,
            "TLS renegotiation is never done; leave --tls-renegotiation-once and --tls-renegotiation-freely away",
        ),
        (
            !authentication.listen_port.is_empty(),
            "--listen-port is deprecated; write --listen-address=127.0.0.1:PORT",
        ),
    ];
    old.into_iter().filter_map(|(used, line)| used.then_some(line)).collect()
}

fn headers(pairs: &BTreeMap<String, String>) -> Result<HeaderMap, Error> {
    let wrong = |name: &str| Error::Flag {
        flag: "--oidc-request-header",
        problem: format!("the header {name:?} has characters that HTTP does not allow"),
    };
    pairs
        .iter()
        .map(|(name, value)| {
            let mut header = HeaderValue::from_str(value).map_err(|_| wrong(name))?;
            header.set_sensitive(true);
            Ok((HeaderName::try_from(name).map_err(|_| wrong(name))?, header))
        })
        .collect()
}

/// Without `offline_access` where no refresh token is wanted (OpenID Connect Core 1.0, section 11).
fn scopes(provider: &ProviderArguments) -> Scopes {
    let mut scopes = Scopes::from_flags(&provider.oidc_extra_scope);
    if provider.no_refresh_token {
        scopes.remove("offline_access");
    }
    scopes
}

fn redirect_url(text: Option<&str>) -> Result<Option<RedirectUrl>, Error> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    match Url::parse(text) {
        Ok(url) => Ok(Some(RedirectUrl { text: text.to_owned(), url })),
        Err(error) => Err(Error::Flag {
            flag: "--oidc-redirect-url",
            problem: format!(
                "{text:?} is not a URL ({error}); write it in full, like http://localhost:8000/callback"
            ),
        }),
    }
}

fn trust(tls: &TlsArguments, surroundings: &Surroundings) -> TrustOptions {
    let home = surroundings.home.as_deref();
    TrustOptions {
        files: tls.certificate_authority.iter().map(|path| expand_home(path, home)).collect(),
        data: tls.certificate_authority_data.clone(),
        skip_verify: tls.insecure_skip_tls_verify,
    }
}

fn grant(
    arguments: &AuthenticationArguments,
    redirect: Option<&RedirectUrl>,
    surroundings: &Surroundings,
) -> Result<Grant, Error> {
    let start =
        BrowserStart { skip: arguments.skip_open_browser, command: arguments.browser_command.clone() };
    let username = arguments.username.clone().filter(|name| !name.is_empty());
    let grant_type = match arguments.grant_type {
        GrantType::Auto if username.is_some() => GrantType::Password,
        GrantType::Auto if TokenExchange::is_asked_for(arguments) => GrantType::TokenExchange,
        // Who says how the browser is to come, or to come back, has chosen it.
        GrantType::Auto if names_the_browser(arguments) => GrantType::Authcode,
        chosen => chosen,
    };
    let login = |start| {
        Ok::<_, Error>(BrowserLogin {
            start,
            listen_addresses: listen_addresses(arguments, redirect),
            local_server: local_server(arguments, surroundings)?,
            success_url: arguments.open_url_after_authentication.clone().filter(|url| !url.is_empty()),
            timeout_seconds: arguments.authentication_timeout_sec,
        })
    };
    Ok(match grant_type {
        GrantType::Auto => Grant::Automatic(login(start)?),
        GrantType::Authcode => Grant::AuthorizationCode(login(start)?),
        GrantType::TokenExchange => Grant::TokenExchange(TokenExchange::from_flags(arguments, surroundings)?),
        GrantType::AuthcodeKeyboard => Grant::AuthorizationCodeByKeyboard,
        GrantType::ClientCredentials => Grant::ClientCredentials,
        GrantType::DeviceCode => {
            Grant::DeviceCode { start, timeout_seconds: arguments.authentication_timeout_sec }
        }
        GrantType::Password => Grant::Password {
            username,
            password: arguments.password.clone().filter(|password| !password.is_empty()),
        },
    })
}

fn names_the_browser(arguments: &AuthenticationArguments) -> bool {
    arguments.skip_open_browser
        || arguments.browser_command.as_ref().is_some_and(|command| !command.is_empty())
        || !arguments.listen_address.is_empty()
        || !arguments.listen_port.is_empty()
}

fn listen_addresses(arguments: &AuthenticationArguments, redirect: Option<&RedirectUrl>) -> Vec<String> {
    let ports = arguments.listen_port.iter().map(|port| format!("127.0.0.1:{port}"));
    let given: Vec<_> = arguments.listen_address.iter().cloned().chain(ports).collect();
    match redirect {
        _ if !given.is_empty() => given,
        Some(redirect) if redirect.takes_any_port() => {
            vec![format!("{}:0", redirect.url().host_str().unwrap_or("127.0.0.1"))]
        }
        _ => LISTEN_ADDRESSES.map(str::to_owned).to_vec(),
    }
}

fn local_server(
    arguments: &AuthenticationArguments,
    surroundings: &Surroundings,
) -> Result<Option<(PathBuf, PathBuf)>, Error> {
    let home = surroundings.home.as_deref();
    match (&arguments.local_server_cert, &arguments.local_server_key) {
        (Some(cert), Some(key)) => Ok(Some((expand_home(cert, home), expand_home(key, home)))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Error::Flag {
            flag: "--local-server-cert",
            problem: "it needs --local-server-key beside it".to_owned(),
        }),
        (None, Some(_)) => Err(Error::Flag {
            flag: "--local-server-key",
            problem: "it needs --local-server-cert beside it".to_owned(),
        }),
    }
}
