//! OpenID Connect discovery as go-oidc v2.5.0 does it (`NewProvider`).

use http::StatusCode;
use kubesso_k8s_types::go::quote;

use crate::Fetch;
use crate::go::json::{self, Json, Kind};

/// Fetches the issuer's metadata and returns its `jwks_uri`, which may be empty.
pub(crate) async fn discover_key_set(fetch: &dyn Fetch, issuer: &str) -> Result<String, String> {
    let url = format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer));
    let answer = fetch.get(&url, None).await?;
    if answer.status != StatusCode::OK {
        return Err(format!("{}: {}", answer.status_line(), String::from_utf8_lossy(&answer.body)));
    }
    let metadata = read_metadata(&answer.body).map_err(|error| {
        format!("oidc: failed to decode provider discovery object: {}", answer.not_json(&error))
    })?;
    if metadata.issuer != issuer {
        return Err(format!(
            "oidc: issuer did not match the issuer returned by provider, expected {} got {}",
            quote(issuer),
            quote(&metadata.issuer)
        ));
    }
    Ok(metadata.jwks_uri)
}

#[derive(Default)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

/// Names in any case, the last of several; the members that upstream reads must have their types, even where it does not
/// use them.
fn read_metadata(body: &[u8]) -> Result<Metadata, String> {
    let document = Json::parse(body)?;
    let mut metadata = Metadata::default();
    match document.kind() {
        Kind::Object => {}
        Kind::Null => return Ok(metadata),
        _ => return Err(json::wrong_type(document, "oidc.providerJSON")),
    }
    let mut saved = Ok(());
    for (name, value) in document.members() {
        let text = |field: &str, into: &mut String| {
            match value.string() {
                Some(text) => *into = text,
                None if value.kind() == Kind::Null => {}
                None => {
                    return Err(json::wrong_field_type(value, &format!("providerJSON.{field}"), "string"));
                }
            }
            Ok(())
        };
        let outcome = if json::names_field(&name, "issuer") {
            text("issuer", &mut metadata.issuer)
        } else if json::names_field(&name, "jwks_uri") {
            text("jwks_uri", &mut metadata.jwks_uri)
        } else if let Some(field) = UNUSED.into_iter().find(|field| json::names_field(&name, field)) {
            text(field, &mut String::new())
        } else if json::names_field(&name, ALGORITHMS) {
            let field = format!("providerJSON.{ALGORITHMS}");
            match value.kind() {
                Kind::Null => Ok(()),
                Kind::Array => value
                    .elements()
                    .find(|element| !matches!(element.kind(), Kind::Null | Kind::String))
                    .map_or(Ok(()), |element| Err(json::wrong_field_type(element, &field, "string"))),
                _ => Err(json::wrong_field_type(value, &field, "[]string")),
            }
        } else {
            Ok(())
        };
        saved = saved.and(outcome);
    }
    saved.map(|()| metadata)
}

/// Texts that upstream reads without using them.
const UNUSED: [&str; 3] = ["authorization_endpoint", "token_endpoint", "userinfo_endpoint"];
/// Read and not used either: the accepted algorithms are configured.
const ALGORITHMS: &str = "id_token_signing_alg_values_supported";
