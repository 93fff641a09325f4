//! The provider's management API over HTTPS, and who calls it.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use kubesso_ambient::{Clock as _, OsEntropy, SystemClock, draw};
use kubesso_chain::{Answer, ApiError, ProviderSection, RestApi};
use kubesso_directory::Secret;
use kubesso_https::{Timeouts, Trust, client};
use kubesso_token::PrivateKey;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{beside, read_beside};
use crate::args::SignInBy;
use crate::environment;
use crate::error::{CommandError, chain};
use crate::management_client::{access_token, refusal_text};

/// The provider, entered.
pub(super) struct Provider {
    client: reqwest::Client,
    /// Without a slash at its end.
    origin: String,
    authorization: Secret,
}

/// Where an API token is looked for; the file's own comes first.
const TOKEN_VARIABLES: [&str; 2] = ["KUBESSO_API_TOKEN", "OKTA_API_TOKEN"];
/// What a service application asks for.
const SCOPES: &str = "okta.apps.manage okta.authorizationServers.manage okta.groups.manage okta.users.read";
/// An assertion is used at once.
const ASSERTION_SECONDS: i64 = 60;
/// So often a limit of requests is waited for …
const MOST_WAITS: u32 = 5;
/// … and not longer than this.
const LONGEST_WAIT: Duration = Duration::from_mins(2);

impl Provider {
    /// By what the file or the environment names, else by signing in. Not to be called from inside a runtime.
    pub(super) fn enter(
        section: &ProviderSection,
        file: &Path,
        grant_type: SignInBy,
        runtime: &Runtime,
    ) -> Result<Self, CommandError> {
        let origin = section.url.as_str().trim_end_matches('/').to_owned();
        let authority = section.certificate_authority_file.as_deref();
        let trust = match authority {
            Some(name) => Trust::Only(read_beside(file, name)?),
            None => Trust::System,
        };
        let client = client(&trust, Timeouts::default())
            .map_err(|error| CommandError::because("the HTTPS client cannot be set up", &error))?;
        let authorization = if let Some(token) = api_token(section, file)? {
            Secret::new(format!("SSWS {}", token.expose()))
        } else if let Some(service) = Service::of(section, file)? {
            let token = runtime.block_on(service.token(&client, &origin))?;
            Secret::new(format!("Bearer {}", token.expose()))
        } else if environment::can_be_asked() {
            let authority = authority.map(|name| beside(file, name));
            let token = access_token(&origin, authority.as_deref(), grant_type)?;
            Secret::new(format!("Bearer {}", token.expose()))
        } else {
            return Err(CommandError::new(format!("there is nothing to enter {origin} by"))
                .mend("set KUBESSO_API_TOKEN, or name provider.apiTokenFile in the file"));
        };
        Ok(Self { client, origin, authorization })
    }
}

fn api_token(section: &ProviderSection, file: &Path) -> Result<Option<Secret>, CommandError> {
    if let Some(name) = &section.api_token_file {
        return Ok(Some(Secret::new(read_beside(file, name)?.trim())));
    }
    if section.client_id.is_some() {
        return Ok(None);
    }
    Ok(TOKEN_VARIABLES.iter().find_map(|name| environment::set(name)).map(Secret::new))
}

/// A service application, which proves itself by a key (RFC 7523).
struct Service {
    client_id: String,
    key: PrivateKey,
    key_id: Option<String>,
    scopes: String,
}

/// What the token endpoint answers (RFC 6749, section 5).
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

impl Service {
    /// As the file names it, or the variables of Okta's Terraform provider.
    fn of(section: &ProviderSection, file: &Path) -> Result<Option<Self>, CommandError> {
        let named = section.client_id.as_ref().zip(section.private_key_file.as_ref());
        let (client_id, text, key_id) = if let Some((client_id, name)) = named {
            (client_id.clone(), read_beside(file, name)?, section.key_id.clone())
        } else {
            let set = environment::set;
            let Some((client_id, key)) = set("OKTA_API_CLIENT_ID").zip(set("OKTA_API_PRIVATE_KEY")) else {
                return Ok(None);
            };
            // Okta's own tools take the key itself there, or where it lies.
            let key = if key.contains("-----BEGIN") || key.trim_start().starts_with('{') {
                key
            } else {
                super::read(Path::new(&key))?
            };
            (client_id, key, set("OKTA_API_PRIVATE_KEY_ID"))
        };
        let key = PrivateKey::parse(&text)
            .map_err(|error| CommandError::because(format!("the private key of {client_id}"), &error))?;
        let scopes = environment::set("OKTA_API_SCOPES").map(|scopes| scopes.replace(',', " "));
        Ok(Some(Self { client_id, key, key_id, scopes: scopes.unwrap_or_else(|| SCOPES.to_owned()) }))
    }

    async fn token(&self, client: &reqwest::Client, origin: &str) -> Result<Secret, CommandError> {
        let endpoint = format!("{origin}/oauth2/v1/token");
        let failed = |error: &dyn std::error::Error| {
            CommandError::because(format!("{} gets no token at {endpoint}", self.client_id), error)
        };
        let algorithms = self.key.algorithms();
        let algorithm = algorithms.first().ok_or_else(|| {
            CommandError::new(format!("the private key of {} fits no algorithm", self.client_id))
        })?;
        let mut key = self.key.signing_key(*algorithm).map_err(|error| failed(&error))?;
        if let Some(name) = &self.key_id {
            key = key.named(kubesso_token::Kid::new(name.as_str()));
        }
        let now = SystemClock.now().as_second();
        let claims = json!({
            "iss": self.client_id, "sub": self.client_id, "aud": endpoint,
            "iat": now, "exp": now + ASSERTION_SECONDS,
            "jti": URL_SAFE_NO_PAD.encode(draw::<16>(&OsEntropy)),
        });
        let assertion = key.sign("JWT", &claims).map_err(|error| failed(&error))?;
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", &self.scopes),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &assertion),
        ];
        let answer = client.post(&endpoint).form(&form).send().await.map_err(|error| failed(&error))?;
        let answer: TokenAnswer = answer.json().await.map_err(|error| failed(&error))?;
        match answer {
            TokenAnswer { access_token: Some(token), .. } => Ok(Secret::new(token)),
            TokenAnswer { error, error_description, .. } => {
                let error = error.unwrap_or_default();
                let refused = CommandError::new(format!(
                    "{} gets no token at {endpoint}: {error} {}",
                    self.client_id,
                    error_description.unwrap_or_default()
                ));
                Err(match error.as_str() {
                    "invalid_dpop_proof" => {
                        refused.mend("switch DPoP off for this application, or use an API token")
                    }
                    "invalid_client" if self.key_id.is_none() => refused
                        .mend("say what the key is called there: provider.keyId, or OKTA_API_PRIVATE_KEY_ID"),
                    _ => refused,
                })
            }
        }
    }
}

impl RestApi for Provider {
    async fn call(&self, method: &'static str, path: &str, body: Option<&Value>) -> Result<Answer, ApiError> {
        let unreachable = |error: &dyn std::error::Error| {
            let mut why = format!("{}: {}", self.origin, chain(error));
            if why.contains("UnknownIssuer") {
                why.push_str("; name its certificate authority in provider.certificateAuthorityFile");
            }
            ApiError::Unreachable { method, path: path.to_owned(), why }
        };
        let verb = reqwest::Method::from_bytes(method.as_bytes()).map_err(|error| unreachable(&error))?;
        for waited in 0.. {
            let mut request = self
                .client
                .request(verb.clone(), format!("{}{path}", self.origin))
                .header(http::header::AUTHORIZATION, self.authorization.expose())
                .header(http::header::ACCEPT, "application/json");
            request = match body {
                Some(body) => request.json(body),
                // Okta wants a length where there could be a body.
                None if method != "GET" => request.body(""),
                None => request,
            };
            let response = request.send().await.map_err(|error| unreachable(&error.without_url()))?;
            let (status, headers) = (response.status(), response.headers().clone());
            let bytes = response.bytes().await.map_err(|error| unreachable(&error.without_url()))?;
            if status == http::StatusCode::TOO_MANY_REQUESTS
                && waited < MOST_WAITS
                && let Some(pause) = pause(&headers)
            {
                tokio::time::sleep(pause).await;
                continue;
            }
            if !status.is_success() {
                let said = refusal_text(&bytes).unwrap_or_else(|| "it does not say why".to_owned());
                let status = status.as_u16();
                return Err(ApiError::Refused { method, path: path.to_owned(), status, said });
            }
            let body = if bytes.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(&bytes).map_err(|error| unreachable(&error))?
            };
            return Ok(Answer { body, next: next_page(&headers), warnings: warnings(&headers) });
        }
        Err(ApiError::Unreachable { method, path: path.to_owned(), why: "its limit of requests".to_owned() })
    }
}

/// How long to wait until requests are taken again.
fn pause(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    let seconds = number("retry-after")
        .or_else(|| number("x-rate-limit-reset").map(|end| end - SystemClock.now().as_second() + 1))?;
    let pause = Duration::from_secs(u64::try_from(seconds.max(1)).ok()?);
    (pause <= LONGEST_WAIT).then_some(pause)
}

/// The path of the next page (RFC 8288): one header line a relation.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(http::header::LINK).iter().filter_map(|line| line.to_str().ok());
    let mut links = lines.flat_map(|line| line.split(", <"));
    let next = links.find(|link| link.contains("rel=\"next\""))?;
    let url = next.trim_start_matches('<').split_once('>')?.0;
    let url = url::Url::parse(url).ok()?;
    Some(match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    })
}

/// The texts of `Warning` headers: `299 - "text"`.
fn warnings(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(http::header::WARNING).iter().filter_map(|line| line.to_str().ok());
    let texts = lines.filter_map(|line| line.split_once('"')?.1.strip_suffix('"'));
    texts.map(|text| text.replace("\\\"", "\"").replace("\\\\", "\\")).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_next_page_is_a_path_here_whoever_names_it() {
        let mut headers = HeaderMap::new();
        assert_eq!(next_page(&headers), None);
        let own = "<https://org.example/api/v1/groups?limit=2>; rel=\"self\"";
        headers.append(http::header::LINK, HeaderValue::from_static(own));
        assert_eq!(next_page(&headers), None);
        let next = "<https://other.example/api/v1/groups?after=x&limit=2>; rel=\"next\"";
        headers.append(http::header::LINK, HeaderValue::from_static(next));
        assert_eq!(next_page(&headers).as_deref(), Some("/api/v1/groups?after=x&limit=2"));
    }

    #[test]
    fn a_limit_is_waited_for_unless_it_is_too_long() {
        let paused = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            pause(&headers)
        };
        assert_eq!(paused("retry-after", "3"), Some(Duration::from_secs(3)));
        assert_eq!(paused("retry-after", "0"), Some(Duration::from_secs(1)));
        assert_eq!(paused("retry-after", "86400"), None);
        assert_eq!(paused("x-rate-limit-reset", "soon"), None);
        assert_eq!(paused("date", "whenever"), None);
    }

    #[test]
    fn a_warning_is_read_as_it_was_meant() {
        let mut headers = HeaderMap::new();
        headers.append(http::header::WARNING, HeaderValue::from_static(r#"299 - "the \"x\" lifetime""#));
        assert_eq!(warnings(&headers), ["the \"x\" lifetime"]);
    }
}
