//! Asking a live cluster: each hop for itself, all at once, each with an end.

mod access;
mod call;
mod control_plane;
mod echo;
mod look;
mod metrics;
mod settings;

use std::collections::BTreeSet;
use std::sync::Arc;

use kubesso_ambient::Clock;
use kubesso_clusters::KubernetesVersion;
use kubesso_https::{ClientError, Identity, Link, subjects};
use kubesso_k8s_types::Secret;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::evidence::{Evidence, HopKind, LiveEvidence};
use call::Caller;
pub use echo::EchoWish;

/// How somebody proves who they are to an API server.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// A client certificate.
    pub identity: Option<Arc<Identity>>,
    /// A token.
    pub token: Option<Secret>,
}

impl Credentials {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.identity.is_none() && self.token.is_none()
    }
}

/// Which cluster, and as whom.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The kubeconfig's server.
    pub server: String,
    /// Whom it trusts, and by which way it goes.
    pub link: Link,
    /// The authorities as PEM, if they are not the machine's.
    pub ca_pem: Option<String>,
    /// Who reads settings, metrics and bindings: the context's own user, or an administrator. Empty: the person.
    pub reader: Credentials,
    /// The context's own user, as far as the file holds what proves it.
    pub person: Credentials,
    /// Addresses of API servers that somebody named.
    pub endpoints: Vec<String>,
    /// An echo in a container, through each hop.
    pub echo: Option<EchoWish>,
}

/// Asks the cluster, and adds what it answers to the evidence; settings and bindings only where nobody gave any.
///
/// # Errors
/// The authorities or the certificate of the kubeconfig are unusable.
pub async fn ask_cluster(
    evidence: &mut Evidence,
    cluster: &Cluster,
    clock: Arc<dyn Clock>,
) -> Result<(), ClientError> {
    let person = evidence.token().map(|token| Secret::new(token.expose().trim().to_owned()));
    let credentials = Credentials { identity: None, token: person };
    let as_whom = if cluster.reader.is_empty() { &credentials } else { &cluster.reader };
    let reader = Caller::new(&cluster.server, &cluster.link, as_whom)?;
    let (endpoints, mut found, bindings, rules, control_plane) = tokio::join!(
        endpoints(&reader, cluster),
        settings::discover(&reader, &cluster.server, evidence.settings.is_some()),
        bindings(&reader, evidence.rbac.is_some()),
        rules(cluster, &credentials),
        control_plane::control_plane(&reader),
    );
    let mut looks = JoinSet::new();
    let addresses: Vec<_> = std::iter::once((cluster.server.clone(), HopKind::Kubeconfig))
        .chain(endpoints.into_iter().map(|url| (url, HopKind::Endpoint)))
        .collect();
    for (number, (url, kind)) in addresses.iter().cloned().enumerate() {
        let (link, reader, person) = (cluster.link.clone(), as_whom.clone(), credentials.clone());
        let clock = Arc::clone(&clock);
        looks.spawn(async move { (number, look::look(url, kind, &link, &reader, &person, &*clock).await) });
    }
    // As the person's own exec would be; where nobody gave a token, as the context's user.
    let executor = if credentials.is_empty() { as_whom } else { &credentials };
    let echo = async {
        let Some(wish) = &cluster.echo else { return Ok(None) };
        echo::echo(wish, &addresses, &cluster.link, executor).await.map(Some)
    };
    let (mut hops, echo) = tokio::join!(looks.join_all(), echo);
    hops.sort_by_key(|(number, _)| *number);
    let hops: Result<Vec<_>, _> = hops.into_iter().map(|(_, hop)| hop).collect();
    let hops = hops?;
    if let Some(settings) = &mut found.settings {
        settings.kubernetes = hops.iter().find_map(|hop| release(hop.version.as_ref()?));
    }
    if evidence.settings.is_none() {
        evidence.settings = found.settings;
    }
    let lacks_bindings = bindings.is_none();
    if evidence.rbac.is_none() {
        evidence.rbac = bindings;
    }
    evidence.live = Some(LiveEvidence {
        hops,
        route: Some(cluster.link.route.to_string()).filter(|route| !route.is_empty()),
        trusted_subjects: cluster.ca_pem.as_deref().map(subjects).unwrap_or_default(),
        control_plane,
        looked: found.looked,
        rules: if lacks_bindings { rules } else { Vec::new() },
        caller: None,
        echo: echo?,
    });
    let own = if credentials.is_empty() { &cluster.person } else { &credentials };
    let own = if own.is_empty() { None } else { Some(Caller::new(&cluster.server, &cluster.link, own)?) };
    if credentials.is_empty()
        && !evidence.access.is_empty()
        && let (Some(own), Some(live)) = (&own, &mut evidence.live)
    {
        live.caller = access::who(own).await;
    }
    access::ask(evidence, own.as_ref(), &reader).await;
    Ok(())
}

/// The API servers behind the service `kubernetes`, and those that somebody named; without the kubeconfig's own.
async fn endpoints(reader: &Caller, cluster: &Cluster) -> Vec<String> {
    const SLICES: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=\
                          kubernetes.io%2Fservice-name%3Dkubernetes";
    let mut found: BTreeSet<String> = cluster.endpoints.iter().map(|url| normal(url)).collect();
    if let Ok(list) = reader.json(SLICES).await {
        let items = list.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        for slice in &items {
            let ports = slice.get("ports").and_then(Value::as_array).cloned().unwrap_or_default();
            let port = ports.iter().find_map(|port| port.get("port")?.as_u64()).unwrap_or(443);
            let of_slice = slice.get("endpoints").and_then(Value::as_array).cloned().unwrap_or_default();
            let addresses = of_slice.iter().filter_map(|it| it.get("addresses")?.as_array()).flatten();
            found.extend(addresses.filter_map(Value::as_str).map(|address| {
                if address.contains(':') {
                    format!("https://[{address}]:{port}")
                } else {
                    format!("https://{address}:{port}")
                }
            }));
        }
    }
    found.remove(&normal(&cluster.server));
    found.into_iter().collect()
}

/// The version, if it is a release: who builds an API server without saying which gets 0.0.
fn release(version: &str) -> Option<KubernetesVersion> {
    version.parse().ok().filter(|version| *version >= KubernetesVersion::new(1, 0))
}

/// Without a slash at the end, and with https if no scheme was given.
fn normal(url: &str) -> String {
    let url = url.trim_end_matches('/');
    if url.contains("://") { url.to_owned() } else { format!("https://{url}") }
}

/// All roles and bindings, if the reader may see them.
async fn bindings(reader: &Caller, is_given: bool) -> Option<crate::evidence::RbacEvidence> {
    if is_given || reader.is_nobody() {
        return None;
    }
    let path = |resource: &str| format!("/apis/rbac.authorization.k8s.io/v1/{resource}");
    let (cluster_roles, cluster_role_bindings, roles, role_bindings) =
        (path("clusterroles"), path("clusterrolebindings"), path("roles"), path("rolebindings"));
    let lists = tokio::try_join!(
        reader.json(&cluster_roles),
        reader.json(&cluster_role_bindings),
        reader.json(&roles),
        reader.json(&role_bindings),
    );
    let (cluster_roles, cluster_role_bindings, roles, role_bindings) = lists.ok()?;
    let kinds = [
        ("ClusterRole", cluster_roles),
        ("ClusterRoleBinding", cluster_role_bindings),
        ("Role", roles),
        ("RoleBinding", role_bindings),
    ];
    // An element of a list does not say its kind.
    let items = kinds.into_iter().flat_map(|(kind, mut list)| {
        let items =
            list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
        items.into_iter().map(move |mut item| {
            item["kind"] = kind.into();
            item
        })
    });
    let mut evidence = crate::evidence::RbacEvidence::default();
    evidence.add_objects(items).ok()?;
    Some(evidence)
}

/// What the person may do in `default`, in the API server's words.
async fn rules(cluster: &Cluster, person: &Credentials) -> Vec<String> {
    if person.is_empty() {
        return Vec::new();
    }
    let Ok(caller) = Caller::new(&cluster.server, &cluster.link, person) else { return Vec::new() };
    let body = serde_json::json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": "default"},
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let Ok((201, review)) = caller.post(path, &body).await else { return Vec::new() };
    let rules =
        review.pointer("/status/resourceRules").and_then(Value::as_array).cloned().unwrap_or_default();
    let words = |rule: &Value, name: &str| {
        let list = rule.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
    };
    let is_everybodys = |rule: &&Value| {
        let groups = words(rule, "apiGroups");
        groups == "authorization.k8s.io" || groups == "authentication.k8s.io"
    };
    let own = rules.iter().filter(|rule| !is_everybodys(rule));
    own.map(|rule| format!("{} {}", words(rule, "verbs"), words(rule, "resources"))).collect()
}
