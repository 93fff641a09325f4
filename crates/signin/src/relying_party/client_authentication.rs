//! How the application says who it is (RFC 6749, section 2.3; OpenID Connect Core 1.0, section 9; RFC 7523).

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kubesso_ambient::draw;
use kubesso_token::{Algorithm, PrivateKey, TokenError};
use kubesso_token_cache::Secret;
use kubesso_token_cache::options::ClientProof;
use serde_json::json;
use tokio::fs;
use url::Url;
use zeroize::Zeroizing;

use super::{RelyingParty, refusal, secret_command};
use crate::error::Error;
use crate::http::{Answer, Repeat};

/// One way for a client to prove itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// It has nothing to prove with: its name is in the form.
    Public,
    SecretBasic,
    SecretPost,
    /// A signed assertion for the issuer: the audience that the successor of RFC 7523 asks for.
    SignedForIssuer,
    /// A signed assertion for the token endpoint: the audience that older providers ask for.
    SignedForEndpoint,
    /// An assertion that somebody else signed.
    Assertion,
}

/// Which of two good ways to try first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preference {
    /// HTTP Basic, which every token endpoint knows (RFC 6749, section 2.3.1).
    Basic,
    /// The form, as kubelogin has it: device endpoints that know HTTP Basic are rare.
    Form,
}

/// What one way adds to a request.
#[derive(Default)]
struct Proof {
    basic: Option<Secret>,
    fields: Vec<(&'static str, Secret)>,
}

const BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// An assertion is used at once. Keycloak takes none that lasts longer than this.
const ASSERTION_SECONDS: i64 = 60;
/// No secret and no assertion is longer.
const LONGEST_FILE: u64 = 64 * 1024;

impl RelyingParty<'_> {
    /// Posts `form` as the client that we are. Another way to prove it is tried only when the provider says that it does
    /// not know the client, in which case it has not looked at the form (RFC 6749, section 5.2). The answer is the first
    /// refusal then: it is about the way that the provider prefers.
    pub(crate) async fn post_as_client(
        &self,
        what: &'static str,
        url: &str,
        form: &BTreeMap<&str, &str>,
        repeat: Repeat,
        preference: Preference,
    ) -> Result<Answer, Error> {
        let mut refused = None;
        for method in self.methods(preference) {
            let proof = self.proof(method).await?;
            let mut form = form.clone();
            form.extend(proof.fields.iter().map(|(name, value)| (*name, value.expose())));
            let basic = proof.basic.as_ref().map(|secret| (self.options.client_id.as_str(), secret));
            let answer = self.http.post(what, url, &form, basic, repeat).await?;
            let is_unknown = matches!(
                refusal(&answer, what),
                Some(Error::Refused { code, .. }) if code == "invalid_client"
            );
            if !is_unknown {
                if refused.is_some() && answer.status.is_success() {
                    let client = &self.options.client_id;
                    self.documents.remember_client_authentication(client, method.name());
                }
                return Ok(answer);
            }
            refused.get_or_insert(answer);
        }
        // There is always one way.
        refused.ok_or_else(|| Error::Unsupported("knows no way of ours to name the client".to_owned()))
    }

    /// The ways that may work, the best first.
    fn methods(&self, preference: Preference) -> Vec<Method> {
        let mut methods = if let Some(proof) = &self.options.client_proof {
            match proof {
                ClientProof::AssertionFile(_) => vec![Method::Assertion],
                ClientProof::AssertionKey { .. } => self.signed_methods(),
                ClientProof::SecretCommand(_) | ClientProof::SecretFile(_) => self.secret_methods(preference),
            }
        } else if self.options.client_secret.is_some() {
            self.secret_methods(preference)
        } else {
            vec![Method::Public]
        };
        if let Some(known) = self.documents.client_authentication(&self.options.client_id) {
            methods.sort_by_key(|method| method.name() != known);
        }
        methods
    }

    /// Those that the provider lists; all where it lists nothing that we know.
    fn secret_methods(&self, preference: Preference) -> Vec<Method> {
        let all = match preference {
            Preference::Basic => [Method::SecretBasic, Method::SecretPost],
            Preference::Form => [Method::SecretPost, Method::SecretBasic],
        };
        let metadata = self.metadata();
        let listed = metadata.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
        let known: Vec<_> =
            all.into_iter().filter(|method| listed.iter().any(|name| name == method.name())).collect();
        if known.is_empty() { all.to_vec() } else { known }
    }

    /// The issuer is who the assertion is for. An endpoint elsewhere than the issuer must not be: a provider could name
    /// another's endpoint and use the assertion there.
    fn signed_methods(&self) -> Vec<Method> {
        let metadata = self.metadata();
        let endpoint = metadata.token_endpoint().ok().and_then(|url| Url::parse(url).ok());
        let issuer = Url::parse(self.options.issuer.as_str()).ok();
        let is_same =
            endpoint.zip(issuer).is_some_and(|(endpoint, issuer)| endpoint.origin() == issuer.origin());
        let mut methods = vec![Method::SignedForIssuer];
        methods.extend(is_same.then_some(Method::SignedForEndpoint));
        methods
    }

    async fn proof(&self, method: Method) -> Result<Proof, Error> {
        let id = ("client_id", Secret::from(self.options.client_id.clone()));
        let asserted = |assertion: Secret| Proof {
            basic: None,
            fields: vec![
                id.clone(),
                ("client_assertion_type", Secret::from(BEARER.to_owned())),
                ("client_assertion", assertion),
            ],
        };
        Ok(match method {
            Method::Public => Proof { basic: None, fields: vec![id] },
            Method::SecretBasic => Proof { basic: Some(self.secret().await?), ..Proof::default() },
            Method::SecretPost => {
                Proof { basic: None, fields: vec![id, ("client_secret", self.secret().await?)] }
            }
            Method::SignedForIssuer => asserted(self.sign(self.options.issuer.as_str()).await?),
            Method::SignedForEndpoint => asserted(self.sign(self.metadata().token_endpoint()?).await?),
            Method::Assertion => match &self.options.client_proof {
                // Read at each use: whoever writes it replaces it before it ends.
                Some(ClientProof::AssertionFile(file)) => {
                    asserted(read_line("--oidc-client-assertion-file", file).await?)
                }
                _ => Proof::default(),
            },
        })
    }

    /// The client's secret, looked up once in a run.
    async fn secret(&self) -> Result<Secret, Error> {
        let look_up = async {
            match &self.options.client_proof {
                Some(ClientProof::SecretFile(file)) => read_line("--oidc-client-secret-file", file).await,
                Some(ClientProof::SecretCommand(command)) => {
                    secret_command::run("--oidc-client-secret-command", command, self.environment).await
                }
                _ => Ok(self.options.client_secret.clone().unwrap_or_else(|| Secret::from(String::new()))),
            }
        };
        self.secret.get_or_try_init(|| look_up).await.cloned()
    }

    /// A JWT that says that this client is talking to `audience`, now and once (RFC 7523, section 3).
    async fn sign(&self, audience: &str) -> Result<Secret, Error> {
        const FLAG: &str = "--oidc-client-assertion-key";
        let Some(ClientProof::AssertionKey { file, key_id }) = &self.options.client_proof else {
            return Err(Error::Flag { flag: FLAG, problem: "no key was given".to_owned() });
        };
        let unusable =
            |problem: String| Error::Flag { flag: FLAG, problem: format!("{}: {problem}", file.display()) };
        let refused = |error: TokenError| unusable(error.to_string());
        let key = PrivateKey::parse(&read(FLAG, file).await?).map_err(refused)?;
        let algorithm = self.signing_algorithm(&key).map_err(unusable)?;
        let kid = key_id.as_deref().or_else(|| key.kid().map(kubesso_token::Kid::as_str));
        let mut header = json!({ "alg": algorithm, "typ": "JWT" });
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        let now = self.environment.clock.now().as_second();
        let client = &self.options.client_id;
        let claims = json!({
            "iss": client, "sub": client, "aud": audience, "iat": now, "exp": now + ASSERTION_SECONDS,
            "jti": URL_SAFE_NO_PAD.encode(draw::<16>(&*self.environment.entropy)),
        });
        let mut assertion = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let signature = key
            .signing_key(algorithm)
            .and_then(|key| key.sign_bytes(assertion.as_bytes()))
            .map_err(refused)?;
        assertion.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut assertion);
        Ok(Secret::from(assertion))
    }

    fn signing_algorithm(&self, key: &PrivateKey) -> Result<Algorithm, String> {
        let metadata = self.metadata();
        let listed = metadata.token_endpoint_auth_signing_alg_values_supported.as_slice();
        let fits =
            |algorithm: &Algorithm| listed.is_empty() || listed.iter().any(|name| name == algorithm.as_str());
        key.algorithms().into_iter().find(fits).ok_or_else(|| {
            format!("the provider takes no algorithm that this key can sign with, but {}", listed.join(", "))
        })
    }
}

impl Method {
    /// As discovery documents name it; where they make no difference, so that it can be remembered.
    fn name(self) -> &'static str {
        match self {
            Self::Public => "none",
            Self::SecretBasic => "client_secret_basic",
            Self::SecretPost => "client_secret_post",
            Self::SignedForIssuer => "private_key_jwt",
            Self::SignedForEndpoint => "private_key_jwt for the token endpoint",
            Self::Assertion => "assertion",
        }
    }
}

/// A file of one line: what an editor or `echo` adds at its end is no part of it.
pub(crate) async fn read_line(flag: &'static str, file: &Path) -> Result<Secret, Error> {
    let text = read(flag, file).await?;
    let line = without_newline(&text);
    if line.is_empty() {
        return Err(Error::Flag { flag, problem: format!("{} is empty", file.display()) });
    }
    Ok(Secret::from(line.to_owned()))
}

/// Without the one line break at the end.
pub(super) fn without_newline(text: &str) -> &str {
    let line = text.strip_suffix('\n').unwrap_or(text);
    line.strip_suffix('\r').unwrap_or(line)
}

async fn read(flag: &'static str, file: &Path) -> Result<Zeroizing<String>, Error> {
    let failed = |source| Error::FlagFile { flag, path: file.to_owned(), source };
    if fs::metadata(file).await.map_err(failed)?.len() > LONGEST_FILE {
        return Err(Error::Flag { flag, problem: format!("{} is too long for one", file.display()) });
    }
    fs::read_to_string(file).await.map(Zeroizing::new).map_err(failed)
}
