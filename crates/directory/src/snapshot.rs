//! The configuration at one moment: immutable, shared, read on the hot path.

use std::collections::BTreeMap;

use crate::application::{Application, GroupAssignment};
use crate::authorization_server::{AuthorizationServer, Scope};
use crate::claim::Claim;
use crate::id::{ApplicationId, AuthorizationServerId, ClientId, PolicyId};
use crate::name::ScopeName;
use crate::policy::{Policy, Rule};
use crate::signing_key::SigningKeyRecord;

/// A number that grows with every configuration write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub i64);

/// What an authorization server is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The server itself.
    pub server: AuthorizationServer,
    /// Its scopes, by name.
    pub scopes: BTreeMap<ScopeName, Scope>,
    /// Its claims.
    pub claims: Vec<Claim>,
    /// Its keys, the oldest first.
    pub keys: Vec<SigningKeyRecord>,
    policies: Vec<(Policy, Vec<Rule>)>,
}

impl Server {
    /// The scope of that name.
    pub fn scope(&self, name: &ScopeName) -> Option<&Scope> {
        self.scopes.get(name)
    }

    /// Policies, each with its rules, in the order in which they are asked.
    pub fn policies(&self) -> impl Iterator<Item = (&Policy, &[Rule])> {
        self.policies.iter().map(|(policy, rules)| (policy, rules.as_slice()))
    }
}

/// Rows as they lie in a store, in any order: what [`Snapshot::new`] builds from.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// The revision that they belong to.
    pub revision: Revision,
    /// All applications.
    pub applications: Vec<Application>,
    /// All assignments to groups.
    pub group_assignments: Vec<GroupAssignment>,
    /// All servers.
    pub servers: Vec<AuthorizationServer>,
    /// All scopes.
    pub scopes: Vec<Scope>,
    /// All claims.
    pub claims: Vec<Claim>,
    /// All policies.
    pub policies: Vec<Policy>,
    /// All rules.
    pub rules: Vec<Rule>,
    /// All signing keys.
    pub keys: Vec<SigningKeyRecord>,
}

/// The whole configuration: applications, group assignments, authorization servers. People are not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    revision: Revision,
    applications: BTreeMap<ClientId, Application>,
    group_assignments: BTreeMap<ApplicationId, Vec<GroupAssignment>>,
    servers: BTreeMap<AuthorizationServerId, Server>,
}

impl Snapshot {
    /// Puts rows together and in order: policies and rules by priority (then age, then id).
    pub fn new(configuration: Configuration) -> Self {
        let mut rules: BTreeMap<PolicyId, Vec<Rule>> = BTreeMap::new();
        for rule in configuration.rules {
            rules.entry(rule.policy.clone()).or_default().push(rule);
        }
        for rules in rules.values_mut() {
            rules.sort_by(|a, b| (a.priority, a.created, &a.id).cmp(&(b.priority, b.created, &b.id)));
        }
        let mut servers: BTreeMap<AuthorizationServerId, Server> = configuration
            .servers
            .into_iter()
            .map(|server| {
                let id = server.id.clone();
                let (scopes, claims, keys, policies) = (BTreeMap::new(), Vec::new(), Vec::new(), Vec::new());
                (id, Server { server, scopes, claims, keys, policies })
            })
            .collect();
        for scope in configuration.scopes {
            if let Some(server) = servers.get_mut(&scope.server) {
                server.scopes.insert(scope.name.clone(), scope);
            }
        }
        for claim in configuration.claims {
            if let Some(server) = servers.get_mut(&claim.server) {
                server.claims.push(claim);
            }
        }
        for policy in configuration.policies {
            if let Some(server) = servers.get_mut(&policy.server) {
                let rules = rules.remove(&policy.id).unwrap_or_default();
                server.policies.push((policy, rules));
            }
        }
        for key in configuration.keys {
            if let Some(server) = servers.get_mut(&key.server) {
                server.keys.push(key);
            }
        }
        for server in servers.values_mut() {
            server.claims.sort_by(|a, b| a.id.cmp(&b.id));
            server.keys.sort_by(|a, b| (a.created, &a.kid).cmp(&(b.created, &b.kid)));
            server.policies.sort_by(|(a, _), (b, _)| {
                (a.priority, a.created, &a.id).cmp(&(b.priority, b.created, &b.id))
            });
        }
        let mut group_assignments: BTreeMap<ApplicationId, Vec<GroupAssignment>> = BTreeMap::new();
        for assignment in configuration.group_assignments {
            group_assignments.entry(assignment.application.clone()).or_default().push(assignment);
        }
        for assignments in group_assignments.values_mut() {
            assignments.sort_by(|a, b| (a.priority, &a.group).cmp(&(b.priority, &b.group)));
        }
        let applications =
            configuration.applications.into_iter().map(|app| (app.client_id.clone(), app)).collect();
        Self { revision: configuration.revision, applications, group_assignments, servers }
    }

    /// Which configuration this is.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The application that the protocol calls `client`; active or not.
    pub fn application(&self, client: &ClientId) -> Option<&Application> {
        self.applications.get(client)
    }

    /// The application that the management API calls `id`.
    pub fn application_by_id(&self, id: &ApplicationId) -> Option<&Application> {
        self.applications.values().find(|application| application.id == *id)
    }

    /// All applications, by client id.
    pub fn applications(&self) -> impl Iterator<Item = &Application> {
        self.applications.values()
    }

    /// The groups that an application is assigned to, by priority.
    pub fn group_assignments(&self, application: &ApplicationId) -> &[GroupAssignment] {
        self.group_assignments.get(application).map_or(&[], Vec::as_slice)
    }

    /// The authorization server of that id; active or not.
    pub fn server(&self, id: &AuthorizationServerId) -> Option<&Server> {
        self.servers.get(id)
    }

    /// All authorization servers, by id.
    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        self.servers.values()
    }
}
