//! The body of an application: read, checked, and turned into the directory's own form.
//!
//! What decides something here has its own place in [`Application`]; the rest is kept as it was sent and shown again
//! (`other`). A setting that would promise something that is not done is refused.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use kubesso_directory::{
    Application, ApplicationType, BackchannelLogout, CertificateSubject, ClaimName, ClientId, ClientKeys,
    ConsentMethod, GrantType, Label, RedirectUri, RefreshRotation, ResponseType, parse_client_address,
    parse_request_uri,
};
use kubesso_token::{Algorithm, JwkSet, JwkSetError};
use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::fields::Fields;

/// By which word a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    None,
    ClientSecretBasic,
    ClientSecretPost,
    PrivateKeyJwt,
    SelfSignedTls,
    Tls,
}

/// How a client proves who it is, with what is needed for it but secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    None,
    ClientSecretBasic,
    ClientSecretPost,
    PrivateKeyJwt(ClientKeys),
    SelfSignedTls(ClientKeys),
    Tls(CertificateSubject),
}

/// An application as somebody wants it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) label: Label,
    pub(super) client_id: Option<ClientId>,
    pub(super) client_secret: Option<String>,
    pub(super) proof: Proof,
    pub(super) application_type: ApplicationType,
    pub(super) pkce_required: bool,
    pub(super) grant_types: BTreeSet<GrantType>,
    pub(super) response_types: BTreeSet<ResponseType>,
    pub(super) redirect_uris: Vec<RedirectUri>,
    pub(super) post_logout_redirect_uris: Vec<RedirectUri>,
    pub(super) refresh_rotation: RefreshRotation,
    pub(super) other: Map<String, Value>,
}

/// So many addresses of requests a client can have.
const MOST_REQUEST_URIS: usize = 20;

/// The grants that the provider gives tokens for.
const OFFERED: [GrantType; 6] = [
    GrantType::AuthorizationCode,
    GrantType::ClientCredentials,
    GrantType::DeviceCode,
    GrantType::Password,
    GrantType::RefreshToken,
    GrantType::TokenExchange,
];

impl Wanted {
    /// Reads a body.
    pub(super) fn read(body: Map<String, Value>) -> Result<Self, ApiError> {
        let mut body = Fields::of_body(body);
        let name = body.text("name")?;
        let sign_on_mode = body.text("signOnMode")?;
        if name.as_deref().is_some_and(|name| name != "oidc_client")
            || sign_on_mode.as_deref().is_some_and(|mode| mode != "OPENID_CONNECT")
        {
            return Err(ApiError::unsupported(
                "Only applications of OpenID Connect are offered: name oidc_client, signOnMode OPENID_CONNECT",
            ));
        }
        let label = body.required("label", Label::parse)?;
        let mut credentials = body.object("credentials")?;
        let mut client = credentials.object("oauthClient")?;
        let mut settings = body.required_object("settings")?;
        let mut oauth = settings.required_object("oauthClient")?;
        refuse_what_is_not_done(&mut settings, &mut oauth)?;

        let application_type =
            oauth.word("application_type", "browser, native, service or web", |word| match word {
                "browser" => Some(ApplicationType::Browser),
                "native" => Some(ApplicationType::Native),
                "service" => Some(ApplicationType::Service),
                "web" => Some(ApplicationType::Web),
                _ => None,
            })?;
        let application_type = application_type.unwrap_or(ApplicationType::Web);
        let grant_types = grant_types(&mut oauth, application_type)?;
        let response_types = response_types(&mut oauth, &grant_types)?;
        let uris = |oauth: &mut Fields, name: &str| {
            oauth.all_parsed(name, RedirectUri::parse).map(Option::unwrap_or_default)
        };
        let redirect_uris = uris(&mut oauth, "redirect_uris")?;
        let post_logout_redirect_uris = uris(&mut oauth, "post_logout_redirect_uris")?;
        if grant_types.contains(&GrantType::AuthorizationCode) && redirect_uris.is_empty() {
            return Err(oauth.refuse("redirect_uris", "the grant authorization_code needs at least one"));
        }
        let (refresh_rotation, leeway_without_effect) = refresh_rotation(&mut oauth)?;
        let keys = keys(&mut oauth)?;
        let method = method(&mut client, application_type)?;
        let certificate_bound = oauth.boolean("tls_client_certificate_bound_access_tokens")?.unwrap_or(false);
        let (proof, other_keys) = proof(method, keys, &mut oauth)?;
        let request_uris = oauth
            .all_parsed("request_uris", |uri| parse_request_uri(uri).map(|_| uri.to_owned()))?
            .unwrap_or_default();
        if request_uris.len() > MOST_REQUEST_URIS {
            return Err(oauth.refuse("request_uris", "name at most 20"));
        }
        let algorithm = oauth.word(
            "id_token_signed_response_alg",
            "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or ES512",
            |word| word.parse::<Algorithm>().ok(),
        )?;
        let id_token_claims =
            oauth.all_parsed("id_token_claims", |name| ClaimName::parse(name).map(|_| name.to_owned()))?;
        let dpop = oauth.boolean("dpop_bound_access_tokens")?.unwrap_or(false);
        let pushed = oauth.boolean("require_pushed_authorization_requests")?.unwrap_or(false);
        let consent_method = oauth.word("consent_method", "TRUSTED or REQUIRED", ConsentMethod::parse)?;
        let backchannel_logout = backchannel_logout(&mut oauth)?;
        let client_id = client.parsed("client_id", client_id)?;
        let client_secret = client.parsed("client_secret", client_secret)?;
        let pkce_required = client
            .boolean("pkce_required")?
            .unwrap_or(application_type != ApplicationType::Web || method == Method::None);
        let auto_key_rotation = client.boolean("autoKeyRotation")?.unwrap_or(true);

        let mut oauth_rest = oauth.rest();
        oauth_rest.extend(backchannel_logout);
        if !request_uris.is_empty() {
            oauth_rest.insert("request_uris".to_owned(), request_uris.into());
        }
        // Of a client that proves itself in another way, to check the requests that it signs.
        match other_keys {
            Some(ClientKeys::Inline(set)) => drop(oauth_rest.insert("jwks".to_owned(), set)),
            Some(ClientKeys::At(uri)) => drop(oauth_rest.insert("jwks_uri".to_owned(), uri.as_str().into())),
            None => {}
        }
        if let Some(algorithm) = algorithm {
            oauth_rest.insert("id_token_signed_response_alg".to_owned(), algorithm.as_str().into());
        }
        if let Some(names) = id_token_claims {
            oauth_rest.insert("id_token_claims".to_owned(), names.into());
        }
        oauth_rest.insert("consent_method".to_owned(), consent_method.unwrap_or_default().as_str().into());
        oauth_rest.insert("dpop_bound_access_tokens".to_owned(), dpop.into());
        if pushed {
            oauth_rest.insert("require_pushed_authorization_requests".to_owned(), true.into());
        }
        if certificate_bound {
            oauth_rest.insert("tls_client_certificate_bound_access_tokens".to_owned(), true.into());
        }
        if let Some(leeway) = leeway_without_effect.filter(|_| grant_types.contains(&GrantType::RefreshToken))
        {
            oauth_rest.insert("refresh_token".to_owned(), json!({ "leeway": leeway }));
        }
        let mut other = Map::new();
        other.insert("accessibility".to_owned(), body.object("accessibility")?.rest().into());
        other.insert("visibility".to_owned(), body.object("visibility")?.rest().into());
        other.insert("profile".to_owned(), body.object("profile")?.rest().into());
        other.insert("userNameTemplate".to_owned(), credentials.object("userNameTemplate")?.rest().into());
        other.insert("autoKeyRotation".to_owned(), auto_key_rotation.into());
        other.insert("settings".to_owned(), settings.rest().into());
        other.insert("oauthClient".to_owned(), oauth_rest.into());
        Ok(Self {
            label,
            client_id,
            client_secret,
            proof,
            application_type,
            pkce_required,
            grant_types,
            response_types,
            redirect_uris,
            post_logout_redirect_uris,
            refresh_rotation,
            other,
        })
    }
}

/// What an application's `other` says at a path.
pub(crate) fn kept<'a>(application: &'a Application, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(application.other.get(*first)?, |value, name| value.get(name))
}

/// Settings that would promise what is not done.
fn refuse_what_is_not_done(settings: &mut Fields, oauth: &mut Fields) -> Result<(), ApiError> {
    if settings.boolean("implicitAssignment")?.unwrap_or(false) {
        return Err(ApiError::unsupported(
            "implicitAssignment is not offered: assign the application to the group Everyone",
        ));
    }
    let wildcard = oauth.text("wildcard_redirect")?.unwrap_or_else(|| "DISABLED".to_owned());
    if wildcard != "DISABLED" {
        return Err(ApiError::unsupported(
            "wildcard_redirect is not offered: redirect URIs are compared exactly (RFC 9700 §2.1); list each of them",
        ));
    }
    let login = oauth.value("idp_initiated_login");
    let mode = login.as_ref().and_then(|login| login.get("mode")).and_then(Value::as_str);
    if mode.is_some_and(|mode| mode != "DISABLED") {
        return Err(ApiError::unsupported(
            "idp_initiated_login is not offered: sign-in begins at the application",
        ));
    }
    if oauth.boolean("participate_slo")?.unwrap_or(false) {
        return Err(ApiError::unsupported(
            "participate_slo is not offered: set backchannel_logout_uri, at which the application is told of a logout",
        ));
    }
    let network = oauth.value("network");
    let connection = network.as_ref().and_then(|network| network.get("connection")).and_then(Value::as_str);
    if connection.is_some_and(|connection| connection != "ANYWHERE") {
        return Err(ApiError::unsupported("network restrictions are not offered: use connection ANYWHERE"));
    }
    Ok(())
}

fn grant_types(
    oauth: &mut Fields,
    application_type: ApplicationType,
) -> Result<BTreeSet<GrantType>, ApiError> {
    let known = |text: &str| GrantType::parse(text).ok_or_else(|| format!("`{text}` is no grant type"));
    let given = oauth.all_parsed("grant_types", known)?.unwrap_or_else(|| {
        let default = match application_type {
            ApplicationType::Service => GrantType::ClientCredentials,
            _ => GrantType::AuthorizationCode,
        };
        vec![default]
    });
    if given.is_empty() {
        return Err(oauth.refuse("grant_types", "name at least one"));
    }
    if let Some(not_offered) = given.iter().find(|grant| !OFFERED.contains(grant)) {
        return Err(ApiError::unsupported(format!(
            "The grant {} is not offered: use authorization_code (with PKCE), refresh_token, client_credentials, password, \
             urn:ietf:params:oauth:grant-type:device_code or urn:ietf:params:oauth:grant-type:token-exchange",
            not_offered.as_str()
        )));
    }
    let is_allowed = |grant: &GrantType| match application_type {
        ApplicationType::Service => {
            matches!(grant, GrantType::ClientCredentials | GrantType::TokenExchange)
        }
        ApplicationType::Browser => {
            matches!(grant, GrantType::AuthorizationCode | GrantType::RefreshToken)
        }
        ApplicationType::Native => *grant != GrantType::ClientCredentials,
        ApplicationType::Web => true,
    };
    if let Some(wrong) = given.iter().find(|grant| !is_allowed(grant)) {
        let cause = format!("an application of this type cannot use the grant {}", wrong.as_str());
        return Err(oauth.refuse("grant_types", cause));
    }
    let given: BTreeSet<_> = given.into_iter().collect();
    if given.iter().all(|grant| *grant == GrantType::RefreshToken) {
        return Err(
            oauth.refuse("grant_types", "refresh_token needs another grant that gives the first tokens")
        );
    }
    Ok(given)
}

fn response_types(
    oauth: &mut Fields,
    grants: &BTreeSet<GrantType>,
) -> Result<BTreeSet<ResponseType>, ApiError> {
    let known = |text: &str| match text {
        "code" => Ok(ResponseType::Code),
        "id_token" => Ok(ResponseType::IdToken),
        "token" => Ok(ResponseType::Token),
        _ => Err(format!("`{text}` is not known: use code")),
    };
    let uses_code = grants.contains(&GrantType::AuthorizationCode);
    let given = oauth.all_parsed("response_types", known)?;
    let given: BTreeSet<_> = match given {
        Some(given) => given.into_iter().collect(),
        None if uses_code => [ResponseType::Code].into(),
        None => BTreeSet::new(),
    };
    if uses_code && !given.contains(&ResponseType::Code) {
        return Err(
            oauth.refuse("response_types", "the grant authorization_code needs the response type code")
        );
    }
    let implicit = |one: &ResponseType| matches!(one, ResponseType::IdToken | ResponseType::Token);
    // Okta takes `token` for client_credentials, where there is no authorization endpoint to answer.
    if given.iter().any(implicit) && !grants.contains(&GrantType::ClientCredentials) {
        return Err(ApiError::unsupported(
            "The implicit flow is not offered (RFC 9700 §2.1.2): use the response type code",
        ));
    }
    Ok(given)
}

/// How refresh tokens rotate; and the leeway, which without rotation has no effect and is shown again as it came.
fn refresh_rotation(oauth: &mut Fields) -> Result<(RefreshRotation, Option<u32>), ApiError> {
    if !oauth.has("refresh_token") {
        return Ok((RefreshRotation::default(), None));
    }
    let mut refresh = oauth.object("refresh_token")?;
    let leeway = refresh.number("leeway")?.unwrap_or(30);
    if leeway > 60 {
        return Err(refresh.refuse("leeway", "use 0 to 60 seconds"));
    }
    let rotates = refresh.word("rotation_type", "ROTATE or STATIC", |word| match word {
        "ROTATE" => Some(true),
        "STATIC" => Some(false),
        _ => None,
    })?;
    Ok(match rotates {
        Some(false) => (RefreshRotation::Static, Some(leeway)),
        None | Some(true) => {
            (RefreshRotation::Rotate { leeway: SignedDuration::from_secs(i64::from(leeway)) }, None)
        }
    })
}

/// Where the client is told of a logout (OpenID Connect Back-Channel Logout 1.0 §2.2), as it is kept.
fn backchannel_logout(oauth: &mut Fields) -> Result<Map<String, Value>, ApiError> {
    let uri = oauth.text("backchannel_logout_uri")?.filter(|uri| !uri.is_empty());
    let session_required = oauth.boolean("backchannel_logout_session_required")?;
    let mut kept = Map::new();
    if let Some(uri) = uri {
        BackchannelLogout::parse_uri(&uri).map_err(|cause| oauth.refuse("backchannel_logout_uri", cause))?;
        kept.insert("backchannel_logout_uri".to_owned(), uri.into());
    }
    if let Some(required) = session_required {
        kept.insert("backchannel_logout_session_required".to_owned(), required.into());
    }
    Ok(kept)
}

fn keys(oauth: &mut Fields) -> Result<Option<ClientKeys>, ApiError> {
    let uri = oauth.text("jwks_uri")?.filter(|uri| !uri.is_empty());
    let set = oauth.value("jwks");
    let count = set.as_ref().map(|set| set.get("keys").and_then(Value::as_array).map(Vec::len));
    match (uri, set.zip(count)) {
        (None, None | Some((_, Some(0)))) => Ok(None),
        (Some(uri), None | Some((_, Some(0)))) => parse_client_address(&uri)
            .map(|uri| Some(ClientKeys::At(uri)))
            .map_err(|cause| oauth.refuse("jwks_uri", cause)),
        // RFC 7591 §2.
        (Some(_), Some(_)) => Err(oauth.refuse("jwks_uri", "use either jwks or jwks_uri")),
        (None, Some((_, None))) => Err(oauth.refuse("jwks", "use an object with the list keys")),
        (None, Some((set, Some(_)))) => check_keys(set)
            .map(|set| Some(ClientKeys::Inline(set)))
            .map_err(|cause| oauth.refuse("jwks", cause)),
    }
}

/// What belongs to `method`; and the keys that it does not need, by which the requests that the client signs are checked.
fn proof(
    method: Method,
    keys: Option<ClientKeys>,
    oauth: &mut Fields,
) -> Result<(Proof, Option<ClientKeys>), ApiError> {
    let subject = certificate_subject(oauth)?;
    let is_by_keys = matches!(method, Method::PrivateKeyJwt | Method::SelfSignedTls);
    match (method, keys, subject) {
        (Method::None, keys, None) => Ok((Proof::None, keys)),
        (Method::ClientSecretBasic, keys, None) => Ok((Proof::ClientSecretBasic, keys)),
        (Method::ClientSecretPost, keys, None) => Ok((Proof::ClientSecretPost, keys)),
        (Method::PrivateKeyJwt, Some(keys), None) => Ok((Proof::PrivateKeyJwt(keys), None)),
        (Method::SelfSignedTls, Some(keys), None) => Ok((Proof::SelfSignedTls(keys), None)),
        (Method::Tls, keys, Some(subject)) => Ok((Proof::Tls(subject), keys)),
        (_, None, None) if is_by_keys => {
            let cause = "this token_endpoint_auth_method needs the client's public keys, or their jwks_uri";
            Err(oauth.refuse("jwks", cause))
        }
        _ => {
            let cause = "tls_client_auth needs the one name of the certificate, and no other method takes one: \
                         tls_client_auth_subject_dn, _san_dns, _san_uri, _san_ip or _san_email";
            Err(oauth.refuse("tls_client_auth_subject_dn", cause))
        }
    }
}

/// By which name of its certificate the client is known (RFC 8705 §2.1.2).
fn certificate_subject(oauth: &mut Fields) -> Result<Option<CertificateSubject>, ApiError> {
    let mut found = None;
    for member in CertificateSubject::MEMBERS {
        let Some(text) = oauth.text(member)?.filter(|text| !text.is_empty()) else { continue };
        if found.is_some() {
            return Err(oauth.refuse(member, "use one of the names alone (RFC 8705 §2.1.2)"));
        }
        found = Some(CertificateSubject::parse(member, &text).map_err(|cause| oauth.refuse(member, cause))?);
    }
    Ok(found)
}

/// Checks a set of public keys. A private one is refused, and not said.
pub(super) fn check_keys(set: Value) -> Result<Value, JwkSetError> {
    JwkSet::of_client(&set)?;
    Ok(set)
}

fn method(client: &mut Fields, application_type: ApplicationType) -> Result<Method, ApiError> {
    let known = "none, client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth or \
                 self_signed_tls_client_auth";
    let given = client.word("token_endpoint_auth_method", known, |word| match word {
        "none" => Some(Method::None),
        "client_secret_basic" => Some(Method::ClientSecretBasic),
        "client_secret_post" => Some(Method::ClientSecretPost),
        "private_key_jwt" => Some(Method::PrivateKeyJwt),
        "self_signed_tls_client_auth" => Some(Method::SelfSignedTls),
        "tls_client_auth" => Some(Method::Tls),
        _ => None,
    })?;
    let method = given.unwrap_or(match application_type {
        ApplicationType::Browser | ApplicationType::Native => Method::None,
        ApplicationType::Service | ApplicationType::Web => Method::ClientSecretBasic,
    });
    let refuse = |cause: &str| Err(client.refuse("token_endpoint_auth_method", cause));
    match application_type {
        ApplicationType::Browser if method != Method::None => {
            refuse("a browser application can keep no secret: use none")
        }
        ApplicationType::Service if method == Method::None => {
            refuse("a service must prove who it is: not none")
        }
        _ => Ok(method),
    }
}

fn client_id(text: &str) -> Result<ClientId, String> {
    if !(6..=100).contains(&text.len()) {
        return Err("use 6 to 100 characters".to_owned());
    }
    ClientId::parse(text).map_err(|error| error.to_string())
}

pub(super) fn client_secret(text: &str) -> Result<String, &'static str> {
    let is_good = (14..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_good { Ok(text.to_owned()) } else { Err("use 14 to 100 printable ASCII characters") }
}
