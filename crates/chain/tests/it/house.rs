//! kubesso's management API over a real SQLite store, and a way to it that can break.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use http::{Method, Request, header};
use http_body_util::BodyExt as _;
use kubesso_ambient::{Clock as _, ManualClock, SeededEntropy};
use kubesso_chain::{
    AccessFile, Answer, ApiError, ApplyError, ChainName, Plan, ProviderState, RestApi, Wanted,
};
use kubesso_directory::{
    AdminRole, ApiToken, ApiTokenId, ApiTokenValue, Batch, Change, Email, Label, Store, User, UserId,
    UserProfile, everyone,
};
use kubesso_okta::testkit::KeyMaker;
use kubesso_okta::{ManagementApi as Okta, ManagementConfig};
use kubesso_store_sqlite::SqliteStore;
use serde_json::Value;
use tower::ServiceExt as _;

const ORIGIN: &str = "https://localhost:8443";

/// The tutorial, with two people.
pub(crate) const TUTORIAL: &str = "
provider: {url: https://localhost:8443}
groups:
- {name: k8s-admins, description: Administrators of the clusters, members: [amy@example.com]}
- {name: k8s-restricted-users, description: 'They read pods and services'}
application: {label: k8s OIDC}
authorizationServer:
  name: k8s-auth
  audience: http:://localhost:8000
  claims: [{name: groups, groups: {startsWith: k8s-}}]
  policies:
  - name: k8s_policy
    rules: [{name: AuthCode + PKCE}]
";

/// When the way breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    Never,
    /// The request of this number does not arrive.
    Before(usize),
    /// It is done, and nobody hears of it.
    After(usize),
}

/// An organization.
pub(crate) struct Org {
    router: Router,
    token: String,
    breaks: Break,
    /// Requests that change something.
    pub(crate) changes: AtomicUsize,
    _directory: tempfile::TempDir,
}

impl Org {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let entropy = Arc::new(SeededEntropy::new(1));
        let clock = Arc::new(ManualClock::at("2026-11-22T12:00:00Z".parse().unwrap()));
        let (store, sealing_key) = SqliteStore::open(directory.path(), &*entropy).await.unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        everyone(&*store, &*clock, &*entropy).await.unwrap();
        let provider = KeyMaker::new(sealing_key.clone(), entropy.clone(), clock.clone());
        let value = ApiTokenValue::generate(&*entropy);
        let token = ApiToken {
            id: ApiTokenId::generate(&*entropy),
            name: Label::parse("chain").unwrap(),
            hash: value.hash(),
            roles: [AdminRole::SuperAdmin].into(),
            user: None,
            created: clock.now(),
            expires: None,
        };
        let mut changes = vec![Change::PutApiToken(token)];
        for login in ["amy@example.com", "dev@example.com"] {
            let profile = UserProfile::with_email(Email::parse(login).unwrap()).unwrap();
            let user = User::new(UserId::generate(&*entropy), profile, clock.now());
            changes.push(Change::PutUser(user.activate(clock.now()).unwrap()));
        }
        store.commit(Batch::new(clock.now(), changes)).await.unwrap();
        let api = Okta::new(ManagementConfig {
            base_url: ORIGIN.parse().unwrap(),
            other_origins: Vec::new(),
            store,
            clock,
            entropy,
            sealing_key,
            sign_in: kubesso_directory::SignInRules::default(),
            provider: Arc::new(provider),
        });
        Self {
            router: api.router(),
            token: value.expose().to_owned(),
            breaks: Break::Never,
            changes: AtomicUsize::new(0),
            _directory: directory,
        }
    }

    /// From now on the way breaks there.
    pub(crate) fn breaking(&mut self, breaks: Break) {
        self.breaks = breaks;
        self.changes = AtomicUsize::new(0);
    }

    /// Sends a request that never breaks; what it answered, whatever that is.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, Value, Option<String>) {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path)
            .header(header::AUTHORIZATION, format!("SSWS {}", self.token));
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let links = response.headers().get_all(header::LINK).iter().map(|link| link.to_str().unwrap());
        let next = links.filter_map(|link| link.strip_suffix(">; rel=\"next\"")?.strip_prefix('<'));
        let next = next.map(|link| link.replacen(ORIGIN, "", 1)).next();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        (status, body, next)
    }

    /// As [`send`](Self::send), of a request that must be granted.
    #[track_caller]
    pub(crate) fn granted(
        &self,
        method: &'static str,
        path: &str,
        body: Option<Value>,
    ) -> impl Future<Output = Value> {
        let path = path.to_owned();
        async move {
            let (status, answer, _) = self.send(method, &path, body.as_ref()).await;
            assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
            answer
        }
    }

    /// The only thing of a list that has this at a pointer.
    pub(crate) async fn find(&self, path: &str, pointer: &str, value: &str) -> Value {
        let all = self.granted("GET", path, None).await;
        let mut found = all.as_array().unwrap().iter();
        let found = found.find(|one| one.pointer(pointer) == Some(&value.into()));
        found.unwrap_or_else(|| panic!("{value} is not in {all}")).clone()
    }
}

impl RestApi for Org {
    async fn call(&self, method: &'static str, path: &str, body: Option<&Value>) -> Result<Answer, ApiError> {
        let broken = || {
            let why = "the connection was lost".to_owned();
            Err(ApiError::Unreachable { method, path: path.to_owned(), why })
        };
        let number = if method == "GET" { 0 } else { self.changes.fetch_add(1, Ordering::SeqCst) + 1 };
        if self.breaks == Break::Before(number) {
            return broken();
        }
        let (status, body, next) = self.send(method, path, body).await;
        if self.breaks == Break::After(number) {
            return broken();
        }
        if !(200..300).contains(&status) {
            let said = body["errorCauses"][0]["errorSummary"].as_str().or(body["errorSummary"].as_str());
            let said = said.unwrap_or_default().to_owned();
            return Err(ApiError::Refused { method, path: path.to_owned(), status, said });
        }
        Ok(Answer { body, next, warnings: Vec::new() })
    }
}

/// A file, read, with what is there.
pub(crate) struct Looked {
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) state: ProviderState,
    pub(crate) plan: Plan,
}

/// What `plan` sees.
pub(crate) async fn look(org: &Org, text: &str) -> Looked {
    let file = AccessFile::parse(text).unwrap();
    let chain: ChainName = file.chain().unwrap();
    let wanted = file.provider_side(None);
    let state = ProviderState::read(org, &file, &chain, &wanted).await.unwrap();
    let plan = Plan::new(&wanted, &state.found).unwrap();
    Looked { wanted, state, plan }
}

/// What `apply` does.
pub(crate) async fn apply(org: &Org, text: &str) -> Result<(), ApplyError> {
    let looked = look(org, text).await;
    kubesso_chain::apply(org, &looked.plan, &looked.state, |_| {}).await
}

/// What `destroy` does; what it says.
pub(crate) async fn destroy(org: &Org, text: &str) -> Result<Plan, ApplyError> {
    let looked = look(org, text).await;
    let plan = Plan::destroying(&looked.wanted, &looked.state.found);
    kubesso_chain::apply(org, &plan, &looked.state, |_| {}).await.map(|()| plan)
}

/// A plan in short: `+ group "k8s-admins"`.
pub(crate) fn short(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(|change| format!("{} {}", change.action.sign(), change.address)).collect()
}
