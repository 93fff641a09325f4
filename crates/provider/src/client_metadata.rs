//! What a client says of itself when it registers (RFC 7591 §2, OpenID Connect Dynamic Registration 1.0 §2), read and
//! checked. What is not known is ignored; what would promise something that is not done is refused.

use std::collections::BTreeSet;

use kubesso_directory::{
    Application, ApplicationType, BackchannelLogout, CertificateSubject, ClientAuthentication, ClientKeys,
    ClientSecret, ConsentMethod, GrantType, Label, RedirectUri, ResponseType, parse_client_address,
    parse_request_uri,
};
use kubesso_token::{Algorithm, JwkSet};
use serde_json::{Map, Value, json};
use url::Url;

use crate::oauth_error::{ErrorCode, OAuthError};

/// The grants that a client can register for. The others give tokens without a person who is assigned, or to whoever has
/// somebody's password or token: administrators decide about them.
const GRANTS: [GrantType; 3] = [GrantType::AuthorizationCode, GrantType::DeviceCode, GrantType::RefreshToken];

/// Entries of a list.
const MOST: usize = 20;
/// Bytes of a text.
const LONGEST: usize = 2048;

/// What would change how the client is treated, and does not.
const NOT_DONE: [&str; 14] = [
    "authorization_encrypted_response_alg",
    "authorization_signed_response_alg",
    "default_acr_values",
    "default_max_age",
    "frontchannel_logout_uri",
    "id_token_encrypted_response_alg",
    "id_token_encrypted_response_enc",
    "introspection_signed_response_alg",
    "request_object_encryption_alg",
    "request_object_encryption_enc",
    "sector_identifier_uri",
    "userinfo_encrypted_response_alg",
    "userinfo_encrypted_response_enc",
    "userinfo_signed_response_alg",
];

/// How the client will prove who it is, with what is needed for it but secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Proof {
    None,
    ClientSecretBasic,
    ClientSecretPost,
    PrivateKeyJwt(ClientKeys),
    SelfSignedTls(ClientKeys),
    Tls(CertificateSubject),
}

/// What a client says of itself.
#[derive(Clone, Debug)]
pub(crate) struct ClientMetadata {
    label: Label,
    application_type: ApplicationType,
    proof: Proof,
    grant_types: BTreeSet<GrantType>,
    response_types: BTreeSet<ResponseType>,
    redirect_uris: Vec<RedirectUri>,
    post_logout_redirect_uris: Vec<RedirectUri>,
    /// What is kept as it came.
    settings: Map<String, Value>,
}

fn invalid(description: impl AsRef<str>) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClientMetadata, description)
}

/// The members, of which `null` counts as left out (RFC 7591 §2.2 of RFC 7592).
struct Members<'a>(&'a Map<String, Value>);

impl<'a> Members<'a> {
    fn value(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Result<Option<&'a str>, OAuthError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= LONGEST => Ok(Some(text)),
            Some(_) => Err(invalid(format!("{name} must be a text of at most {LONGEST} bytes."))),
        }
    }

    fn flag(&self, name: &str) -> Result<bool, OAuthError> {
        match self.value(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(invalid(format!("{name} must be true or false."))),
        }
    }

    fn texts(&self, name: &str) -> Result<Option<Vec<&'a str>>, OAuthError> {
        let wrong = || invalid(format!("{name} must be a list of at most {MOST} texts."));
        match self.value(name) {
            None => Ok(None),
            Some(Value::Array(listed)) if listed.len() <= MOST => {
                let text =
                    |one: &'a Value| one.as_str().filter(|text| text.len() <= LONGEST).ok_or_else(wrong);
                listed.iter().map(text).collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Err(wrong()),
        }
    }

    fn redirect_uris(&self, name: &str) -> Result<Vec<RedirectUri>, OAuthError> {
        let refused = |error: &dyn std::fmt::Display| {
            OAuthError::new(ErrorCode::InvalidRedirectUri, format!("{name}: {error}."))
        };
        let texts = self.texts(name)?.unwrap_or_default();
        texts.into_iter().map(|text| RedirectUri::parse(text).map_err(|error| refused(&error))).collect()
    }
}

impl ClientMetadata {
    /// Reads the metadata of a client of a server that signs ID tokens with `algorithm`.
    ///
    /// # Errors
    /// `invalid_client_metadata` or `invalid_redirect_uri` (RFC 7591 §3.2.2): the first that is wrong.
    pub(crate) fn read(members: &Map<String, Value>, algorithm: &str) -> Result<Self, OAuthError> {
        let members = Members(members);
        if let Some(name) = NOT_DONE.into_iter().find(|name| members.value(name).is_some()) {
            return Err(invalid(format!("{name} is not supported.")));
        }
        if members.flag("require_signed_request_object")? {
            return Err(invalid("Signed requests cannot be required of a single client."));
        }
        check_algorithms(&members, algorithm)?;
        let grant_types = grant_types(&members)?;
        let response_types = response_types(&members, &grant_types)?;
        let (proof, mut settings) = proof(&members)?;
        let redirect_uris = members.redirect_uris("redirect_uris")?;
        if redirect_uris.is_empty() && grant_types.contains(&GrantType::AuthorizationCode) {
            let description = "redirect_uris is missing: the grant authorization_code needs at least one.";
            return Err(OAuthError::new(ErrorCode::InvalidRedirectUri, description));
        }
        let application_type = application_type(&members, &proof, &grant_types, &redirect_uris)?;
        let label = match members.text("client_name")?.filter(|name| !name.trim().is_empty()) {
            Some(name) => Label::parse(name).map_err(|error| invalid(format!("client_name: {error}.")))?,
            None => Label::parse("Registered client").map_err(|error| invalid(error.to_string()))?,
        };
        settings.extend(shown(&members)?);
        settings.extend(calls(&members)?);
        let flags = [
            "dpop_bound_access_tokens",
            "require_pushed_authorization_requests",
            "tls_client_certificate_bound_access_tokens",
        ];
        for name in flags {
            if members.flag(name)? {
                settings.insert(name.to_owned(), true.into());
            }
        }
        Ok(Self {
            label,
            application_type,
            proof,
            grant_types,
            response_types,
            redirect_uris,
            post_logout_redirect_uris: members.redirect_uris("post_logout_redirect_uris")?,
            settings,
        })
    }

    /// `application` as the metadata wants it. What administrators decided stays: whether people are asked for consent, that
    /// PKCE is needed, what else they granted.
    pub(crate) fn applied_to(
        self,
        application: &Application,
        secret: impl FnOnce() -> ClientSecret,
    ) -> Application {
        let consent = application.client_setting("consent_method").cloned();
        let mut settings = self.settings;
        settings.insert(
            "consent_method".to_owned(),
            consent.unwrap_or_else(|| ConsentMethod::Required.as_str().into()),
        );
        let secrets = || match application.authentication.secrets() {
            [] => vec![secret()],
            kept => kept.to_vec(),
        };
        let mut other = application.other.clone();
        other.insert("oauthClient".to_owned(), settings.into());
        Application {
            label: self.label,
            application_type: self.application_type,
            authentication: match self.proof {
                Proof::None => ClientAuthentication::None,
                Proof::ClientSecretBasic => ClientAuthentication::ClientSecretBasic(secrets()),
                Proof::ClientSecretPost => ClientAuthentication::ClientSecretPost(secrets()),
                Proof::PrivateKeyJwt(keys) => ClientAuthentication::PrivateKeyJwt(keys),
                Proof::SelfSignedTls(keys) => ClientAuthentication::SelfSignedTls(keys),
                Proof::Tls(subject) => ClientAuthentication::Tls(subject),
            },
            grant_types: self.grant_types,
            response_types: self.response_types,
            redirect_uris: self.redirect_uris,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            other,
            ..application.clone()
        }
    }
}

/// What is registered for `application`, as its metadata (RFC 7591 §3.2.1).
pub(crate) fn metadata_of(application: &Application) -> Map<String, Value> {
    let mut metadata = Map::new();
    let mut put = |name: &str, value: Value| drop(metadata.insert(name.to_owned(), value));
    put("client_id", application.client_id.as_str().into());
    put("client_name", application.label.as_str().into());
    put("client_id_issued_at", application.created.as_second().into());
    let is_native = application.application_type == ApplicationType::Native;
    put("application_type", if is_native { "native" } else { "web" }.into());
    put("token_endpoint_auth_method", application.authentication.method().into());
    put("grant_types", application.grant_types.iter().map(|grant| grant.as_str()).collect());
    put("response_types", json!(application.response_types));
    put("redirect_uris", json!(application.redirect_uris));
    put("post_logout_redirect_uris", json!(application.post_logout_redirect_uris));
    put("subject_type", "public".into());
    match application.keys() {
        Some(ClientKeys::Inline(set)) => put("jwks", set),
        Some(ClientKeys::At(uri)) => put("jwks_uri", uri.as_str().into()),
        None => {}
    }
    if let ClientAuthentication::Tls(subject) = &application.authentication {
        let (member, text) = subject.member();
        put(member, text.into());
    }
    let kept = [
        "backchannel_logout_session_required",
        "backchannel_logout_uri",
        "client_uri",
        "contacts",
        "dpop_bound_access_tokens",
        "logo_uri",
        "policy_uri",
        "request_uris",
        "require_pushed_authorization_requests",
        "software_id",
        "software_version",
        "tls_client_certificate_bound_access_tokens",
        "tos_uri",
    ];
    for name in kept {
        if let Some(value) = application.client_setting(name) {
            put(name, value.clone());
        }
    }
    metadata
}

/// Algorithms are those of the server, or any that it verifies.
fn check_algorithms(members: &Members<'_>, own: &str) -> Result<(), OAuthError> {
    if members.text("id_token_signed_response_alg")?.is_some_and(|wanted| wanted != own) {
        return Err(invalid(format!("id_token_signed_response_alg can only be {own} at this issuer.")));
    }
    for name in ["request_object_signing_alg", "token_endpoint_auth_signing_alg"] {
        if members.text(name)?.is_some_and(|wanted| wanted.parse::<Algorithm>().is_err()) {
            return Err(invalid(format!("{name} must be one of RS, PS or ES with 256, 384 or 512.")));
        }
    }
    match members.text("subject_type")? {
        None | Some("public") => Ok(()),
        Some(_) => Err(invalid("subject_type can only be public.")),
    }
}

fn grant_types(members: &Members<'_>) -> Result<BTreeSet<GrantType>, OAuthError> {
    let given = members.texts("grant_types")?.unwrap_or_else(|| vec![GrantType::AuthorizationCode.as_str()]);
    let known = |text: &str| {
        GrantType::parse(text).filter(|grant| GRANTS.contains(grant)).ok_or_else(|| {
            let offered = GRANTS.map(GrantType::as_str).join(", ");
            invalid(format!("A client cannot register itself for the grant type {text}, only for {offered}."))
        })
    };
    let given: BTreeSet<_> = given.into_iter().map(known).collect::<Result<_, _>>()?;
    if given.iter().all(|grant| *grant == GrantType::RefreshToken) {
        return Err(invalid("grant_types must name one that gives the first tokens."));
    }
    Ok(given)
}

/// They must fit together (RFC 7591 §2.1).
fn response_types(
    members: &Members<'_>,
    grants: &BTreeSet<GrantType>,
) -> Result<BTreeSet<ResponseType>, OAuthError> {
    let by_code = grants.contains(&GrantType::AuthorizationCode);
    match members.texts("response_types")? {
        None if by_code => Ok([ResponseType::Code].into()),
        None => Ok(BTreeSet::new()),
        Some(given) if given.iter().any(|one| *one != "code") => {
            Err(invalid("response_types can only be code (RFC 9700 §2.1.2)."))
        }
        Some(given) if given.is_empty() == by_code => {
            Err(invalid("response_types does not fit grant_types: code belongs to authorization_code."))
        }
        Some(given) => Ok(given.iter().map(|_| ResponseType::Code).collect()),
    }
}

/// How the client proves who it is; and its keys as settings where it does so otherwise.
fn proof(members: &Members<'_>) -> Result<(Proof, Map<String, Value>), OAuthError> {
    let keys = match (members.value("jwks"), members.text("jwks_uri")?) {
        (None, None) => None,
        (Some(_), Some(_)) => return Err(invalid("Use either jwks or jwks_uri.")),
        (Some(set), None) => {
            if set.get("keys").and_then(Value::as_array).is_some_and(|keys| keys.len() > MOST) {
                return Err(invalid(format!("jwks has more than {MOST} keys.")));
            }
            JwkSet::of_client(set).map_err(|error| invalid(format!("jwks: {error}.")))?;
            Some(ClientKeys::Inline(set.clone()))
        }
        (None, Some(uri)) => {
            let uri = parse_client_address(uri).map_err(|cause| invalid(format!("jwks_uri: {cause}.")))?;
            Some(ClientKeys::At(uri))
        }
    };
    let mut subject = None;
    for member in CertificateSubject::MEMBERS {
        let Some(text) = members.text(member)? else { continue };
        if subject.is_some() {
            return Err(invalid(format!("{member}: use one of the names alone (RFC 8705 §2.1.2).")));
        }
        let parsed = CertificateSubject::parse(member, text);
        subject = Some(parsed.map_err(|cause| invalid(format!("{member}: {cause}.")))?);
    }
    let method = members.text("token_endpoint_auth_method")?.unwrap_or("client_secret_basic");
    let needs_keys = || invalid(format!("{method} needs jwks or jwks_uri."));
    let mut settings = Map::new();
    let mut other_keys = |keys: Option<ClientKeys>| match keys {
        Some(ClientKeys::Inline(set)) => drop(settings.insert("jwks".to_owned(), set)),
        Some(ClientKeys::At(uri)) => drop(settings.insert("jwks_uri".to_owned(), uri.as_str().into())),
        None => {}
    };
    let proof = match (method, subject) {
        ("tls_client_auth", Some(subject)) => {
            other_keys(keys);
            Proof::Tls(subject)
        }
        ("tls_client_auth", None) => {
            return Err(invalid("tls_client_auth needs one tls_client_auth_… name."));
        }
        (_, Some(_)) => return Err(invalid("tls_client_auth_… names belong to tls_client_auth.")),
        ("private_key_jwt", None) => Proof::PrivateKeyJwt(keys.ok_or_else(needs_keys)?),
        ("self_signed_tls_client_auth", None) => Proof::SelfSignedTls(keys.ok_or_else(needs_keys)?),
        (simple, None) => {
            other_keys(keys);
            match simple {
                "none" => Proof::None,
                "client_secret_basic" => Proof::ClientSecretBasic,
                "client_secret_post" => Proof::ClientSecretPost,
                _ => {
                    return Err(invalid(format!(
                        "The token_endpoint_auth_method {method} is not supported."
                    )));
                }
            }
        }
    };
    Ok((proof, settings))
}

/// OpenID Connect Dynamic Registration §2, `application_type`.
fn application_type(
    members: &Members<'_>,
    proof: &Proof,
    grants: &BTreeSet<GrantType>,
    redirect_uris: &[RedirectUri],
) -> Result<ApplicationType, OAuthError> {
    let on_the_web = |uri: &&RedirectUri| {
        Url::parse(uri.as_str())
            .is_ok_and(|url| url.scheme() == "https" && url.host_str() != Some("localhost"))
    };
    match members.text("application_type")?.unwrap_or("web") {
        "native" => Ok(ApplicationType::Native),
        "web" => match redirect_uris.iter().find(|uri| !on_the_web(uri)) {
            Some(uri) => {
                let description = format!(
                    "{} is for an application_type native: web applications use https.",
                    uri.as_str()
                );
                Err(OAuthError::new(ErrorCode::InvalidRedirectUri, description))
            }
            None if *proof != Proof::None => Ok(ApplicationType::Web),
            None if grants.contains(&GrantType::DeviceCode) => {
                Err(invalid("A device without credentials is an application_type native."))
            }
            None => Ok(ApplicationType::Browser),
        },
        _ => Err(invalid("application_type must be web or native.")),
    }
}

/// What people see of it.
fn shown(members: &Members<'_>) -> Result<Map<String, Value>, OAuthError> {
    let mut kept = Map::new();
    for name in ["client_uri", "logo_uri", "policy_uri", "tos_uri"] {
        if let Some(text) = members.text(name)? {
            let is_web = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
            if !is_web {
                return Err(invalid(format!("{name} must be a web address.")));
            }
            kept.insert(name.to_owned(), text.into());
        }
    }
    for name in ["software_id", "software_version"] {
        if let Some(text) = members.text(name)? {
            kept.insert(name.to_owned(), text.into());
        }
    }
    if let Some(contacts) = members.texts("contacts")? {
        kept.insert("contacts".to_owned(), json!(contacts));
    }
    Ok(kept)
}

/// Where it may be called.
fn calls(members: &Members<'_>) -> Result<Map<String, Value>, OAuthError> {
    let mut kept = Map::new();
    if let Some(uri) = members.text("backchannel_logout_uri")? {
        BackchannelLogout::parse_uri(uri)
            .map_err(|cause| invalid(format!("backchannel_logout_uri: {cause}.")))?;
        kept.insert("backchannel_logout_uri".to_owned(), uri.into());
        let required = members.flag("backchannel_logout_session_required")?;
        kept.insert("backchannel_logout_session_required".to_owned(), required.into());
    }
    if let Some(uris) = members.texts("request_uris")?.filter(|uris| !uris.is_empty()) {
        for uri in &uris {
            parse_request_uri(uri).map_err(|cause| invalid(format!("request_uris: {cause}.")))?;
        }
        kept.insert("request_uris".to_owned(), json!(uris));
    }
    Ok(kept)
}

#[cfg(test)]
mod tests;
