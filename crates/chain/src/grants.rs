//! What groups may do, as objects of RBAC: wanted, found, and the way between.

use std::fmt::Write as _;

use kubesso_clusters::{Access, Grant, GrantedRole, Mapping};
use kubesso_k8s_types::rbac::{PolicyRule, RoleRef, Subject};
use serde_json::{Value, json};

use crate::file::{AccessFile, ClusterSection, GrantSection};
use crate::marker::{ChainName, Owner};
use crate::okta_form::set;
use crate::resource::{Address, Field, FieldValue, Found, Kind, Wanted};
use crate::rest_api::{ApiError, RestApi};
use crate::wanted::Fields;

const GROUP: &str = "/apis/rbac.authorization.k8s.io/v1";
/// By which label an object is ours.
const CHAIN_LABEL: &str = "kubesso.io/chain";
/// Who made it, as Kubernetes recommends to say it.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Who wrote a field, as the API server remembers it.
pub const FIELD_MANAGER: &str = "kubesso";

impl Kind {
    /// The plural name in addresses, for what a cluster stores.
    fn resource(self) -> Option<&'static str> {
        match self {
            Self::ClusterRole => Some("clusterroles"),
            Self::Role => Some("roles"),
            Self::ClusterRoleBinding => Some("clusterrolebindings"),
            Self::RoleBinding => Some("rolebindings"),
            _ => None,
        }
    }

    fn kubernetes_name(self) -> &'static str {
        match self {
            Self::ClusterRole => "ClusterRole",
            Self::Role => "Role",
            Self::ClusterRoleBinding => "ClusterRoleBinding",
            _ => "RoleBinding",
        }
    }
}

const KINDS: [Kind; 4] = [Kind::ClusterRole, Kind::Role, Kind::ClusterRoleBinding, Kind::RoleBinding];

/// An object as it is wanted, with what is sent.
#[derive(Clone, Debug)]
pub struct WantedObject {
    /// Its fields.
    pub wanted: Wanted,
    /// What server-side apply is given.
    pub object: Value,
}

impl AccessFile {
    /// The objects that the grants come to on a cluster. `access` says which prefix groups have there.
    pub fn grants_on(
        &self,
        cluster: &ClusterSection,
        access: Option<&Access>,
        chain: &ChainName,
    ) -> Vec<WantedObject> {
        let prefix = access.map(group_prefix).unwrap_or_default();
        let mut objects: Vec<WantedObject> = Vec::new();
        let is_here =
            |grant: &&GrantSection| grant.clusters.as_ref().is_none_or(|names| names.contains(&cluster.name));
        for grant in self.grants.iter().filter(is_here) {
            for object in of_grant(grant, &prefix, &cluster.name, Some(chain)) {
                // Two grants of one role need the role once.
                if !objects.iter().any(|known| known.wanted.address == object.wanted.address) {
                    objects.push(object);
                }
            }
        }
        objects
    }
}

fn group_prefix(access: &Access) -> String {
    let mapping = access.issuers.first().and_then(|issuer| issuer.groups.as_ref());
    match mapping {
        Some(Mapping::Claim { prefix, .. }) => prefix.clone(),
        _ => String::new(),
    }
}

/// The objects of a grant that belongs to no file, on the cluster of that name.
pub fn single_grant(grant: &Grant, cluster: &str) -> Vec<WantedObject> {
    let role = match &grant.role {
        GrantedRole::ClusterRole(name) => name,
        GrantedRole::PodReader => GrantedRole::POD_READER,
    };
    let section = GrantSection {
        group: grant.group.clone(),
        role: role.to_owned(),
        namespace: grant.namespace.clone(),
        rules: Vec::new(),
        name: None,
        clusters: None,
    };
    of_grant(&section, "", cluster, None)
}

fn of_grant(
    grant: &GrantSection,
    prefix: &str,
    cluster: &str,
    chain: Option<&ChainName>,
) -> Vec<WantedObject> {
    let group = format!("{prefix}{}", grant.group);
    let is_pod_reader = grant.role == GrantedRole::POD_READER && grant.rules.is_empty();
    let rules: Vec<PolicyRule> = if is_pod_reader {
        vec![PolicyRule::resources(&["get", "list", "watch"], &[""], &["pods", "services"])]
    } else {
        grant.rules.iter().map(super::file::RuleOfRole::policy_rule).collect()
    };
    let namespace = grant.namespace.as_deref();
    let mut objects = Vec::new();
    let makes_role = !rules.is_empty();
    if makes_role {
        let kind = if namespace.is_some() { Kind::Role } else { Kind::ClusterRole };
        objects.push(role(kind, &grant.role, namespace, &rules, cluster, chain));
    }
    let role_ref = if makes_role && namespace.is_some() {
        RoleRef::role(&grant.role)
    } else {
        RoleRef::cluster_role(&grant.role)
    };
    let kind = if namespace.is_some() { Kind::RoleBinding } else { Kind::ClusterRoleBinding };
    let name = grant.name.clone().unwrap_or_else(|| format!("{}-{}", plain(&group), plain(&grant.role)));
    let subjects = vec![Subject::group(&group)];
    objects.push(binding(kind, &name, namespace, &role_ref, &subjects, cluster, chain));
    objects
}

/// Text that a name may hold.
fn plain(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '.';
    let text: String =
        text.to_lowercase().chars().map(|letter| if is_plain(letter) { letter } else { '-' }).collect();
    text.trim_matches(['-', '.']).to_owned()
}

fn address(kind: Kind, name: &str, namespace: Option<&str>, cluster: &str) -> Address {
    let within = namespace.into_iter().chain([cluster]).map(str::to_owned).collect();
    Address { kind, name: name.to_owned(), within }
}

fn object(kind: Kind, name: &str, namespace: Option<&str>, chain: Option<&ChainName>) -> Value {
    let mut object = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind.kubernetes_name(),
        "metadata": { "name": name, "labels": { MANAGED_BY: FIELD_MANAGER } },
    });
    if let Some(chain) = chain {
        object["metadata"]["labels"][CHAIN_LABEL] = chain.as_str().into();
    }
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = namespace.into();
    }
    object
}

fn role(
    kind: Kind,
    name: &str,
    namespace: Option<&str>,
    rules: &[PolicyRule],
    cluster: &str,
    chain: Option<&ChainName>,
) -> WantedObject {
    let mut object = object(kind, name, namespace, chain);
    object["rules"] = json!(rules);
    let address = address(kind, name, namespace, cluster);
    let fields = Fields::default().add("rules", set(rules.iter().map(rule_text)));
    WantedObject { wanted: fields.of(address), object }
}

fn binding(
    kind: Kind,
    name: &str,
    namespace: Option<&str>,
    role: &RoleRef,
    subjects: &[Subject],
    cluster: &str,
    chain: Option<&ChainName>,
) -> WantedObject {
    let mut object = object(kind, name, namespace, chain);
    object["roleRef"] = json!(role);
    object["subjects"] = json!(subjects);
    let address = address(kind, name, namespace, cluster);
    let fields = Fields::default()
        .add("role", format!("{} {}", role.kind, role.name))
        .add("subjects", set(subjects.iter().map(subject_text)));
    WantedObject { wanted: fields.of(address), object }
}

/// `get, list on pods, services`
fn rule_text(rule: &PolicyRule) -> String {
    let sorted = |words: &[String]| {
        let mut words = words.to_vec();
        words.sort();
        words.join(", ")
    };
    let mut text = format!("{} on ", sorted(&rule.verbs));
    text.push_str(&sorted(&if rule.non_resource_urls.is_empty() {
        rule.resources.clone()
    } else {
        rule.non_resource_urls.clone()
    }));
    if rule.api_groups.iter().any(|group| !group.is_empty()) {
        // Writing to a String cannot fail.
        let _ = write!(text, " of {:?}", sorted(&rule.api_groups));
    }
    if !rule.resource_names.is_empty() {
        let _ = write!(text, " named {}", sorted(&rule.resource_names));
    }
    text
}

/// `Group k8s-admins`
fn subject_text(subject: &Subject) -> String {
    if subject.namespace.is_empty() {
        format!("{} {}", subject.kind, subject.name)
    } else {
        format!("{} {}/{}", subject.kind, subject.namespace, subject.name)
    }
}

fn path(kind: Kind, namespace: Option<&str>, name: &str) -> String {
    let resource = kind.resource().unwrap_or_default();
    match namespace {
        Some(namespace) => format!("{GROUP}/namespaces/{namespace}/{resource}/{name}"),
        None => format!("{GROUP}/{resource}/{name}"),
    }
}

fn found(kind: Kind, raw: Value, cluster: &str, chain: Option<&ChainName>) -> Found {
    let text = |pointer: &str| raw.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (name, namespace) = (text("/metadata/name"), text("/metadata/namespace"));
    let namespace = Some(namespace.as_str()).filter(|namespace| !namespace.is_empty());
    let label = raw["metadata"]["labels"][CHAIN_LABEL].as_str();
    let owner = match label {
        Some(label) if chain.is_some_and(|chain| label == chain.as_str()) => Owner::Ours,
        Some(other) => Owner::Another(other.to_owned()),
        None => Owner::Somebody,
    };
    let known = |name, value| Field { name, value: FieldValue::Known(value) };
    let fields = match kind {
        Kind::ClusterRole | Kind::Role => {
            let rules: Vec<PolicyRule> = serde_json::from_value(raw["rules"].clone()).unwrap_or_default();
            vec![known("rules", set(rules.iter().map(rule_text)))]
        }
        _ => {
            let subjects: Vec<Subject> = serde_json::from_value(raw["subjects"].clone()).unwrap_or_default();
            let role = format!("{} {}", text("/roleRef/kind"), text("/roleRef/name"));
            vec![known("role", role.into()), known("subjects", set(subjects.iter().map(subject_text)))]
        }
    };
    // What every cluster has from its start.
    let is_bootstrap = raw["metadata"]["labels"]["kubernetes.io/bootstrapping"].is_string();
    Found {
        address: address(kind, &name, namespace, cluster),
        fields,
        owner,
        protected: is_bootstrap.then_some("every cluster has it from its start"),
        path: path(kind, namespace, &name),
        raw,
    }
}

/// What of it a cluster has: the objects of these names, and those with our label.
///
/// # Errors
/// The API server refuses, or is not reached.
pub async fn read_grants(
    api: &impl RestApi,
    cluster: &ClusterSection,
    wanted: &[WantedObject],
    chain: &ChainName,
) -> Result<Vec<Found>, ApiError> {
    let mut all = read_named(api, &cluster.name, wanted, Some(chain)).await?;
    for kind in KINDS {
        let resource = kind.resource().unwrap_or_default();
        let list = format!("{GROUP}/{resource}?labelSelector={CHAIN_LABEL}%3D{chain}");
        let answer = api.call("GET", &list, None).await?;
        for object in answer.body["items"].as_array().into_iter().flatten() {
            let found = found(kind, object.clone(), &cluster.name, Some(chain));
            if !all.iter().any(|known| known.address == found.address) {
                all.push(found);
            }
        }
    }
    Ok(all)
}

/// What of a grant that belongs to no file a cluster has. What a file has brought, and is as it is wanted, is nobody's here.
///
/// # Errors
/// The API server refuses, or is not reached.
pub async fn read_single_grant(
    api: &impl RestApi,
    cluster: &str,
    wanted: &[WantedObject],
) -> Result<Vec<Found>, ApiError> {
    let mut all = read_named(api, cluster, wanted, None).await?;
    for found in &mut all {
        let is_as_wanted = wanted.iter().any(|object| {
            let mut fields = object.wanted.fields.iter();
            object.wanted.address == found.address
                && fields.all(|field| found.field(field.name) == Some(&field.value))
        });
        let labels = &found.raw["metadata"]["labels"];
        if labels[CHAIN_LABEL].is_null() && labels[MANAGED_BY] == FIELD_MANAGER {
            found.owner = Owner::Ours;
        } else if is_as_wanted {
            found.owner = Owner::Somebody;
        }
    }
    Ok(all)
}

async fn read_named(
    api: &impl RestApi,
    cluster: &str,
    wanted: &[WantedObject],
    chain: Option<&ChainName>,
) -> Result<Vec<Found>, ApiError> {
    let mut all: Vec<Found> = Vec::new();
    for WantedObject { wanted, object } in wanted {
        let kind = wanted.address.kind;
        let namespace = object["metadata"]["namespace"].as_str();
        match api.call("GET", &path(kind, namespace, &wanted.address.name), None).await {
            Ok(answer) => all.push(found(kind, answer.body, cluster, chain)),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// Whether a binding names a ClusterRole that a cluster does not have: it is taken, and gives nothing.
///
/// # Errors
/// The API server refuses, or is not reached.
pub async fn missing_role(api: &impl RestApi, wanted: &[WantedObject]) -> Result<Option<String>, ApiError> {
    for WantedObject { object, .. } in wanted {
        if object["roleRef"]["kind"] != "ClusterRole" {
            continue;
        }
        let name = object["roleRef"]["name"].as_str().unwrap_or_default();
        match api.call("GET", &path(Kind::ClusterRole, None, name), None).await {
            Err(error) if error.is_not_found() => return Ok(Some(name.to_owned())),
            answer => answer.map(drop)?,
        }
    }
    Ok(None)
}

/// Whether an API server is asked to write, or only whether it would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// It writes.
    ForReal,
    /// It judges the request to the end, and writes nothing (`dryRun=All`).
    OnTrial,
}

impl Write {
    fn path(self, path: &str) -> String {
        match self {
            Self::ForReal => path.to_owned(),
            Self::OnTrial => format!("{path}?dryRun=All"),
        }
    }
}

/// Brings one object to what is wanted, or away.
///
/// # Errors
/// What the API server said.
pub async fn apply_grant(
    api: &impl RestApi,
    object: Option<&WantedObject>,
    found: Option<&Found>,
    is_replaced: bool,
    write: Write,
) -> Result<(), ApiError> {
    if let Some(found) = found
        && (object.is_none() || is_replaced)
    {
        match api.call("DELETE", &write.path(&found.path), None).await {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
        // What is still there cannot be made anew on trial.
        if write == Write::OnTrial {
            return Ok(());
        }
    }
    let Some(WantedObject { wanted, object }) = object else { return Ok(()) };
    let mut object = object.clone();
    if let Some(found) = found.filter(|_| !is_replaced) {
        // It is as the plan showed it, or the API server refuses.
        object["metadata"]["resourceVersion"] = found.raw["metadata"]["resourceVersion"].clone();
        if found.owner != Owner::Ours
            && let Some(metadata) = object["metadata"].as_object_mut()
        {
            metadata.remove("labels");
        }
    }
    let namespace = object["metadata"]["namespace"].as_str();
    let path = path(wanted.address.kind, namespace, &wanted.address.name);
    let trial = if write == Write::OnTrial { "&dryRun=All" } else { "" };
    let apply = format!("{path}?fieldManager={FIELD_MANAGER}&force=true{trial}");
    match api.call("PATCH", &apply, Some(&object)).await {
        Err(error) if error.knows_no_apply() => {
            write_whole(api, &path, object, found.filter(|_| !is_replaced), write).await
        }
        answer => answer.map(drop),
    }
}

/// Where an API server has no server-side apply: what is not ours in an object is sent back as it was.
async fn write_whole(
    api: &impl RestApi,
    path: &str,
    object: Value,
    found: Option<&Found>,
    write: Write,
) -> Result<(), ApiError> {
    let Some(found) = found else {
        let collection = path.rsplit_once('/').map_or(path, |(collection, _)| collection);
        return api.call("POST", &write.path(collection), Some(&object)).await.map(drop);
    };
    let mut whole = found.raw.clone();
    for key in ["rules", "roleRef", "subjects"] {
        if let Some(value) = object.get(key) {
            whole[key] = value.clone();
        }
    }
    api.call("PUT", &write.path(path), Some(&whole)).await.map(drop)
}

/// Why an API server does not write an object of RBAC, and who could.
pub fn refusal(error: &ApiError, address: &Address) -> String {
    let ApiError::Refused { status: 403, said, .. } = error else { return error.to_string() };
    // The words of kube-apiserver (`pkg/registry/rbac/escalation_check.go`).
    if !said.contains("attempting to grant RBAC permissions not currently held") {
        let resource = address.kind.resource().unwrap_or_default();
        return format!(
            "{said}. It takes the verbs `get`, `create` and `patch` on {resource}: use an administrator's context"
        );
    }
    let instead = match address.kind {
        Kind::ClusterRole | Kind::Role => "the verb `escalate` on it",
        _ => "the verb `bind` on that role",
    };
    format!(
        "{said}. Nobody gives away what they do not have: whoever does this needs the same permissions, or {instead}, as \
         cluster-admin has; use an administrator's context"
    )
}
