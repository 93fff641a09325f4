//! A management API over a real SQLite store in a directory of its own. Time stands still until a test moves it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use kubesso_ambient::{Clock as _, ManualClock, SeededEntropy};
use kubesso_directory::{
    AdminRole, ApiToken, ApiTokenId, ApiTokenValue, Batch, Change, Email, Group, GroupId, GroupName, Label,
    RoleAssignment, RoleAssignmentId, RoleHolder, Store, User, UserId, UserProfile, everyone,
};
use kubesso_okta::testkit::KeyMaker;
use kubesso_okta::{ManagementApi, ManagementConfig};
use kubesso_store_sqlite::SqliteStore;
use serde_json::Value;
use tower::ServiceExt as _;

pub(crate) const ORIGIN: &str = "https://localhost:8443";
pub(crate) const NOON: &str = "2026-11-22T12:00:00Z";

/// An organization, with a super administrator's token to call by.
pub(crate) struct Org {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) entropy: Arc<SeededEntropy>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) provider: Arc<KeyMaker>,
    pub(crate) router: Router,
    pub(crate) token: String,
    _directory: tempfile::TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The body, if the status is the expected one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// Refused with this status, code and first cause.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str, cause: &str) {
        let found = (self.status.as_u16(), self.body["errorCode"].as_str().unwrap_or_default());
        assert_eq!(found, (status, code), "{}", self.body);
        let first = self.body["errorCauses"][0]["errorSummary"].as_str().unwrap_or_default();
        assert!(first.contains(cause), "`{first}` does not say `{cause}`");
    }

    /// The addresses of `Link` headers of a relation.
    pub(crate) fn links(&self, relation: &str) -> Vec<String> {
        let end = format!(">; rel=\"{relation}\"");
        let values = self.headers.get_all(header::LINK).iter().map(|value| value.to_str().unwrap());
        values.filter_map(|value| value.strip_suffix(&end)?.strip_prefix('<')).map(str::to_owned).collect()
    }
}

impl Org {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let entropy = Arc::new(SeededEntropy::new(1));
        let clock = Arc::new(ManualClock::at(NOON.parse().unwrap()));
        let (store, sealing_key) = SqliteStore::open(directory.path(), &*entropy).await.unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        everyone(&*store, &*clock, &*entropy).await.unwrap();
        let provider = Arc::new(KeyMaker::new(sealing_key.clone(), entropy.clone(), clock.clone()));
        let api = ManagementApi::new(ManagementConfig {
            base_url: ORIGIN.parse().unwrap(),
            other_origins: Vec::new(),
            store: store.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            sealing_key,
            sign_in: kubesso_directory::SignInRules::default(),
            provider: provider.clone(),
        });
        let router = api.router();
        let mut org =
            Self { clock, entropy, store, provider, router, token: String::new(), _directory: directory };
        org.token = org.api_token("terraform", AdminRole::SuperAdmin, None).await;
        org
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) async fn commit(&self, changes: Vec<Change>) {
        self.store.commit(Batch::new(self.now(), changes)).await.unwrap();
    }

    /// Makes an API token, and says its value.
    pub(crate) async fn api_token(&self, name: &str, role: AdminRole, user: Option<UserId>) -> String {
        let value = ApiTokenValue::generate(&*self.entropy);
        let token = ApiToken {
            id: ApiTokenId::generate(&*self.entropy),
            name: Label::parse(name).unwrap(),
            hash: value.hash(),
            roles: [role].into(),
            user,
            created: self.now(),
            expires: None,
        };
        self.commit(vec![Change::PutApiToken(token)]).await;
        value.expose().to_owned()
    }

    /// Makes an active user.
    pub(crate) async fn user(&self, login: &str) -> User {
        let profile = UserProfile::with_email(Email::parse(login).unwrap()).unwrap();
        let user =
            User::new(UserId::generate(&*self.entropy), profile, self.now()).activate(self.now()).unwrap();
        self.commit(vec![Change::PutUser(user.clone())]).await;
        user
    }

    /// Makes a group.
    pub(crate) async fn group(&self, name: &str) -> Group {
        let group =
            Group::new(GroupId::generate(&*self.entropy), GroupName::parse(name).unwrap(), "", self.now());
        self.commit(vec![Change::PutGroup(group.clone())]).await;
        group
    }

    /// Gives a role.
    pub(crate) async fn assign_role(&self, holder: RoleHolder, role: AdminRole) {
        let id = RoleAssignmentId::generate(&*self.entropy);
        self.commit(vec![Change::AssignRole(RoleAssignment { id, holder, role, created: self.now() })]).await;
    }

    /// Sends a request by the super administrator's token.
    pub(crate) async fn call(&self, method: &str, path: &str, body: impl Into<Option<Value>>) -> Answer {
        self.call_by(&self.token, method, path, body).await
    }

    /// Sends a request by an API token.
    pub(crate) async fn call_by(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: impl Into<Option<Value>>,
    ) -> Answer {
        self.call_with(&format!("SSWS {token}"), method, path, body).await
    }

    /// Sends a request of a person at the command line.
    pub(crate) async fn call_person(
        &self,
        person: &User,
        method: &str,
        path: &str,
        body: impl Into<Option<Value>>,
    ) -> Answer {
        self.call_with(&format!("Bearer person.{}", person.id), method, path, body).await
    }

    /// Sends a request with what the header `Authorization` says.
    pub(crate) async fn call_with(
        &self,
        authorization: &str,
        method: &str,
        path: &str,
        body: impl Into<Option<Value>>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path)
            .header(header::AUTHORIZATION, authorization);
        let body = match body.into() {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status, headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Option<Value>>) -> Answer {
        self.call("POST", path, body).await
    }

    pub(crate) async fn put(&self, path: &str, body: impl Into<Option<Value>>) -> Answer {
        self.call("PUT", path, body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, None).await
    }

    /// The types of the audit trail's events, sorted.
    pub(crate) async fn events(&self) -> Vec<String> {
        let mut events: Vec<_> = self.audit().await.into_iter().map(|(event, _)| event).collect();
        events.sort();
        events
    }

    /// What the audit trail says, the latest first: event type and target.
    pub(crate) async fn audit(&self) -> Vec<(String, String)> {
        let events = self.store.audit_events(10_000).await.unwrap();
        events.into_iter().map(|event| (event.event_type, event.target.unwrap_or_default())).collect()
    }
}

/// An object with changes: objects member by member, everything else as it is given.
pub(crate) fn merged(mut into: Value, changes: Value) -> Value {
    match (&mut into, changes) {
        (Value::Object(members), Value::Object(changes)) => {
            for (name, change) in changes {
                let merged = merged(members.remove(&name).unwrap_or_default(), change);
                members.insert(name, merged);
            }
            into
        }
        (_, other) => other,
    }
}
