//! One sandbox and one real cluster with the same objects, shared by the tests that only need both.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::apiserver::{ApiServer, Oidc};
use crate::deadline::eventually;
use crate::form::{FormClient, Tokens};
use crate::kubesso::{Kubesso, email};
use crate::reply::{Call, Cluster};

/// `kubesso up` and a real kube-apiserver that trusts its provider, with the first world in both.
#[derive(Debug)]
pub struct World {
    /// The binary under test.
    pub kubesso: Kubesso,
    /// The real one.
    pub real: ApiServer,
    tokens: BTreeMap<&'static str, Tokens>,
}

/// The people who can sign in to the application.
pub const PEOPLE: [&str; 3] = ["admin", "dev", "guest"];

/// Collections that are copied, with what they need before them.
const COLLECTIONS: &[&str] = &[
    "/api/v1/namespaces",
    "/api/v1/nodes",
    "/api/v1/serviceaccounts",
    "/api/v1/services",
    "/api/v1/configmaps",
    "/api/v1/secrets",
    "/api/v1/pods",
    "/apis/apps/v1/deployments",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/rbac.authorization.k8s.io/v1/roles",
    "/apis/rbac.authorization.k8s.io/v1/rolebindings",
];

/// The shared pair, for one test at a time: what a test creates, it deletes before it lets go.
///
/// # Errors
/// It could not be started.
pub async fn shared() -> Result<(&'static World, MutexGuard<'static, ()>)> {
    static WORLD: OnceCell<World> = OnceCell::const_new();
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = TURN.lock().await;
    Ok((WORLD.get_or_try_init(World::start).await?, turn))
}

impl World {
    /// Starts both, copies the objects and signs everybody in once.
    ///
    /// # Errors
    /// Something did not start.
    pub async fn start() -> Result<Self> {
        let kubesso = Kubesso::up().await?;
        let ready = &kubesso.ready;
        let oidc = Oidc { issuer: &ready.issuer, client_id: &ready.client_id, ca: &ready.ca };
        let real = ApiServer::start(&oidc).await?;
        let mut tokens = BTreeMap::new();
        for who in PEOPLE {
            let mut browser = FormClient::new(&kubesso.ca_pem()?)?;
            let password = kubesso.password(who)?;
            let issued = browser.tokens(&ready.issuer, &ready.client_id, &email(who), &password).await;
            tokens.insert(who, issued.with_context(|| format!("{who} signs in"))?);
        }
        let world = Self { kubesso, real, tokens };
        world.copy_objects().await?;
        world.wait_until_real_trusts().await?;
        Ok(world)
    }

    /// The tokens of one of [`PEOPLE`].
    ///
    /// # Errors
    /// Nobody of that name signed in.
    pub fn tokens(&self, who: &str) -> Result<&Tokens> {
        self.tokens.get(who).with_context(|| format!("{who} has not signed in"))
    }

    /// The ID token of one of [`PEOPLE`]; `None` for the outsider, who has none.
    pub fn id_token(&self, who: &str) -> Option<&str> {
        self.tokens.get(who).map(|tokens| tokens.id_token.as_str())
    }

    /// The sandbox, for calls. Made for each test, because a connection ends with the runtime that opened it.
    ///
    /// # Errors
    /// Its authority's file is gone.
    pub fn sandbox(&self) -> Result<Cluster> {
        Cluster::new("sandbox", &self.kubesso.ready.cluster, &self.kubesso.ca_pem()?)
    }

    /// The real one, for calls.
    ///
    /// # Errors
    /// Its authority does not load.
    pub fn real(&self) -> Result<Cluster> {
        Cluster::new("real", &self.real.url, &self.real.ca_pem)
    }

    async fn copy_objects(&self) -> Result<()> {
        let sandbox = self.sandbox()?;
        let administrator = self.real.administrator()?;
        for collection in COLLECTIONS {
            let reply = sandbox.call(&Call::get(collection).with_token(self.id_token("admin"))).await?;
            ensure!(reply.status == 200, "{collection} of the sandbox: {} {}", reply.status, reply.body);
            let list = reply.json()?;
            let (group, plural) = collection.rsplit_once('/').context("a collection has a name")?;
            for item in list["items"].as_array().into_iter().flatten() {
                if item["metadata"]["labels"]["kubernetes.io/bootstrapping"].is_string() {
                    continue;
                }
                let mut object = item.clone();
                object["apiVersion"] = list["apiVersion"].clone();
                object["kind"] =
                    Value::from(list["kind"].as_str().unwrap_or_default().trim_end_matches("List"));
                let target = match item["metadata"]["namespace"].as_str() {
                    Some(namespace) => format!("{group}/namespaces/{namespace}/{plural}"),
                    None => (*collection).to_owned(),
                };
                self.real.create(&administrator, &target, &object).await?;
            }
        }
        Ok(())
    }

    /// kube-apiserver fetches the discovery document in the background; until then it answers 401.
    async fn wait_until_real_trusts(&self) -> Result<()> {
        let real = self.real()?;
        let call = Call::get("/api/v1/namespaces").with_token(self.id_token("admin"));
        eventually("the real kube-apiserver knows the provider", Duration::from_secs(30), async || {
            Ok((real.call(&call).await?.status == 200).then_some(()))
        })
        .await
    }
}
