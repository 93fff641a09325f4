//! What the provider has, as far as the file and the marker speak of it.

use serde_json::{Value, json};

use crate::file::AccessFile;
use crate::marker::{ChainName, Owner};
use crate::okta_form::{self, Names};
use crate::resource::{Address, FieldValue, Found, Kind, Wanted};
use crate::rest_api::{ApiError, RestApi, list};
use crate::wanted::IN_ACCESS_TOKEN;

/// What the provider has.
#[derive(Clone, Debug)]
pub struct ProviderState {
    /// The things.
    pub found: Vec<Found>,
    pub(crate) names: Names,
    pub(crate) chain: ChainName,
}

/// What the provider says of an application and a server, for the clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// The application's.
    pub client_id: Option<String>,
    /// The server's.
    pub issuer: Option<String>,
}

/// Why the provider's state is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The API did not say it.
    #[error("the provider cannot be read: {0}")]
    Api(#[from] ApiError),
    /// Several applications have one label.
    #[error(
        "{count} applications have the label `{label}`, and none, or more than one, was made by this file: rename all but one"
    )]
    Ambiguous {
        /// The label.
        label: String,
        /// So many.
        count: usize,
    },
    /// A group that is named only.
    #[error("the provider has no group `{0}`: describe it in `groups`, or make it there")]
    NoGroup(String),
    /// A person that is named only.
    #[error("the provider has nobody with the login `{0}`")]
    Nobody(String),
}

/// Of a path or a query, percent-encoded.
fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

const GROUPS: &str = "/api/v1/groups";
const APPS: &str = "/api/v1/apps";
const SERVERS: &str = "/api/v1/authorizationServers";

/// The built-in server `default` of an organization, and the one by which kubesso's administrators sign in.
const DEFAULT_SERVERS: [&str; 2] = ["default", "kubesso"];

impl ProviderState {
    /// Reads what the file names, and what its marker is on.
    ///
    /// # Errors
    /// The API refuses, or something that is only named is not there.
    pub async fn read(
        api: &impl RestApi,
        file: &AccessFile,
        chain: &ChainName,
        wanted: &[Wanted],
    ) -> Result<Self, ReadError> {
        let mut state = Self { found: Vec::new(), names: Names::default(), chain: chain.clone() };
        let names = |kind| {
            let of_kind = wanted.iter().filter(move |wanted| wanted.address.kind == kind);
            of_kind.map(|wanted| wanted.address.name.as_str())
        };
        for login in file.people() {
            state.read_person(api, &login).await?;
        }
        let label = names(Kind::Application).next();
        let server = names(Kind::AuthorizationServer).next();
        state.read_groups(api, file, names(Kind::Group).collect(), wanted).await?;
        state.read_applications(api, label).await?;
        state.read_servers(api, server).await?;
        Ok(state)
    }

    async fn read_person(&mut self, api: &impl RestApi, login: &str) -> Result<(), ReadError> {
        match api.call("GET", &format!("/api/v1/users/{}", encoded(login)), None).await {
            Ok(answer) => {
                self.names.people.insert(text(&answer.body, "/id").to_owned(), login.to_owned());
                Ok(())
            }
            Err(error) if error.is_not_found() => Err(ReadError::Nobody(login.to_owned())),
            Err(error) => Err(error.into()),
        }
    }

    /// Whoever is named by an id; one who is gone keeps it.
    async fn know_people(&mut self, api: &impl RestApi, ids: &[String]) -> Result<(), ReadError> {
        for id in ids {
            if self.names.people.contains_key(id) {
                continue;
            }
            match api.call("GET", &format!("/api/v1/users/{}", encoded(id)), None).await {
                Ok(answer) => {
                    let login = text(&answer.body, "/profile/login").to_owned();
                    self.names.people.insert(id.clone(), login);
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn know_groups(&mut self, api: &impl RestApi, ids: &[String]) -> Result<(), ReadError> {
        for id in ids {
            if id == "EVERYONE" || self.names.groups.contains_key(id) {
                continue;
            }
            match api.call("GET", &format!("{GROUPS}/{}", encoded(id)), None).await {
                Ok(answer) => {
                    let name = text(&answer.body, "/profile/name").to_owned();
                    self.names.groups.insert(id.clone(), name);
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        address: Address,
        path: String,
        raw: Value,
        parent_is_ours: bool,
        protected: Option<&'static str>,
    ) -> bool {
        let (fields, marked, raw) = okta_form::read(address.kind, raw, &self.chain, &self.names);
        let owner = if marked == Owner::Somebody && parent_is_ours { Owner::Ours } else { marked };
        let is_ours = owner == Owner::Ours;
        self.found.push(Found { address, fields, owner, protected, path, raw });
        is_ours
    }

    async fn read_groups(
        &mut self,
        api: &impl RestApi,
        file: &AccessFile,
        described: Vec<&str>,
        wanted: &[Wanted],
    ) -> Result<(), ReadError> {
        let others = file.groups_of_others();
        let mut found = Vec::new();
        for name in described.iter().copied().chain(others.iter().map(String::as_str)) {
            let all = list(api, &format!("{GROUPS}?q={}&limit=200", encoded(name))).await?;
            let group = all.into_iter().find(|group| text(group, "/profile/name") == name);
            match group {
                Some(group) => found.push(group),
                None if others.contains(name) => return Err(ReadError::NoGroup(name.to_owned())),
                None => {}
            }
        }
        let marker = format!("profile.description sw \"{}\"", self.chain.marker());
        for group in list(api, &format!("{GROUPS}?search={}&limit=200", encoded(&marker))).await? {
            if !found.iter().any(|known| text(known, "/id") == text(&group, "/id")) {
                found.push(group);
            }
        }
        for mut group in found {
            let (id, name) = (text(&group, "/id").to_owned(), text(&group, "/profile/name").to_owned());
            self.names.groups.insert(id.clone(), name.clone());
            if others.contains(&name) {
                continue;
            }
            let path = format!("{GROUPS}/{id}");
            let address = Address::new(Kind::Group, &name);
            let is_listed =
                wanted.iter().any(|wanted| wanted.address == address && wanted.field("members").is_some());
            if is_listed {
                let members = list(api, &format!("{path}/users?limit=200")).await?;
                for member in &members {
                    let login = text(member, "/profile/login").to_owned();
                    self.names.people.insert(text(member, "/id").to_owned(), login);
                }
                group["kubesso"]["members"] = members.iter().map(|one| json!(text(one, "/id"))).collect();
            }
            let built_in = text(&group, "/type") == "BUILT_IN" || name == "Everyone";
            let protected = built_in.then_some("it is the provider's own");
            self.add(address, path, group, false, protected);
        }
        Ok(())
    }

    async fn read_applications(&mut self, api: &impl RestApi, label: Option<&str>) -> Result<(), ReadError> {
        let all = list(api, &format!("{APPS}?limit=200")).await?;
        let owner = |app: &Value| {
            let notes = text(app, "/settings/notes/admin");
            crate::marker::read(notes, &self.chain).0
        };
        let (mut named, marked): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|app| Some(text(app, "/label")) == label);
        let marked: Vec<_> = marked.into_iter().filter(|app| owner(app) == Owner::Ours).collect();
        if named.len() > 1 {
            let count = named.len();
            named.retain(|app| owner(app) == Owner::Ours);
            if named.len() != 1 {
                let label = label.unwrap_or_default().to_owned();
                return Err(ReadError::Ambiguous { label, count });
            }
        }
        for mut app in named.into_iter().chain(marked) {
            let path = format!("{APPS}/{}", text(&app, "/id"));
            let label = text(&app, "/label").to_owned();
            let client_id = text(&app, "/credentials/oauthClient/client_id").to_owned();
            self.names.clients.insert(client_id, label.clone());
            let assigned = list(api, &format!("{path}/groups?limit=200")).await?;
            let ids: Vec<String> = assigned.iter().map(|one| text(one, "/id").to_owned()).collect();
            self.know_groups(api, &ids).await?;
            app["kubesso"]["groups"] = ids.into();
            self.add(Address::new(Kind::Application, label), path, app, false, None);
        }
        Ok(())
    }

    async fn read_servers(&mut self, api: &impl RestApi, name: Option<&str>) -> Result<(), ReadError> {
        for server in list(api, &format!("{SERVERS}?limit=200")).await? {
            let is_named = Some(text(&server, "/name")) == name;
            let marked = crate::marker::read(text(&server, "/description"), &self.chain).0;
            if !is_named && marked != Owner::Ours {
                continue;
            }
            let id = text(&server, "/id").to_owned();
            let path = format!("{SERVERS}/{id}");
            let address = Address::new(Kind::AuthorizationServer, text(&server, "/name"));
            let is_default =
                server["default"].as_bool().unwrap_or(false) || DEFAULT_SERVERS.contains(&id.as_str());
            let protected = is_default.then_some("it is the provider's own");
            let is_ours = self.add(address.clone(), path.clone(), server, false, protected);
            // What is in a server that nobody may destroy is ours only where it says so.
            self.read_server(api, &address, &path, is_ours && !is_default).await?;
        }
        Ok(())
    }

    async fn read_server(
        &mut self,
        api: &impl RestApi,
        server: &Address,
        path: &str,
        is_ours: bool,
    ) -> Result<(), ReadError> {
        let is_system = |value: &Value| value["system"].as_bool().unwrap_or(false);
        for (kind, collection) in [(Kind::Scope, "scopes"), (Kind::Claim, "claims")] {
            let collection = format!("{path}/{collection}");
            for value in list(api, &format!("{collection}?limit=200")).await? {
                if is_system(&value) {
                    continue;
                }
                let mut name = text(&value, "/name").to_owned();
                if text(&value, "/claimType") == "RESOURCE" {
                    name.push_str(IN_ACCESS_TOKEN);
                }
                let path = format!("{collection}/{}", text(&value, "/id"));
                self.add(server.child(kind, name), path, value, is_ours, None);
            }
        }
        let policies = format!("{path}/policies");
        for policy in list(api, &policies).await? {
            let address = server.child(Kind::Policy, text(&policy, "/name"));
            let path = format!("{policies}/{}", text(&policy, "/id"));
            let protected = is_system(&policy).then_some("it is the provider's own");
            let is_ours = self.add(address.clone(), path.clone(), policy, is_ours, protected);
            let rules = format!("{path}/rules");
            for rule in list(api, &rules).await? {
                let ids = |pointer: &str| -> Vec<String> {
                    let ids = rule.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
                    ids.filter_map(Value::as_str).map(str::to_owned).collect()
                };
                for which in ["include", "exclude"] {
                    self.know_groups(api, &ids(&format!("/conditions/people/groups/{which}"))).await?;
                    self.know_people(api, &ids(&format!("/conditions/people/users/{which}"))).await?;
                }
                let protected = is_system(&rule).then_some("it is the provider's own");
                let path = format!("{rules}/{}", text(&rule, "/id"));
                self.add(address.child(Kind::Rule, text(&rule, "/name")), path, rule, is_ours, protected);
            }
        }
        Ok(())
    }

    /// The client id and the issuer of the file's application and server, if they are there.
    pub fn made(&self, file: &AccessFile) -> Made {
        let find = |kind, name: Option<&str>| {
            let is_it =
                |found: &&Found| found.address.kind == kind && Some(found.address.name.as_str()) == name;
            self.found.iter().find(is_it)
        };
        let application =
            find(Kind::Application, file.application.as_ref().map(|application| application.label.as_str()));
        let server = find(
            Kind::AuthorizationServer,
            file.authorization_server.as_ref().map(|server| server.name.as_str()),
        );
        Made {
            client_id: application.and_then(|application| match application.field("clientId") {
                Some(FieldValue::Known(Value::String(id))) => Some(id.clone()),
                _ => None,
            }),
            issuer: server.and_then(|server| server.raw["issuer"].as_str().map(str::to_owned)),
        }
    }
}
