//! Each kind of the provider in the management API's form: where a field stands, and what stands around it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::marker::{self, ChainName, Owner};
use crate::resource::{Field, FieldValue, Kind};

/// How a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As it stands.
    Plain,
    /// A list whose order means nothing.
    Set,
    /// Likewise, of the ids of groups; the file has their names.
    Groups,
    /// Likewise, of the ids of people; the file has their logins.
    People,
    /// Likewise, of client ids; the file has the application's label.
    Clients,
    /// A text behind the marker.
    Marked,
    /// A text that nobody is shown.
    Secret,
}

/// A field of a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) pointer: &'static str,
    pub(crate) shape: Shape,
}

const fn spec(name: &'static str, pointer: &'static str, shape: Shape) -> Spec {
    Spec { name, pointer, shape }
}

/// What has calls of its own stands under this key, beside what the API shows.
pub(crate) const APART: &str = "/kubesso/";
/// The members of a group.
pub(crate) const MEMBERS: &str = "/kubesso/members";
/// The groups that an application is assigned to.
pub(crate) const ASSIGNED: &str = "/kubesso/groups";

use Shape::{Clients, Groups, Marked, People, Plain, Secret, Set};

const GROUP: &[Spec] =
    &[spec("description", "/profile/description", Marked), spec("members", MEMBERS, People)];

const SERVER: &[Spec] = &[
    spec("description", "/description", Marked),
    spec("audience", "/audiences/0", Plain),
    spec("status", "/status", Plain),
];

const SCOPE: &[Spec] = &[
    spec("description", "/description", Marked),
    spec("consent", "/consent", Plain),
    spec("metadataPublish", "/metadataPublish", Plain),
    spec("default", "/default", Plain),
];

const CLAIM: &[Spec] = &[
    spec("claimType", "/claimType", Plain),
    spec("valueType", "/valueType", Plain),
    spec("groupFilter", "/group_filter_type", Plain),
    spec("value", "/value", Plain),
    spec("alwaysIncludeInToken", "/alwaysIncludeInToken", Plain),
    spec("scopes", "/conditions/scopes", Set),
    spec("status", "/status", Plain),
];

const APPLICATION: &[Spec] = &[
    spec("clientId", "/credentials/oauthClient/client_id", Plain),
    spec("applicationType", "/settings/oauthClient/application_type", Plain),
    spec("tokenEndpointAuthMethod", "/credentials/oauthClient/token_endpoint_auth_method", Plain),
    spec("clientSecret", "/credentials/oauthClient/client_secret", Secret),
    spec("pkceRequired", "/credentials/oauthClient/pkce_required", Plain),
    spec("grantTypes", "/settings/oauthClient/grant_types", Set),
    spec("responseTypes", "/settings/oauthClient/response_types", Set),
    spec("redirectUris", "/settings/oauthClient/redirect_uris", Set),
    spec("postLogoutRedirectUris", "/settings/oauthClient/post_logout_redirect_uris", Set),
    spec("refreshTokenRotation", "/settings/oauthClient/refresh_token/rotation_type", Plain),
    spec("status", "/status", Plain),
    spec("groups", ASSIGNED, Groups),
];

const POLICY: &[Spec] = &[
    spec("description", "/description", Marked),
    spec("priority", "/priority", Plain),
    spec("clients", "/conditions/clients/include", Clients),
    spec("status", "/status", Plain),
];

const RULE: &[Spec] = &[
    spec("priority", "/priority", Plain),
    spec("grantTypes", "/conditions/grantTypes/include", Set),
    spec("scopes", "/conditions/scopes/include", Set),
    spec("groups", "/conditions/people/groups/include", Groups),
    spec("exceptGroups", "/conditions/people/groups/exclude", Groups),
    spec("people", "/conditions/people/users/include", People),
    spec("exceptPeople", "/conditions/people/users/exclude", People),
    spec("accessTokenMinutes", "/actions/token/accessTokenLifetimeMinutes", Plain),
    spec("refreshTokenMinutes", "/actions/token/refreshTokenLifetimeMinutes", Plain),
    spec("refreshTokenIdleMinutes", "/actions/token/refreshTokenWindowMinutes", Plain),
    spec("idTokenMinutes", "/actions/token/idTokenLifetimeMinutes", Plain),
    spec("status", "/status", Plain),
];

impl Kind {
    /// The fields, in the order in which people read them.
    pub(crate) fn specs(self) -> &'static [Spec] {
        match self {
            Self::Group => GROUP,
            Self::AuthorizationServer => SERVER,
            Self::Scope => SCOPE,
            Self::Claim => CLAIM,
            Self::Application => APPLICATION,
            Self::Policy => POLICY,
            Self::Rule => RULE,
            _ => &[],
        }
    }

    /// Where the marker stands, for kinds that have a place for one.
    fn marker_pointer(self) -> Option<&'static str> {
        match self {
            Self::Group => Some("/profile/description"),
            Self::AuthorizationServer | Self::Scope | Self::Policy => Some("/description"),
            Self::Application => Some("/settings/notes/admin"),
            _ => None,
        }
    }

    /// Where the name stands.
    pub(crate) fn name_pointer(self) -> &'static str {
        match self {
            Self::Group => "/profile/name",
            Self::Application => "/label",
            _ => "/name",
        }
    }

    /// What is sent beside the fields when a thing is made.
    fn beginning(self) -> Value {
        match self {
            Self::AuthorizationServer => json!({
                "issuerMode": "ORG_URL",
                "credentials": { "signing": { "rotationMode": "AUTO" } },
            }),
            Self::Application => json!({
                "name": "oidc_client",
                "signOnMode": "OPENID_CONNECT",
                "credentials": { "oauthClient": { "autoKeyRotation": true } },
                "settings": { "oauthClient": { "consent_method": "TRUSTED", "issuer_mode": "ORG_URL" } },
            }),
            Self::Policy => json!({ "type": "OAUTH_AUTHORIZATION_POLICY" }),
            Self::Rule => json!({
                "type": "RESOURCE_ACCESS",
                "conditions": {
                    "people": {
                        "users": { "include": [], "exclude": [] },
                        "groups": { "include": [], "exclude": [] },
                    },
                },
            }),
            _ => json!({}),
        }
    }
}

/// Ids, and what the file calls them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) groups: BTreeMap<String, String>,
    pub(crate) people: BTreeMap<String, String>,
    pub(crate) clients: BTreeMap<String, String>,
}

impl Names {
    fn of(&self, shape: Shape) -> Option<&BTreeMap<String, String>> {
        match shape {
            Groups => Some(&self.groups),
            People => Some(&self.people),
            Clients => Some(&self.clients),
            Plain | Set | Marked | Secret => None,
        }
    }

    /// The id of a name. A word that stands for itself (`EVERYONE`, `ALL_CLIENTS`, another's client id) is its own.
    pub(crate) fn id(&self, shape: Shape, name: &str) -> String {
        let known = self.of(shape).and_then(|names| names.iter().find(|(_, known)| *known == name));
        known.map_or(name, |(id, _)| id).to_owned()
    }

    fn name(&self, shape: Shape, id: &str) -> String {
        self.of(shape).and_then(|names| names.get(id)).map_or(id, String::as_str).to_owned()
    }
}

/// A list whose order means nothing.
pub(crate) fn set(values: impl IntoIterator<Item = String>) -> Value {
    let mut values: Vec<String> = values.into_iter().collect();
    values.sort();
    values.dedup();
    values.into()
}

/// What an object of the API says, its owner, and the object without its secret.
pub(crate) fn read(
    kind: Kind,
    mut raw: Value,
    chain: &ChainName,
    names: &Names,
) -> (Vec<Field>, Owner, Value) {
    let mut fields = Vec::new();
    for spec in kind.specs() {
        let Some(found) = raw.pointer_mut(spec.pointer) else {
            if matches!(spec.shape, Set | Groups | People | Clients) && !spec.pointer.starts_with(APART) {
                fields.push(Field { name: spec.name, value: FieldValue::Known(json!([])) });
            }
            continue;
        };
        let value = match spec.shape {
            Plain => FieldValue::Known(found.clone()),
            Marked => FieldValue::Known(marker::read(found.as_str().unwrap_or_default(), chain).1.into()),
            Secret => match found.take() {
                Value::String(secret) => FieldValue::Secret(secret),
                _ => continue,
            },
            shape @ (Set | Groups | People | Clients) => {
                let values = found.as_array().into_iter().flatten().filter_map(Value::as_str);
                FieldValue::Known(set(values.map(|id| names.name(shape, id))))
            }
        };
        fields.push(Field { name: spec.name, value });
    }
    let marked = kind.marker_pointer().and_then(|pointer| raw.pointer(pointer)?.as_str());
    let owner = marked.map_or(Owner::Somebody, |text| marker::read(text, chain).0);
    if let Some(Value::Object(client)) = raw.pointer_mut("/credentials/oauthClient") {
        client.remove("client_secret");
    }
    (fields, owner, raw)
}

/// The body that makes a thing, or brings it from `raw` to what is wanted.
pub(crate) fn body(
    kind: Kind,
    name: &str,
    fields: &[Field],
    before: Option<(&Value, &Owner)>,
    chain: &ChainName,
    names: &Names,
) -> Value {
    let mut body = before.map_or_else(|| kind.beginning(), |(raw, _)| sendable(kind, raw));
    put(&mut body, kind.name_pointer(), name.into());
    let is_marked = before.is_none_or(|(_, owner)| *owner == Owner::Ours);
    if is_marked
        && before.is_none()
        && let Some(pointer) = kind.marker_pointer()
    {
        put(&mut body, pointer, chain.marker().into());
    }
    for field in fields {
        let Some(spec) = kind.specs().iter().find(|spec| spec.name == field.name) else { continue };
        if spec.pointer.starts_with(APART) {
            continue;
        }
        let value = match (&field.value, spec.shape) {
            (FieldValue::AfterApply, _) => continue,
            (FieldValue::Secret(secret), _) => secret.as_str().into(),
            (FieldValue::Known(Value::String(text)), Marked) if is_marked => chain.mark(text).into(),
            (FieldValue::Known(Value::Array(values)), shape @ (Groups | People | Clients)) => {
                let values = values.iter().filter_map(Value::as_str);
                values.map(|name| names.id(shape, name)).collect()
            }
            (FieldValue::Known(value), _) => value.clone(),
        };
        put(&mut body, spec.pointer, value);
    }
    body
}

/// What the API showed, without what it does not take.
fn sendable(kind: Kind, raw: &Value) -> Value {
    let mut body = raw.clone();
    if let Value::Object(map) = &mut body {
        for shown_only in [
            "_links",
            "_embedded",
            "id",
            "orn",
            "created",
            "lastUpdated",
            "lastMembershipUpdated",
            "objectClass",
            "features",
            "issuer",
            "default",
            "system",
            "kubesso",
        ] {
            // A scope has a `default` of its own.
            if !(kind == Kind::Scope && shown_only == "default") {
                map.remove(shown_only);
            }
        }
        if kind == Kind::Group {
            map.remove("type");
        }
    }
    body
}

/// Sets what a JSON pointer (RFC 6901, without escapes) names, and makes what is missing on the way. `0` is the only place
/// in a list that our pointers know.
fn put(root: &mut Value, pointer: &str, value: Value) {
    let mut current = root;
    for step in pointer.split('/').skip(1) {
        current = if step == "0" {
            if !current.is_array() {
                *current = json!([null]);
            }
            match current.as_array_mut() {
                Some(list) => {
                    if list.is_empty() {
                        list.push(Value::Null);
                    }
                    &mut list[0]
                }
                None => return,
            }
        } else {
            if !current.is_object() {
                *current = Value::Object(Map::new());
            }
            &mut current[step]
        };
    }
    *current = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &'static str, value: Value) -> Field {
        Field { name, value: FieldValue::Known(value) }
    }

    #[test]
    fn names_become_ids_and_ids_become_names_again() {
        let chain = ChainName::default();
        let names =
            Names { groups: [("00g1".to_owned(), "k8s-admins".to_owned())].into(), ..Names::default() };
        let wanted = vec![
            known("grantTypes", set(["authorization_code".to_owned()])),
            known("groups", set(["k8s-admins".to_owned(), "EVERYONE".to_owned()])),
        ];
        let sent = body(Kind::Rule, "sign in", &wanted, None, &chain, &names);
        assert_eq!(sent["conditions"]["people"]["groups"]["include"], json!(["EVERYONE", "00g1"]));
        let (found, owner, _) = read(Kind::Rule, sent, &chain, &names);
        assert_eq!(owner, Owner::Somebody, "a rule has no place for a marker");
        for field in wanted {
            assert!(found.contains(&field), "{field:?} is not in {found:?}");
        }
    }

    #[test]
    fn what_is_not_in_the_file_is_sent_back_as_it_was_and_no_marker_is_set_on_what_others_made() {
        let raw = json!({
            "id": "aus1", "name": "k8s-auth", "description": "of the platform team", "audiences": ["a"], "issuerMode": "DYNAMIC",
            "status": "ACTIVE", "default": false, "issuer": "https://i", "_links": {}, "created": "then",
        });
        let chain = ChainName::default();
        let (fields, owner, raw) = read(Kind::AuthorizationServer, raw, &chain, &Names::default());
        assert_eq!((owner, fields.len()), (Owner::Somebody, 3));
        let wanted = [known("audience", json!("b"))];
        let before = Some((&raw, &Owner::Somebody));
        let sent = body(Kind::AuthorizationServer, "k8s-auth", &wanted, before, &chain, &Names::default());
        assert_eq!(
            sent,
            json!({ "name": "k8s-auth", "description": "of the platform team", "audiences": ["b"],
                    "issuerMode": "DYNAMIC", "status": "ACTIVE" })
        );
    }

    #[test]
    fn a_secret_leaves_the_object_and_is_shown_to_nobody() {
        let raw = json!({ "label": "x", "credentials": { "oauthClient": { "client_id": "c", "client_secret": "hush" } } });
        let (fields, _, raw) = read(Kind::Application, raw, &ChainName::default(), &Names::default());
        let shown = format!("{fields:?} {raw} {}", serde_json::to_string(&fields[1].value).unwrap());
        assert!(!shown.contains("hush"), "{shown}");
        let sent = body(Kind::Application, "x", &fields, None, &ChainName::default(), &Names::default());
        assert_eq!(sent["credentials"]["oauthClient"]["client_secret"], "hush");
    }
}
