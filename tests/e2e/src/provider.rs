//! A provider that the plugin is tried against: ours, and two that we did not write.
//!
//! | constructor | what it is | its life |
//! |---|---|---|
//! | [`Provider::ours`] | `kubesso up`; always TLS | one for the test process |
//! | [`Provider::keycloak`] | Keycloak, by TLS or plain HTTP | one for the test process, a person for each test |
//! | [`Provider::oidc_provider`] | the certified `oidc-provider` | one for each test |

pub mod keycloak;
pub mod oidc_provider;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use kubesso_token::{Algorithm, JwkSet};
use serde_json::{Map, Value};
use tokio::sync::OnceCell;

use self::keycloak::Keycloak;
use self::oidc_provider::{OidcProvider, Setup};
use crate::authority;
use crate::form::client;
use crate::kubesso::{Kubesso, email};
use crate::visitor::Visitor;

/// By TLS with our authority, or in the clear on loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `http://localhost`.
    Plain,
    /// `https://localhost`.
    Tls,
}

/// A provider, and somebody who can sign in to its application `client_id`.
#[derive(Debug)]
pub struct Provider {
    /// The issuer.
    pub issuer: String,
    /// A public application for command lines.
    pub client_id: String,
    /// The authority of its certificate; none for plain HTTP.
    pub ca: Option<PathBuf>,
    /// What the person types as a name.
    pub login: String,
    /// What the person types as a password.
    pub password: String,
    server: Server,
}

#[derive(Debug)]
enum Server {
    Keycloak { server: &'static Keycloak, user: String },
    OidcProvider(OidcProvider),
    Ours,
}

/// What a provider says it was asked at the token endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRequest {
    /// `grant_type`.
    pub grant: String,
    /// The scopes; as asked for, or as granted where the provider tells only that.
    pub scope: Option<String>,
    /// The refresh token, by the name that [`Provider::name_of`] gives it.
    pub refresh_token: Option<String>,
    /// Whether it was answered with tokens.
    pub granted: bool,
}

impl Provider {
    /// `kubesso up`, with `dev` and the password grant.
    ///
    /// # Errors
    /// It does not start.
    pub async fn ours() -> Result<Self> {
        static OURS: OnceCell<Kubesso> = OnceCell::const_new();
        let kubesso = OURS
            .get_or_try_init(async || {
                let kubesso = Kubesso::up().await?;
                kubesso.allow_password_grant().await?;
                anyhow::Ok(kubesso)
            })
            .await?;
        Ok(Self {
            issuer: kubesso.ready.issuer.clone(),
            client_id: kubesso.ready.client_id.clone(),
            ca: Some(kubesso.ready.ca.clone()),
            login: email("dev"),
            password: kubesso.password("dev")?,
            server: Server::Ours,
        })
    }

    /// Keycloak, with a new person.
    ///
    /// # Errors
    /// It does not start, or does not take the person.
    pub async fn keycloak(transport: Transport) -> Result<Self> {
        let server = Keycloak::shared().await?;
        let person = server.new_person().await?;
        Ok(Self {
            issuer: server.issuer(transport),
            client_id: "kubernetes".to_owned(),
            ca: authority_of(transport)?,
            login: person.name,
            password: person.password,
            server: Server::Keycloak { server, user: person.id },
        })
    }

    /// oidc-provider, with one person.
    ///
    /// # Errors
    /// It does not start.
    pub async fn oidc_provider(setup: Setup) -> Result<Self> {
        let server = OidcProvider::start(setup).await?;
        Ok(Self {
            issuer: server.issuer.clone(),
            client_id: "kubernetes".to_owned(),
            ca: authority_of(setup.transport)?,
            login: oidc_provider::PERSON.to_owned(),
            password: oidc_provider::PASSWORD.to_owned(),
            server: Server::OidcProvider(server),
        })
    }

    /// The flags that name the provider, its application and its authority.
    pub fn flags(&self) -> Vec<String> {
        let ca = self.ca.iter().map(|file| format!("--certificate-authority={}", file.display()));
        self.flags_without_trust().into_iter().chain(ca).collect()
    }

    /// The flags that name the provider and its application.
    pub fn flags_without_trust(&self) -> Vec<String> {
        vec![format!("--oidc-issuer-url={}", self.issuer), format!("--oidc-client-id={}", self.client_id)]
    }

    /// The person, at a browser.
    ///
    /// # Errors
    /// The authority's file is gone.
    pub fn visitor(&self) -> Result<Visitor> {
        Visitor::new(&self.trusted()?, &self.login, &self.password)
    }

    /// The claims of a token that this provider has signed for the application and the person is in.
    ///
    /// # Errors
    /// It has not.
    pub async fn verified_claims(&self, token: &str) -> Result<Map<String, Value>> {
        let client = client(&self.trusted()?)?;
        let document = format!("{}/.well-known/openid-configuration", self.issuer);
        let document: Value = client.get(document).send().await?.error_for_status()?.json().await?;
        let keys = document["jwks_uri"].as_str().context("no jwks_uri")?;
        let keys = JwkSet::parse(&client.get(keys).send().await?.error_for_status()?.bytes().await?)?;
        let claims = keys.verify(token, &[Algorithm::Rs256])?.payload;
        ensure!(claims["iss"] == self.issuer.as_str(), "a token of another issuer: {claims:?}");
        Ok(claims)
    }

    /// What was asked at the token endpoint for this person, in order; `None` from a provider that does not tell.
    ///
    /// # Errors
    /// It can tell, and does not.
    pub async fn token_requests(&self) -> Result<Option<Vec<TokenRequest>>> {
        match &self.server {
            Server::Keycloak { server, user } => server.token_requests(user).await.map(Some),
            Server::OidcProvider(server) => server.token_requests().map(Some),
            Server::Ours => Ok(None),
        }
    }

    /// How [`TokenRequest`] names a refresh token.
    ///
    /// # Errors
    /// It is none of this provider's.
    pub fn name_of(&self, refresh_token: &str) -> Result<String> {
        match self.server {
            // It logs only their identifiers.
            Server::Keycloak { .. } => {
                let claims = crate::forge::claims(refresh_token)?;
                Ok(claims["jti"].as_str().context("a refresh token without jti")?.to_owned())
            }
            Server::OidcProvider(_) | Server::Ours => Ok(refresh_token.to_owned()),
        }
    }

    /// Whether its answers leave the refresh token out once it has been renewed, so that the old one is to be kept.
    pub fn keeps_its_refresh_token(&self) -> bool {
        matches!(self.server, Server::OidcProvider(_))
    }

    /// Ends everything that the person has begun there, as an administrator does; `None` where a test cannot.
    ///
    /// # Errors
    /// The provider refuses.
    pub async fn end_sessions(&self) -> Result<Option<()>> {
        match &self.server {
            Server::Keycloak { server, user } => server.end_sessions(user).await.map(Some),
            Server::OidcProvider(_) | Server::Ours => Ok(None),
        }
    }

    /// The authorities of the provider and of the plugin's own TLS server, PEM.
    fn trusted(&self) -> Result<String> {
        let ours = &authority::shared()?.certificate_pem;
        let provider = self.ca.as_deref().map(read).transpose()?;
        Ok(provider.filter(|pem| pem != ours).map_or(ours.clone(), |pem| format!("{pem}\n{ours}")))
    }
}

fn authority_of(transport: Transport) -> Result<Option<PathBuf>> {
    match transport {
        Transport::Plain => Ok(None),
        Transport::Tls => Ok(Some(authority::shared()?.file.clone())),
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}
