//! What a file wants of the provider, defaults filled in.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::file::{
    AccessFile, ApplicationSection, ClaimSection, GroupFilterSection, PolicySection, RuleSection,
    ServerSection, Token,
};
use crate::okta_form::set;
use crate::resource::{Address, Field, FieldValue, Kind, Wanted};

/// Words that stand for groups without being one's name.
const EVERYONE: &str = "EVERYONE";

/// How a claim of the access token is called, beside one of the same name in the ID token.
pub(crate) const IN_ACCESS_TOKEN: &str = " (access token)";

/// Fields in the order in which they are given.
#[derive(Default)]
pub(crate) struct Fields(Vec<Field>);

impl Fields {
    pub(crate) fn add(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push(Field { name, value: FieldValue::Known(value.into()) });
        self
    }

    pub(crate) fn add_some<T: Into<Value>>(self, name: &'static str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.add(name, value),
            None => self,
        }
    }

    fn add_set(self, name: &'static str, values: &[String]) -> Self {
        self.add(name, set(values.iter().cloned()))
    }

    pub(crate) fn of(self, address: Address) -> Wanted {
        Wanted { address, fields: self.0 }
    }
}

impl AccessFile {
    /// What it wants of the provider, in the file's order. `secret` is what `application.clientSecretFile` holds.
    pub fn provider_side(&self, secret: Option<String>) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        for group in &self.groups {
            let fields = Fields::default()
                .add_some("description", group.description.as_deref())
                .add_some("members", group.members.as_ref().map(|members| set(members.iter().cloned())));
            wanted.push(fields.of(Address::new(Kind::Group, &group.name)));
        }
        if let Some(server) = &self.authorization_server {
            self.add_server(&mut wanted, server);
        }
        if let Some(application) = &self.application {
            wanted.push(self.application(application, secret));
        }
        wanted
    }

    /// Groups that are named but not described: they must be there.
    pub fn groups_of_others(&self) -> BTreeSet<String> {
        let rules = self.authorization_server.iter().flat_map(|server| server.policies.iter().flatten());
        let rules = rules.flat_map(|policy| &policy.rules);
        let of_rules = rules.flat_map(|rule| rule.groups.iter().chain(&rule.except_groups));
        let of_application = self.application.iter().flat_map(|one| one.groups.iter().flatten());
        let is_ours = |name: &str| self.groups.iter().any(|group| group.name == name);
        of_rules.chain(of_application).filter(|name| *name != EVERYONE && !is_ours(name)).cloned().collect()
    }

    /// People that are named.
    pub fn people(&self) -> BTreeSet<String> {
        let rules = self.authorization_server.iter().flat_map(|server| server.policies.iter().flatten());
        let rules = rules.flat_map(|policy| &policy.rules);
        let of_rules = rules.flat_map(|rule| rule.people.iter().chain(&rule.except_people));
        of_rules.chain(self.groups.iter().flat_map(|group| group.members.iter().flatten())).cloned().collect()
    }

    fn application(&self, application: &ApplicationSection, secret: Option<String>) -> Wanted {
        let groups = application.groups.clone().unwrap_or_else(|| self.group_names());
        let uses_code = application.grant_types.iter().any(|grant| grant == "authorization_code");
        let response_types: &[&str] = if uses_code { &["code"] } else { &[] };
        let mut wanted = Fields::default()
            .add_some("clientId", application.client_id.as_deref())
            .add("applicationType", application.application_type.as_str())
            .add("tokenEndpointAuthMethod", application.token_endpoint_auth_method.as_str())
            .add("pkceRequired", application.pkce_required)
            .add_set("grantTypes", &application.grant_types)
            .add("responseTypes", response_types.to_vec())
            .add_set("redirectUris", &application.redirect_uris)
            .add_set("postLogoutRedirectUris", &application.post_logout_redirect_uris)
            .add_some("refreshTokenRotation", application.refresh_token_rotation.as_deref())
            .add("status", "ACTIVE")
            .add_set("groups", &groups)
            .of(Address::new(Kind::Application, &application.label));
        if let Some(secret) = secret {
            wanted.fields.push(Field { name: "clientSecret", value: FieldValue::Secret(secret) });
        }
        wanted
    }

    fn group_names(&self) -> Vec<String> {
        self.groups.iter().map(|group| group.name.clone()).collect()
    }

    fn add_server(&self, wanted: &mut Vec<Wanted>, server: &ServerSection) {
        let address = Address::new(Kind::AuthorizationServer, &server.name);
        let fields = Fields::default()
            .add_some("description", server.description.as_deref())
            .add("audience", server.audience.as_str())
            .add("status", "ACTIVE");
        wanted.push(fields.of(address.clone()));
        for scope in &server.scopes {
            let fields = Fields::default()
                .add_some("description", scope.description.as_deref())
                .add("consent", scope.consent.as_str())
                .add("metadataPublish", if scope.published { "ALL_CLIENTS" } else { "NO_CLIENTS" })
                .add("default", scope.default);
            wanted.push(fields.of(address.child(Kind::Scope, &scope.name)));
        }
        let claims = server.claims.clone().unwrap_or_else(|| vec![self.groups_claim()]);
        wanted.extend(claims.iter().map(|claim| claim_of(claim, &address)));
        let policies = server.policies.clone().unwrap_or_else(|| {
            vec![PolicySection {
                name: server.name.clone(),
                description: None,
                clients: None,
                rules: vec![RuleSection::default()],
            }]
        });
        for (index, policy) in policies.iter().enumerate() {
            let label = self.application.iter().map(|application| application.label.clone());
            let clients = policy.clients.clone().unwrap_or_else(|| label.collect());
            let policy_address = address.child(Kind::Policy, &policy.name);
            let fields = Fields::default()
                .add_some("description", policy.description.as_deref())
                .add("priority", index + 1)
                .add_set("clients", &clients)
                .add("status", "ACTIVE");
            wanted.push(fields.of(policy_address.clone()));
            for (index, rule) in policy.rules.iter().enumerate() {
                wanted.push(self.rule(rule, index + 1, policy_address.child(Kind::Rule, &rule.name)));
            }
        }
    }

    /// `groups`, with the file's groups and no others.
    fn groups_claim(&self) -> ClaimSection {
        let names = self.group_names();
        let filter = match names.as_slice() {
            [one] => GroupFilterSection::Equals(one.clone()),
            several => {
                let alternatives: Vec<String> = several.iter().map(|name| escaped(name)).collect();
                GroupFilterSection::Regex(alternatives.join("|"))
            }
        };
        ClaimSection {
            name: "groups".to_owned(),
            groups: Some(filter),
            expression: None,
            token: Token::IdToken,
            always: true,
            scopes: Vec::new(),
        }
    }

    fn rule(&self, rule: &RuleSection, priority: usize, address: Address) -> Wanted {
        let of_application = || {
            let grants = self.application.iter().flat_map(|application| &application.grant_types);
            grants.filter(|grant| *grant != "refresh_token").cloned().collect()
        };
        let grants: Vec<String> = rule.grant_types.clone().unwrap_or_else(of_application);
        Fields::default()
            .add("priority", priority)
            .add_set("grantTypes", &grants)
            .add_set("scopes", &rule.scopes)
            .add_set("groups", &rule.groups)
            .add_set("exceptGroups", &rule.except_groups)
            .add_set("people", &rule.people)
            .add_set("exceptPeople", &rule.except_people)
            .add("accessTokenMinutes", rule.access_token_minutes)
            .add("refreshTokenMinutes", rule.refresh_token_minutes)
            .add("refreshTokenIdleMinutes", rule.refresh_token_idle_minutes)
            .add_some("idTokenMinutes", rule.id_token_minutes)
            .add("status", "ACTIVE")
            .of(address)
    }
}

fn claim_of(claim: &ClaimSection, server: &Address) -> Wanted {
    let (kind, filter, value) = match (&claim.groups, &claim.expression) {
        (Some(filter), _) => {
            let (word, value) = match filter {
                GroupFilterSection::StartsWith(text) => ("STARTS_WITH", text),
                GroupFilterSection::Equals(text) => ("EQUALS", text),
                GroupFilterSection::Contains(text) => ("CONTAINS", text),
                GroupFilterSection::Regex(text) => ("REGEX", text),
            };
            ("GROUPS", Some(word), value.as_str())
        }
        (None, expression) => ("EXPRESSION", None, expression.as_deref().unwrap_or_default()),
    };
    let (claim_type, name) = match claim.token {
        Token::IdToken => ("IDENTITY", claim.name.clone()),
        Token::AccessToken => ("RESOURCE", format!("{}{IN_ACCESS_TOKEN}", claim.name)),
    };
    Fields::default()
        .add("claimType", claim_type)
        .add("valueType", kind)
        .add_some("groupFilter", filter)
        .add("value", value)
        .add("alwaysIncludeInToken", claim.always || claim.token == Token::AccessToken)
        .add("scopes", json!(set(claim.scopes.iter().cloned())))
        .add("status", "ACTIVE")
        .of(server.child(Kind::Claim, name))
}

/// A name as a regular expression that fits nothing else.
fn escaped(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if !(letter.is_alphanumeric() || "-_ :@/".contains(letter)) {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}
