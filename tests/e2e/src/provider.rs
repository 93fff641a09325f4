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

use anyhow::{Context, Result, anyhow, bail, ensure};
use kubesso_token::{Algorithm, JwkSet};
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use self::keycloak::Keycloak;
use self::oidc_provider::{OidcProvider, Setup};
use crate::form::client;
use crate::kubesso::{Kubesso, email};
use crate::visitor::Visitor;
use crate::{application_key, authority};

/// The application with a secret, which both foreign providers have.
const CONFIDENTIAL: &str = "kubernetes-confidential";

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
        static OURS: OnceCell<Result<Kubesso, String>> = OnceCell::const_new();
        let kubesso =
            OURS.get_or_init(async || start_ours().await.map_err(|error| format!("{error:#}"))).await;
        let kubesso = kubesso.as_ref().map_err(|error| anyhow!("kubesso does not start: {error}"))?;
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

    /// The same provider and person, with the application that has a secret.
    #[must_use]
    pub fn with_secret(self) -> Self {
        Self { client_id: CONFIDENTIAL.to_owned(), ..self }
    }

    /// The same provider and person, with a new application that must use PKCE everywhere.
    ///
    /// # Errors
    /// It is not Keycloak, or Keycloak refuses.
    pub async fn with_strict_client(self) -> Result<Self> {
        let Server::Keycloak { server, user } = &self.server else {
            bail!("only Keycloak is asked for that")
        };
        let client_id = format!("strict-{user}");
        let attributes = json!({
            "oauth2.device.authorization.grant.enabled": "true",
            "pkce.code.challenge.method": "S256",
        });
        let client = json!({"clientId": client_id, "publicClient": true, "attributes": attributes});
        server.new_client(&client).await?;
        Ok(Self { client_id, ..self })
    }

    /// The same provider and person, with an application that proves itself by [`application_key`].
    ///
    /// # Errors
    /// It has none, or Keycloak refuses.
    pub async fn with_key(self) -> Result<Self> {
        let client_id = match &self.server {
            Server::Keycloak { server, user } => {
                let client_id = format!("key-{user}");
                let key = application_key::shared()?.public.to_string();
                let attributes = json!({
                    "use.jwks.string": "true", "jwks.string": key, "token.endpoint.auth.signing.alg": "ES256",
                });
                let client = json!({
                    "clientId": client_id, "clientAuthenticatorType": "client-jwt", "publicClient": false,
                    "redirectUris": ["http://localhost"], "attributes": attributes,
                });
                server.new_client(&client).await?;
                client_id
            }
            Server::OidcProvider(_) => "kubernetes-key".to_owned(),
            Server::Ours => bail!("no application of ours has a key"),
        };
        Ok(Self { client_id, ..self })
    }

    /// The flags of [`with_key`](Self::with_key).
    ///
    /// # Errors
    /// The file system's.
    pub fn key_flags() -> Result<[String; 2]> {
        let key = application_key::shared()?;
        Ok([
            format!("--oidc-client-assertion-key={}", key.file.display()),
            format!("--oidc-client-assertion-key-id={}", key.id),
        ])
    }

    /// The secret of [`with_secret`](Self::with_secret).
    pub fn secret_flag() -> String {
        format!("--oidc-client-secret={CONFIDENTIAL}-secret")
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
        let keys = self.endpoint("jwks_uri").await?;
        let keys = JwkSet::parse(&client.get(keys).send().await?.error_for_status()?.bytes().await?)?;
        let claims = keys.verify(token, &[Algorithm::Rs256])?.payload;
        ensure!(claims["iss"] == self.issuer.as_str(), "a token of another issuer: {claims:?}");
        Ok(claims)
    }

    /// What the provider says of the person to whom an access token was given.
    ///
    /// # Errors
    /// It does not take the token.
    pub async fn userinfo(&self, access_token: &str) -> Result<Map<String, Value>> {
        let url = self.endpoint("userinfo_endpoint").await?;
        let answer = client(&self.trusted()?)?.get(url).bearer_auth(access_token).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Revokes a refresh token, as its owner (RFC 7009).
    ///
    /// # Errors
    /// The provider refuses.
    pub async fn revoke(&self, refresh_token: &str) -> Result<()> {
        let url = self.endpoint("revocation_endpoint").await?;
        let form = [("token", refresh_token), ("client_id", &self.client_id)];
        client(&self.trusted()?)?.post(url).form(&form).send().await?.error_for_status()?;
        Ok(())
    }

    /// Whether a refresh token is still good, by using it.
    ///
    /// # Errors
    /// The provider answers something that is no answer.
    pub async fn still_refreshes(&self, refresh_token: &str) -> Result<bool> {
        let url = self.endpoint("token_endpoint").await?;
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
            ("client_id", &self.client_id),
        ];
        let answer = client(&self.trusted()?)?.post(url).form(&form).send().await?;
        let (status, answer) = (answer.status(), answer.json::<Value>().await?);
        let refused = answer["error"] == "invalid_grant";
        ensure!(status.is_success() || refused, "{status}: {answer}");
        Ok(status.is_success())
    }

    async fn endpoint(&self, name: &str) -> Result<String> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer);
        let answer = client(&self.trusted()?)?.get(url).send().await?.error_for_status()?;
        let document: Value = answer.json().await?;
        Ok(document[name].as_str().with_context(|| format!("{document} has no {name}"))?.to_owned())
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

    /// Two scopes that its application may be asked for, as upstream's tests name them where that is possible: ours
    /// gives groups without a scope of that name.
    pub fn two_scopes(&self) -> [&'static str; 2] {
        match self.server {
            Server::Ours => ["profile", "email"],
            Server::Keycloak { .. } | Server::OidcProvider(_) => ["profile", "groups"],
        }
    }

    /// Whether its answers leave the refresh token out once it has been renewed, so that the old one is to be kept.
    pub fn keeps_its_refresh_token(&self) -> bool {
        matches!(self.server, Server::OidcProvider(_))
    }

    /// Ends everything that the person has begun there, as an administrator does.
    ///
    /// # Errors
    /// The provider refuses, or has no way for it.
    pub async fn end_sessions(&self) -> Result<()> {
        match &self.server {
            Server::Keycloak { server, user } => server.end_sessions(user).await,
            Server::OidcProvider(_) | Server::Ours => bail!("no administrator is known here"),
        }
    }

    /// Where each request went so far, in order, from a provider that writes that down.
    ///
    /// # Errors
    /// It can tell, and does not.
    pub fn routes(&self) -> Result<Option<Vec<String>>> {
        let Server::OidcProvider(server) = &self.server else { return Ok(None) };
        let requests = server.requests()?.into_iter();
        Ok(Some(requests.map(|seen| seen["route"].as_str().unwrap_or_default().to_owned()).collect()))
    }

    /// The forms that were posted to a route, from a provider that writes them down.
    ///
    /// # Errors
    /// It can tell, and does not.
    pub fn forms_to(&self, route: &str) -> Result<Option<Vec<Value>>> {
        let Server::OidcProvider(server) = &self.server else { return Ok(None) };
        let requests = server.requests()?.into_iter().filter(|seen| seen["route"] == route);
        Ok(Some(requests.map(|mut seen| seen["form"].take()).collect()))
    }

    /// The authorities of the provider and of the plugin's own TLS server, PEM.
    fn trusted(&self) -> Result<String> {
        let ours = &authority::shared()?.certificate_pem;
        let provider = self.ca.as_deref().map(read).transpose()?;
        Ok(provider.filter(|pem| pem != ours).map_or(ours.clone(), |pem| format!("{pem}\n{ours}")))
    }
}

async fn start_ours() -> Result<Kubesso> {
    let kubesso = Kubesso::up().await?;
    kubesso.allow_password_grant().await?;
    Ok(kubesso)
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
