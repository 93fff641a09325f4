//! Signs somebody in with the crate `openidconnect`, as an application would.
//!
//! ISSUER, CLIENT_ID, REDIRECT_URI, SCOPE and CA_FILE come from the environment. It prints {"authorize": URL} and waits for
//! one line: the address that the browser came back to. Then it redeems the code, checks the ID token, asks userinfo,
//! introspects, refreshes and revokes, and prints what it has got. With `client-credentials`, CLIENT_SECRET gets a token for
//! itself. With `device` it prints {"open": URL}, and fetches its tokens after a line says that somebody has decided.

use std::error::Error;
use std::{env, fs, io};

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClaimName, CoreClaimType,
    CoreClientAuthMethod, CoreDeviceAuthorizationResponse, CoreErrorResponseType, CoreGenderClaim,
    CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
    CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreSubjectIdentifierType, CoreTokenIntrospectionResponse, CoreTokenType,
    CoreUserInfoClaims,
};
use openidconnect::reqwest::blocking::Client as Http;
use openidconnect::reqwest::{Certificate, redirect::Policy};
use openidconnect::url::Url;
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AdditionalProviderMetadata, AuthorizationCode, Client, ClientId,
    ClientSecret, CsrfToken, DeviceAuthorizationUrl, EmptyExtraTokenFields, EndpointMaybeSet, EndpointSet,
    IdTokenClaims, IdTokenFields, IntrospectionUrl, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    ProviderMetadata, RedirectUrl, RequestTokenError, RevocationUrl, Scope, StandardErrorResponse,
    StandardTokenResponse, TokenResponse,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What the discovery document says beyond what OpenID Connect Discovery 1.0 names.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct MoreMetadata {
    revocation_endpoint: RevocationUrl,
    introspection_endpoint: IntrospectionUrl,
    device_authorization_endpoint: DeviceAuthorizationUrl,
}
impl AdditionalProviderMetadata for MoreMetadata {}

type Metadata = ProviderMetadata<
    MoreMetadata,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What an ID token says beyond OpenID Connect Core.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Groups {
    groups: Vec<String>,
}
impl AdditionalClaims for Groups {}

type Fields = IdTokenFields<
    Groups,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
type Claims = IdTokenClaims<Groups, CoreGenderClaim>;
/// A client that knows the endpoints for authorization, devices, introspection, revocation, tokens and userinfo.
type Application = Client<
    Groups,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointSet,
    EndpointSet,
    EndpointSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

fn main() -> Result<()> {
    match env::args().nth(1).as_deref() {
        Some("code") => sign_in(),
        Some("client-credentials") => client_credentials(),
        Some("device") => device(),
        other => Err(format!("no such step: {other:?}").into()),
    }
}

fn variable(name: &str) -> Result<String> {
    env::var(name).map_err(|error| format!("{name}: {error}").into())
}

fn say(value: &Value) {
    println!("{value}");
}

fn next_line() -> Result<String> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

fn http() -> Result<Http> {
    let authority = Certificate::from_pem(&fs::read(variable("CA_FILE")?)?)?;
    Ok(Http::builder().redirect(Policy::none()).add_root_certificate(authority).build()?)
}

fn scopes() -> Result<impl Iterator<Item = Scope>> {
    // The library asks for `openid` by itself.
    let words: Vec<String> = variable("SCOPE")?.split(' ').map(str::to_owned).collect();
    Ok(words.into_iter().filter(|word| word != "openid").map(Scope::new))
}

fn discover(http: &Http) -> Result<Application> {
    let metadata = Metadata::discover(&IssuerUrl::new(variable("ISSUER")?)?, http)?;
    let more = metadata.additional_metadata().clone();
    let secret = env::var("CLIENT_SECRET").ok().map(ClientSecret::new);
    Ok(Client::from_provider_metadata(metadata, ClientId::new(variable("CLIENT_ID")?), secret)
        .set_revocation_url(more.revocation_endpoint)
        .set_introspection_url(more.introspection_endpoint)
        .set_device_authorization_url(more.device_authorization_endpoint))
}

/// The claims of an ID token that is for us, was made with its access token, and, at the first time, answers our request.
fn checked(application: &Application, tokens: &Tokens, nonce: Option<&Nonce>) -> Result<Claims> {
    let id_token = tokens.id_token().ok_or("no ID token")?;
    let verifier = application.id_token_verifier();
    let claims = match nonce {
        Some(nonce) => id_token.claims(&verifier, nonce)?,
        None => id_token.claims(&verifier, |_: Option<&Nonce>| Ok(()))?,
    };
    if let Some(expected) = claims.access_token_hash() {
        let (algorithm, key) = (id_token.signing_alg()?, id_token.signing_key(&verifier)?);
        if AccessTokenHash::from_token(tokens.access_token(), algorithm, key)? != *expected {
            return Err("at_hash is another access token's".into());
        }
    }
    Ok(claims.clone())
}

fn sign_in() -> Result<()> {
    let http = http()?;
    let application = discover(&http)?.set_redirect_uri(RedirectUrl::new(variable("REDIRECT_URI")?)?);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (address, state, nonce) = application
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(scopes()?)
        .set_pkce_challenge(challenge)
        .url();
    say(&json!({ "authorize": address }));
    let back = Url::parse(&next_line()?)?;
    let answer = |name: &str| {
        let pair = back.query_pairs().find(|(key, _)| key == name);
        pair.map(|(_, value)| value.into_owned()).ok_or(format!("no {name} in {back}"))
    };
    if answer("state")? != *state.secret() {
        return Err("the answer to somebody else's request".into());
    }
    let code = AuthorizationCode::new(answer("code")?);
    let tokens = application.exchange_code(code)?.set_pkce_verifier(verifier).request(&http)?;
    let claims = checked(&application, &tokens, Some(&nonce))?;
    let subject = Some(claims.subject().clone());
    let userinfo: CoreUserInfoClaims =
        application.user_info(tokens.access_token().clone(), subject)?.request(&http)?;
    let active = application.introspect(tokens.access_token()).request(&http)?;
    let first = tokens.refresh_token().ok_or("no refresh token")?;
    let refreshed = application.exchange_refresh_token(first)?.request(&http)?;
    let refreshed_claims = checked(&application, &refreshed, None)?;
    let last = refreshed.refresh_token().unwrap_or(first).clone();
    application.revoke_token(CoreRevocableToken::from(last.clone()))?.request(&http)?;
    let after_revocation = match application.exchange_refresh_token(&last)?.request(&http) {
        Ok(_) => "accepted".to_owned(),
        Err(RequestTokenError::ServerResponse(refused)) => refused.error().to_string(),
        Err(error) => return Err(error.into()),
    };
    say(&json!({
        "claims": claims,
        "userinfo": userinfo,
        "active": active,
        "refreshed": refreshed_claims,
        "after_revocation": after_revocation,
    }));
    Ok(())
}

fn client_credentials() -> Result<()> {
    let http = http()?;
    let application = discover(&http)?;
    let tokens = application.exchange_client_credentials()?.add_scopes(scopes()?).request(&http)?;
    let active = application.introspect(tokens.access_token()).request(&http)?;
    say(&json!({ "token_type": tokens.token_type(), "active": active }));
    Ok(())
}

fn device() -> Result<()> {
    let http = http()?;
    let application = discover(&http)?;
    let details: CoreDeviceAuthorizationResponse =
        application.exchange_device_code().add_scopes(scopes()?).request(&http)?;
    let link = details.verification_uri_complete().ok_or("no link with the code in it")?;
    say(&json!({ "open": link.secret() }));
    next_line()?;
    let tokens =
        application.exchange_device_access_token(&details)?.request(&http, std::thread::sleep, None)?;
    say(&json!({ "claims": checked(&application, &tokens, None)? }));
    Ok(())
}
