//! Impersonation (`kubectl --as`), as kube-apiserver 1.36 decides it: four constrained modes (KEP-5284), each
//! with its own pair of permissions, and the legacy verb `impersonate` last.
//!
//! Source: apiserver `pkg/endpoints/filters/impersonation`. When all modes refuse, the first refusal is the
//! answer; the mode that last succeeded for a requester is tried first, and so its refusal is the one that such a
//! requester sees.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use http::HeaderMap;
use kubesso_authz::{Attributes, ResourceTarget, Target, forbidden_status};
use kubesso_k8s_types::{UserInfo, go};
use percent_encoding::percent_decode_str;

use crate::access::Access;
use crate::admission::names;
use crate::status::ApiError;

const AUTHENTICATION: &str = "authentication.k8s.io";
const EXTRA_HEADER: &str = "impersonate-extra-";
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";
/// From this many values on, one check for all of them is tried first.
const MANY: usize = 4;
/// How many requesters' last successful modes are remembered.
const REMEMBERED: usize = 10_000;

/// How a user may become another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    AssociatedNode,
    ArbitraryNode,
    ServiceAccount,
    UserInfo,
    Legacy,
}

const MODES: [Mode; 5] =
    [Mode::AssociatedNode, Mode::ArbitraryNode, Mode::ServiceAccount, Mode::UserInfo, Mode::Legacy];

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::AssociatedNode => "associated-node",
            Self::ArbitraryNode => "arbitrary-node",
            Self::ServiceAccount => "serviceaccount",
            Self::UserInfo => "user-info",
            Self::Legacy => "",
        }
    }

    fn verb(self) -> String {
        match self {
            Self::Legacy => "impersonate".to_owned(),
            mode => format!("impersonate:{}", mode.name()),
        }
    }

    fn applies(self, wanted: &UserInfo, requester: &UserInfo) -> bool {
        let only_name = wanted.uid.is_empty() && wanted.groups.is_empty() && wanted.extra.is_empty();
        let node = node_name(&wanted.username);
        let account = service_account(&wanted.username);
        match self {
            Self::AssociatedNode => {
                let own = requester.extra.get(NODE_NAME).map(Vec::as_slice);
                only_name
                    && service_account(&requester.username).is_some()
                    && node.is_some_and(|node| matches!(own, Some([own]) if own == node))
            }
            Self::ArbitraryNode => only_name && node.is_some(),
            Self::ServiceAccount => only_name && account.is_some(),
            Self::UserInfo => node.is_none() && account.is_none(),
            Self::Legacy => true,
        }
    }
}

/// Who last succeeded how.
#[derive(Debug, Default)]
pub(crate) struct Impersonation {
    last: Mutex<HashMap<String, Mode>>,
}

impl Impersonation {
    /// The user that the request is to be decided for: the wanted one if it asks for one and may.
    pub(crate) fn resolve(
        &self,
        headers: &HeaderMap,
        attributes: Attributes,
        access: &Access,
    ) -> Result<UserInfo, ApiError> {
        let Some(wanted) = wanted_user(headers)? else { return Ok(attributes.user) };
        let last = self.remembered(&attributes.user.username);
        let others = MODES.into_iter().filter(|mode| Some(*mode) != last);
        let mut first_refusal = None;
        for mode in last.into_iter().chain(others) {
            if !mode.applies(&wanted, &attributes.user) {
                continue;
            }
            match check(mode, &wanted, &attributes, access) {
                Ok(user) => {
                    self.remember(&attributes.user.username, mode);
                    return Ok(user);
                }
                Err(refusal) => {
                    first_refusal.get_or_insert(refusal);
                }
            }
        }
        Err(first_refusal.unwrap_or_else(|| ApiError::internal("all impersonation modes failed")))
    }

    fn remembered(&self, requester: &str) -> Option<Mode> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).get(requester).copied()
    }

    fn remember(&self, requester: &str, mode: Mode) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() >= REMEMBERED && !last.contains_key(requester) {
            last.clear();
        }
        last.insert(requester.to_owned(), mode);
    }
}

/// Whom the headers ask for; `None` if for nobody.
fn wanted_user(headers: &HeaderMap) -> Result<Option<UserInfo>, ApiError> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let first = |name: &str| headers.get(name).map(text).unwrap_or_default();
    let mut wanted = UserInfo {
        username: first("impersonate-user"),
        uid: first("impersonate-uid"),
        groups: headers.get_all("impersonate-group").iter().map(text).collect(),
        extra: BTreeMap::new(),
    };
    for (name, value) in headers {
        if let Some(key) = name.as_str().strip_prefix(EXTRA_HEADER) {
            // A key that does not decode is taken as it is.
            let key = percent_decode_str(key).decode_utf8().map_or_else(|_| key.to_owned(), Into::into);
            wanted.extra.entry(key).or_default().push(text(value));
        }
    }
    if !wanted.username.is_empty() {
        return Ok(Some(wanted));
    }
    if wanted.uid.is_empty() && wanted.groups.is_empty() && wanted.extra.is_empty() {
        return Ok(None);
    }
    let message = format!("requested {} without impersonating a user name", go_struct(&wanted));
    Err(ApiError::bad_request(message))
}

/// May the requester do this request in this mode, and be this user?
fn check(mode: Mode, wanted: &UserInfo, request: &Attributes, access: &Access) -> Result<UserInfo, ApiError> {
    let mut requester = request.user.clone();
    if mode == Mode::AssociatedNode {
        // Upstream's decisions are cached for all nodes, so neither the node nor the rest of the extra counts.
        let keys = requester.extra.keys().cloned().collect();
        requester.extra =
            BTreeMap::from([("authentication.kubernetes.io/associated-node-keys".to_owned(), keys)]);
    }
    let asks = Asks { mode, requester, access };
    if mode != Mode::Legacy {
        asks.allowed(&Attributes {
            user: asks.requester.clone(),
            verb: format!("impersonate-on:{}:{}", mode.name(), request.verb),
            target: request.target.clone(),
        })?;
    }
    let mut user = wanted.clone();
    asks.username(wanted, &mut user)?;
    if !wanted.uid.is_empty() {
        asks.may(AUTHENTICATION, "uids", "", "", &wanted.uid)?;
    }
    asks.groups(&wanted.groups)?;
    asks.extra(&wanted.extra)?;
    let must = if user.username == "system:anonymous" {
        "system:unauthenticated"
    } else if user.groups.iter().any(|group| group == "system:unauthenticated") {
        return Ok(user);
    } else {
        "system:authenticated"
    };
    if !user.groups.iter().any(|group| group == must) {
        user.groups.push(must.to_owned());
    }
    Ok(user)
}

/// Questions of one requester in one mode.
struct Asks<'a> {
    mode: Mode,
    requester: UserInfo,
    access: &'a Access,
}

impl Asks<'_> {
    fn attributes(
        &self,
        group: &str,
        resource: &str,
        subresource: &str,
        namespace: &str,
        name: &str,
    ) -> Attributes {
        Attributes {
            user: self.requester.clone(),
            verb: self.mode.verb(),
            target: Target::Resource(ResourceTarget {
                namespace: namespace.to_owned(),
                api_group: group.to_owned(),
                api_version: "v1".to_owned(),
                resource: resource.to_owned(),
                subresource: subresource.to_owned(),
                name: name.to_owned(),
                ..ResourceTarget::default()
            }),
        }
    }

    fn allowed(&self, attributes: &Attributes) -> Result<(), ApiError> {
        let verdict = self.access.authorize(attributes);
        if verdict.is_allowed() { Ok(()) } else { Err(forbidden_status(attributes, &verdict.reason).into()) }
    }

    fn may(
        &self,
        group: &str,
        resource: &str,
        subresource: &str,
        namespace: &str,
        name: &str,
    ) -> Result<(), ApiError> {
        self.allowed(&self.attributes(group, resource, subresource, namespace, name))
    }

    /// Users and groups are core resources for the legacy verb only.
    fn identity_group(&self) -> &'static str {
        if self.mode == Mode::Legacy { "" } else { AUTHENTICATION }
    }

    fn username(&self, wanted: &UserInfo, user: &mut UserInfo) -> Result<(), ApiError> {
        let group = self.identity_group();
        if let (Some(node), true) = (node_name(&wanted.username), self.mode != Mode::Legacy) {
            user.groups = vec!["system:nodes".to_owned()];
            let node = if self.mode == Mode::AssociatedNode { "*" } else { node };
            return self.may(group, "nodes", "", "", node);
        }
        let Some((namespace, name)) = service_account(&wanted.username) else {
            return self.may(group, "users", "", "", &wanted.username);
        };
        if wanted.groups.is_empty() {
            user.groups =
                vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
        }
        self.may(group, "serviceaccounts", "", namespace, name)
    }

    fn groups(&self, groups: &[String]) -> Result<(), ApiError> {
        let of = self.identity_group();
        if self.mode != Mode::Legacy {
            let refused = |name: &str, why: &str| {
                Err(forbidden_status(&self.attributes(of, "groups", "", "", name), why).into())
            };
            if groups.iter().any(String::is_empty) {
                return refused("", "impersonating the empty string group is not allowed");
            }
            if groups.iter().any(|group| group == kubesso_authz::PRIVILEGED_GROUP) {
                return refused("", "impersonating the system:masters group is not allowed");
            }
            if groups.len() >= MANY && self.may(of, "groups", "", "", "*").is_ok() {
                return Ok(());
            }
        }
        groups.iter().try_for_each(|group| self.may(of, "groups", "", "", group))
    }

    fn extra(&self, extra: &BTreeMap<String, Vec<String>>) -> Result<(), ApiError> {
        if extra.is_empty() {
            return Ok(());
        }
        if self.mode != Mode::Legacy {
            if let Some(why) = wrong_extra(extra) {
                let attributes = self.attributes(AUTHENTICATION, "userextras", "", "", "");
                return Err(forbidden_status(&attributes, &why).into());
            }
            let large = extra.len() >= MANY || extra.values().map(Vec::len).sum::<usize>() >= MANY;
            if large && self.may(AUTHENTICATION, "userextras", "*", "", "*").is_ok() {
                return Ok(());
            }
        }
        extra
            .iter()
            .flat_map(|(key, values)| values.iter().map(move |value| (key, value)))
            .try_for_each(|(key, value)| self.may(AUTHENTICATION, "userextras", key, "", value))
    }
}

/// What the constrained modes refuse of an extra (`validateExtra`).
fn wrong_extra(extra: &BTreeMap<String, Vec<String>>) -> Option<String> {
    for (key, values) in extra {
        if key.is_empty() {
            return Some("impersonating the empty string key in extra is not allowed".to_owned());
        }
        let domain = key.split_once('/').filter(|(_, path)| !path.is_empty()).map(|(domain, _)| domain);
        if domain.is_none_or(|domain| !names::dns_subdomain(domain).is_empty()) {
            return Some(format!(
                "impersonating an invalid key in extra is not allowed: extra.key: Invalid value: {}: must be a domain-prefixed path (such as \"acme.io/foo\")",
                go::quote(key)
            ));
        }
        if values.iter().any(String::is_empty) {
            return Some("impersonating the empty string value in extra is not allowed".to_owned());
        }
    }
    None
}

fn node_name(username: &str) -> Option<&str> {
    username.strip_prefix("system:node:").filter(|name| names::dns_subdomain(name).is_empty())
}

/// Namespace and name of `system:serviceaccount:<namespace>:<name>`.
fn service_account(username: &str) -> Option<(&str, &str)> {
    let (namespace, name) = username.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    let valid = names::dns_label(namespace).is_empty() && names::dns_subdomain(name).is_empty();
    valid.then_some((namespace, name))
}

/// As Go's `%#v` prints a `*user.DefaultInfo`.
fn go_struct(user: &UserInfo) -> String {
    let list = |values: &[String]| {
        let quoted: Vec<String> = values.iter().map(|value| go::quote(value)).collect();
        format!("[]string{{{}}}", quoted.join(", "))
    };
    let groups = if user.groups.is_empty() { "[]string(nil)".to_owned() } else { list(&user.groups) };
    let extra = if user.extra.is_empty() {
        "map[string][]string(nil)".to_owned()
    } else {
        let entries: Vec<String> =
            user.extra.iter().map(|(key, values)| format!("{}:{}", go::quote(key), list(values))).collect();
        format!("map[string][]string{{{}}}", entries.join(", "))
    };
    let (name, uid) = (go::quote(&user.username), go::quote(&user.uid));
    format!("&user.DefaultInfo{{Name:{name}, UID:{uid}, Groups:{groups}, Extra:{extra}}}")
}
