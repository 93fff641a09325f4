//! A small OpenID Connect provider on loopback that can be told to misbehave.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::digest;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use kubesso_ambient::{Clock, ManualClock};
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use kubesso_https::{ClientAuthentication, Limits, ServerTls};
use kubesso_token::{Algorithm, JwkSet, SigningKey};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

pub(crate) type Form = BTreeMap<String, String>;

/// What the provider does, and what it was asked. A test changes it while it runs.
pub(crate) struct Behaviour {
    /// Members that replace (or, when null, remove) those of the discovery document.
    pub(crate) discovery: Map<String, Value>,
    /// Claims that replace (or remove) those of the ID token.
    pub(crate) claims: Map<String, Value>,
    /// Members that replace (or remove) those of a successful token answer.
    pub(crate) token_answer: Map<String, Value>,
    /// Query parameters that are added to (or replace) those of the redirect back.
    pub(crate) redirect: Form,
    /// Answers for the next requests to a path, before it does its work.
    pub(crate) overrides: HashMap<&'static str, VecDeque<(u16, &'static str, String)>>,
    /// Answers `authorization_pending` to the device flow this often.
    pub(crate) device_pending: u32,
    /// Every request: path, then its query or form.
    pub(crate) requests: Vec<(String, Form)>,
    /// The `authorization` header of the latest token request.
    pub(crate) authorization: Option<String>,
    /// Under which name and path the header `x-key` arrived.
    pub(crate) keys_seen: Vec<String>,
    pub(crate) lifetime: SignedDuration,
    /// Paths that redirect (307) to others.
    pub(crate) moved: HashMap<&'static str, String>,
    /// Under which other path an endpoint is.
    pub(crate) renamed: HashMap<&'static str, &'static str>,
    /// The `cache-control` header of the documents, which also have an ETag then.
    pub(crate) cache_control: Option<&'static str>,
    /// How often a document was answered with 304.
    pub(crate) not_modified: u32,
    /// The ID token comes in the member of the access token (RFC 8693).
    pub(crate) id_token_as_access_token: bool,
    logins: Vec<Form>,
    refresh_tokens: u32,
    key: Arc<SigningKey>,
    published: Vec<Arc<SigningKey>>,
}

impl Behaviour {
    /// Signs with a new key from now on.
    pub(crate) fn rotate_key(&mut self) {
        self.key = Arc::new(SigningKey::generate(Algorithm::Es256).unwrap());
        self.published.push(self.key.clone());
    }

    /// Signs with a key that is not published.
    pub(crate) fn sign_with_unpublished_key(&mut self) {
        self.key = Arc::new(SigningKey::generate(Algorithm::Es256).unwrap());
    }

    pub(crate) fn answer_next(
        &mut self,
        path: &'static str,
        status: u16,
        content_type: &'static str,
        body: &str,
    ) {
        self.overrides.entry(path).or_default().push_back((status, content_type, body.to_owned()));
    }

    /// The paths that were asked for since the last call, in order of arrival.
    pub(crate) fn take_paths(&mut self) -> Vec<String> {
        std::mem::take(&mut self.requests).into_iter().map(|(path, _)| path).collect()
    }

    /// The forms and queries of requests to `path`.
    pub(crate) fn requests_to(&self, path: &str) -> Vec<&Form> {
        self.requests.iter().filter(|(to, _)| to == path).map(|(_, form)| form).collect()
    }
}

#[derive(Clone)]
pub(crate) struct Stub {
    pub(crate) issuer: String,
    /// PEM of its certificate authority, if it speaks TLS.
    pub(crate) ca: Option<String>,
    pub(crate) clock: Arc<ManualClock>,
    behaviour: Arc<Mutex<Behaviour>>,
    shutdown: CancellationToken,
}

impl Stub {
    /// Starts a provider on a free port, on a thread of its own.
    pub(crate) fn start(clock: Arc<ManualClock>, with_tls: bool) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if with_tls { "https" } else { "http" };
        let key = Arc::new(SigningKey::generate(Algorithm::Es256).unwrap());
        let behaviour = Behaviour {
            discovery: Map::new(),
            claims: Map::new(),
            token_answer: Map::new(),
            redirect: Form::new(),
            overrides: HashMap::new(),
            device_pending: 0,
            requests: Vec::new(),
            authorization: None,
            keys_seen: Vec::new(),
            lifetime: SignedDuration::from_hours(1),
            moved: HashMap::new(),
            renamed: HashMap::new(),
            cache_control: None,
            not_modified: 0,
            id_token_as_access_token: false,
            logins: Vec::new(),
            refresh_tokens: 0,
            key: key.clone(),
            published: vec![key],
        };
        let mut stub = Self {
            issuer: format!("{scheme}://localhost:{port}"),
            ca: None,
            clock,
            behaviour: Arc::new(Mutex::new(behaviour)),
            shutdown: CancellationToken::new(),
        };
        // Certificates live by the machine's clock, tokens by the test's.
        let tls = with_tls.then(|| {
            let now = kubesso_ambient::SystemClock.now();
            let authority = CertificateAuthority::generate("stub", now).unwrap();
            stub.ca = Some(authority.certificate_pem().to_owned());
            let identity = authority.issue_server(&ServerNames::loopback(), now).unwrap();
            ServerTls::new(&identity, ClientAuthentication::None).unwrap()
        });
        let (router, shutdown) =
            (Router::new().fallback(handle).with_state(stub.clone()), stub.shutdown.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                if let Some(tls) = tls {
                    kubesso_https::serve(listener, tls, router, shutdown, Limits::default()).await;
                    return;
                }
                tokio::select! {
                    served = axum::serve(listener, router) => served.unwrap(),
                    () = shutdown.cancelled() => {}
                }
            });
        });
        stub
    }

    pub(crate) fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap()
    }

    /// Nobody answers any more.
    pub(crate) fn stop(&self) {
        self.shutdown.cancel();
    }

    fn discovery(&self, behaviour: &Behaviour) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        changed(
            json!({
                "issuer": self.issuer,
                "authorization_endpoint": at("/auth"),
                "token_endpoint": at("/token"),
                "jwks_uri": at("/certs"),
                "device_authorization_endpoint": at("/device"),
                "id_token_signing_alg_values_supported": ["ES256"],
                "code_challenge_methods_supported": ["plain", "S256"],
            }),
            &behaviour.discovery,
        )
    }

    fn token(&self, behaviour: &mut Behaviour, form: &Form) -> Response<Body> {
        let refused =
            |code: &str, text: &str| json_response(400, &json!({ "error": code, "error_description": text }));
        let nonce = match form["grant_type"].as_str() {
            "authorization_code" => {
                let login = form["code"].strip_prefix("code-").and_then(|n| n.parse::<usize>().ok());
                let Some(login) = login.and_then(|n| behaviour.logins.get(n.checked_sub(1)?)) else {
                    return refused("invalid_grant", "no such code");
                };
                if let Some(challenge) = login.get("code_challenge") {
                    let verifier = form.get("code_verifier").cloned().unwrap_or_default();
                    let hashed = digest::digest(&digest::SHA256, verifier.as_bytes());
                    if URL_SAFE_NO_PAD.encode(hashed) != *challenge {
                        return refused("invalid_grant", "the verifier does not fit");
                    }
                }
                if login.get("redirect_uri") != form.get("redirect_uri") {
                    return refused("invalid_grant", "another redirect_uri");
                }
                login.get("nonce").cloned()
            }
            "refresh_token" => {
                if form["refresh_token"] != format!("REFRESH_TOKEN_{}", behaviour.refresh_tokens) {
                    return refused("invalid_grant", "the refresh token has ended");
                }
                None
            }
            "password" if form["password"] != "correct horse" => {
                return refused("invalid_grant", "wrong user name or password");
            }
            "urn:ietf:params:oauth:grant-type:device_code" if behaviour.device_pending > 0 => {
                behaviour.device_pending -= 1;
                return refused("authorization_pending", "not yet");
            }
            _ => None,
        };
        behaviour.refresh_tokens += 1;
        let now = self.clock.now();
        let access_token = format!("ACCESS_TOKEN_{}", behaviour.refresh_tokens);
        let hash = digest::digest(&digest::SHA256, access_token.as_bytes());
        let mut claims = json!({
            "iss": self.issuer, "sub": "00u1", "aud": "kubernetes", "email": "dev@example.com",
            "iat": now.as_second(), "exp": (now + behaviour.lifetime).as_second(),
            "at_hash": URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]),
            "jti": format!("token-{}", behaviour.refresh_tokens),
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        let id_token = behaviour.key.sign("JWT", &changed(claims, &behaviour.claims)).unwrap();
        if behaviour.id_token_as_access_token {
            behaviour.token_answer.insert("access_token".to_owned(), id_token.clone().into());
            behaviour.token_answer.insert("id_token".to_owned(), Value::Null);
        }
        let answer = json!({
            "token_type": "Bearer", "expires_in": 3600, "id_token": id_token, "access_token": access_token,
            "refresh_token": format!("REFRESH_TOKEN_{}", behaviour.refresh_tokens),
        });
        json_response(200, &changed(answer, &behaviour.token_answer))
    }
}

async fn handle(State(stub): State<Stub>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    let form: Form = url::form_urlencoded::parse(query)
        .chain(url::form_urlencoded::parse(&body))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let path = parts.uri.path();
    let mut behaviour = stub.behaviour();
    behaviour.requests.push((path.to_owned(), form.clone()));
    if parts.headers.contains_key("x-key") {
        let host = parts.headers.get(header::HOST).map_or("", |host| host.to_str().unwrap());
        behaviour.keys_seen.push(format!("{}{path}", host.split(':').next().unwrap()));
    }
    if path == "/token" {
        let sent = parts.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
        behaviour.authorization = sent;
    }
    if let Some((status, content_type, body)) =
        behaviour.overrides.get_mut(path).and_then(VecDeque::pop_front)
    {
        let response = Response::builder().status(status).header(header::CONTENT_TYPE, content_type);
        return response.body(body.into()).unwrap();
    }
    if let Some(elsewhere) = behaviour.moved.get(path) {
        return Response::builder()
            .status(307)
            .header(header::LOCATION, elsewhere)
            .body(Body::empty())
            .unwrap();
    }
    let path = match behaviour.renamed.iter().find(|(_, to)| **to == path) {
        Some((name, _)) => name,
        None if behaviour.renamed.contains_key(path) => "nowhere",
        None => path,
    };
    let etag = parts.headers.get(header::IF_NONE_MATCH).map(|value| value.to_str().unwrap());
    match path {
        "/.well-known/openid-configuration" => {
            let document = stub.discovery(&behaviour);
            document_response(&mut behaviour, etag, &document)
        }
        "/certs" => {
            let keys = behaviour.published.iter().map(|key| key.public_jwk()).collect();
            document_response(&mut behaviour, etag, &serde_json::to_value(JwkSet::new(keys)).unwrap())
        }
        "/auth" => authorize(&mut behaviour, &form),
        "/token" => stub.token(&mut behaviour, &form),
        "/device" => json_response(
            200,
            &json!({
                "device_code": "DEVICE_CODE", "user_code": "WDJB-MJHT", "expires_in": 1800, "interval": 5,
                "verification_uri": format!("{}/activate", stub.issuer),
                "verification_uri_complete": format!("{}/activate?user_code=WDJB-MJHT", stub.issuer),
            }),
        ),
        "/activate" => Response::new(Body::from("Activated")),
        _ => Response::builder().status(StatusCode::NOT_FOUND).body(Body::empty()).unwrap(),
    }
}

fn authorize(behaviour: &mut Behaviour, query: &Form) -> Response<Body> {
    let mut back: Form = [("state".to_owned(), query.get("state").cloned().unwrap_or_default())].into();
    if !behaviour.redirect.contains_key("error") {
        behaviour.logins.push(query.clone());
        back.insert("code".to_owned(), format!("code-{}", behaviour.logins.len()));
    }
    back.extend(behaviour.redirect.clone());
    let mut url: url::Url = query["redirect_uri"].parse().unwrap();
    url.query_pairs_mut().extend_pairs(&back);
    Response::builder().status(302).header(header::LOCATION, url.as_str()).body(Body::empty()).unwrap()
}

/// A document that caches may keep.
fn document_response(behaviour: &mut Behaviour, known: Option<&str>, body: &Value) -> Response<Body> {
    let mut response = json_response(200, body);
    let Some(cache_control) = behaviour.cache_control else { return response };
    let hash = digest::digest(&digest::SHA256, body.to_string().as_bytes());
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(hash));
    if known == Some(&etag) {
        behaviour.not_modified += 1;
        response = Response::builder().status(304).body(Body::empty()).unwrap();
    }
    response.headers_mut().insert(header::ETAG, etag.parse().unwrap());
    response.headers_mut().insert(header::CACHE_CONTROL, cache_control.parse().unwrap());
    response
}

/// `value` with `changes` on top; null removes.
fn changed(mut value: Value, changes: &Map<String, Value>) -> Value {
    let members = value.as_object_mut().unwrap();
    for (name, change) in changes {
        match change {
            Value::Null => drop(members.remove(name)),
            change => drop(members.insert(name.clone(), change.clone())),
        }
    }
    value
}

fn json_response(status: u16, body: &Value) -> Response<Body> {
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    response.body(body.to_string().into()).unwrap()
}
