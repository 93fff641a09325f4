//! Groups, application and authorization server, with their defaults: what people leave out is what the tutorial's
//! cluster needs.

use serde::Deserialize;

use super::{AccessFile, FileError};

/// `groups:`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupSection {
    /// As it will stand in tokens.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// All its members, by login; left out: whoever is in it.
    #[serde(default)]
    pub members: Option<Vec<String>>,
}

/// `application:`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationSection {
    /// Its name.
    pub label: String,
    /// Left out: the provider makes one.
    #[serde(default)]
    pub client_id: Option<String>,
    /// native, web or browser.
    #[serde(default = "native")]
    pub application_type: String,
    /// How it proves itself.
    #[serde(default = "none")]
    pub token_endpoint_auth_method: String,
    /// Its secret, for methods that have one; left out: the provider makes one.
    #[serde(default)]
    pub client_secret_file: Option<String>,
    /// Whether PKCE is demanded.
    #[serde(default = "yes")]
    pub pkce_required: bool,
    /// By what it gets tokens.
    #[serde(default = "sign_in_and_refresh")]
    pub grant_types: Vec<String>,
    /// Where browsers come back.
    #[serde(default = "loopback")]
    pub redirect_uris: Vec<String>,
    /// Where browsers come back after signing out.
    #[serde(default = "loopback")]
    pub post_logout_redirect_uris: Vec<String>,
    /// ROTATE or STATIC; left out: as the provider has it.
    #[serde(default)]
    pub refresh_token_rotation: Option<String>,
    /// Who may use it; left out: the file's groups.
    #[serde(default)]
    pub groups: Option<Vec<String>>,
}

/// `authorizationServer:`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerSection {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Of access tokens. kubectl does not use them; it is text to the provider.
    #[serde(default = "kubernetes")]
    pub audience: String,
    /// Beside OpenID Connect's own.
    #[serde(default)]
    pub scopes: Vec<ScopeSection>,
    /// Left out: `groups` with the file's groups.
    #[serde(default)]
    pub claims: Option<Vec<ClaimSection>>,
    /// Left out: one with one rule, for the application.
    #[serde(default)]
    pub policies: Option<Vec<PolicySection>>,
}

/// `scopes:`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScopeSection {
    /// As it is asked for.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// IMPLICIT, FLEXIBLE or REQUIRED.
    #[serde(default = "implicit")]
    pub consent: String,
    /// Whether discovery names it.
    #[serde(default)]
    pub published: bool,
    /// Whether it is given without being asked for.
    #[serde(default)]
    pub default: bool,
}

/// In which token a claim is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Token {
    /// The ID token, which kubectl sends.
    #[default]
    IdToken,
    /// The access token.
    AccessToken,
}

/// `claims:`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimSection {
    /// As it stands in the token.
    pub name: String,
    /// Which groups it lists.
    #[serde(default)]
    pub groups: Option<GroupFilterSection>,
    /// What it says, in Okta's expression language.
    #[serde(default)]
    pub expression: Option<String>,
    /// idToken or accessToken.
    #[serde(default, rename = "in")]
    pub token: Token,
    /// Whether it is in every token, or only where the token is all that is issued.
    #[serde(default = "yes")]
    pub always: bool,
    /// Only when one of these is granted.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// One of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum GroupFilterSection {
    /// Names that begin so.
    StartsWith(String),
    /// This one.
    Equals(String),
    /// Names with this in them.
    Contains(String),
    /// Names that fit.
    Regex(String),
}

/// `policies:`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicySection {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Client ids, or ALL_CLIENTS; left out: the file's application.
    #[serde(default)]
    pub clients: Option<Vec<String>>,
    /// The first that fits decides.
    pub rules: Vec<RuleSection>,
}

/// `rules:`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleSection {
    /// Its name.
    pub name: String,
    /// Left out: the application's, without refresh_token.
    #[serde(default)]
    pub grant_types: Option<Vec<String>>,
    /// `*` is any.
    #[serde(default = "any")]
    pub scopes: Vec<String>,
    /// EVERYONE is whoever may use the application.
    #[serde(default = "everyone")]
    pub groups: Vec<String>,
    /// Not for these.
    #[serde(default)]
    pub except_groups: Vec<String>,
    /// These people too, by login.
    #[serde(default)]
    pub people: Vec<String>,
    /// Not these people.
    #[serde(default)]
    pub except_people: Vec<String>,
    /// 5 to 1440.
    #[serde(default = "one_hour")]
    pub access_token_minutes: u32,
    /// From sign-in to the next; 0 is without end.
    #[serde(default)]
    pub refresh_token_minutes: u32,
    /// So long it may lie unused.
    #[serde(default = "seven_days")]
    pub refresh_token_idle_minutes: u32,
    /// kubesso only; left out: as the access token's, at most an hour.
    #[serde(default)]
    pub id_token_minutes: Option<u32>,
}

impl Default for RuleSection {
    fn default() -> Self {
        Self {
            name: "sign in".to_owned(),
            grant_types: None,
            scopes: any(),
            groups: everyone(),
            except_groups: Vec::new(),
            people: Vec::new(),
            except_people: Vec::new(),
            access_token_minutes: one_hour(),
            refresh_token_minutes: 0,
            refresh_token_idle_minutes: seven_days(),
            id_token_minutes: None,
        }
    }
}

fn native() -> String {
    "native".to_owned()
}

fn none() -> String {
    "none".to_owned()
}

fn yes() -> bool {
    true
}

fn sign_in_and_refresh() -> Vec<String> {
    vec!["authorization_code".to_owned(), "refresh_token".to_owned()]
}

/// Where the plugin waits: its first port, and the one that it takes if that is in use.
fn loopback() -> Vec<String> {
    vec!["http://localhost:8000".to_owned(), "http://localhost:18000".to_owned()]
}

fn kubernetes() -> String {
    "kubernetes".to_owned()
}

fn implicit() -> String {
    "IMPLICIT".to_owned()
}

fn any() -> Vec<String> {
    vec!["*".to_owned()]
}

fn everyone() -> Vec<String> {
    vec!["EVERYONE".to_owned()]
}

fn one_hour() -> u32 {
    60
}

fn seven_days() -> u32 {
    10_080
}

/// What stands there a second time.
fn twice<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = std::collections::BTreeSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}

fn named(at: String, name: &str) -> Result<(), FileError> {
    if name.trim().is_empty() { Err(FileError::new(at, "give it a name")) } else { Ok(()) }
}

impl AccessFile {
    pub(super) fn check_provider_side(&self) -> Result<(), FileError> {
        for (index, group) in self.groups.iter().enumerate() {
            named(format!("groups[{index}].name"), &group.name)?;
            if group.name == "Everyone" {
                return Err(FileError::new(
                    format!("groups[{index}].name"),
                    "`Everyone` is there already, and everybody is in it: name it in `application.groups` instead",
                ));
            }
        }
        if let Some(name) = twice(self.groups.iter().map(|group| group.name.as_str())) {
            return Err(FileError::new("groups", format!("`{name}` stands there twice")));
        }
        if let Some(application) = &self.application {
            named("application.label".to_owned(), &application.label)?;
            let has_secret = application.token_endpoint_auth_method.starts_with("client_secret");
            if application.client_secret_file.is_some() && !has_secret {
                return Err(FileError::new(
                    "application.clientSecretFile",
                    "only tokenEndpointAuthMethod client_secret_basic and client_secret_post have a secret",
                ));
            }
        }
        self.authorization_server.as_ref().map_or(Ok(()), |server| self.check_server(server))
    }

    fn check_server(&self, server: &ServerSection) -> Result<(), FileError> {
        named("authorizationServer.name".to_owned(), &server.name)?;
        let at = |rest: &str| format!("authorizationServer.{rest}");
        let claims = server.claims.iter().flatten();
        for (index, claim) in claims.clone().enumerate() {
            if claim.groups.is_some() == claim.expression.is_some() {
                let at = at(&format!("claims[{index}]"));
                return Err(FileError::new(at, "give either `groups` or `expression`"));
            }
        }
        let identities = claims.map(|claim| (claim.token == Token::IdToken, claim.name.as_str()));
        for of_id_token in [true, false] {
            let names = identities.clone().filter(|(is, _)| *is == of_id_token).map(|(_, name)| name);
            if let Some(name) = twice(names) {
                return Err(FileError::new(at("claims"), format!("`{name}` stands there twice")));
            }
        }
        if server.claims.is_none() && self.groups.is_empty() {
            return Err(FileError::new(
                at("claims"),
                "the file has no `groups` of which a claim could be made: say which claims there are",
            ));
        }
        if server.policies.is_none() && self.application.is_none() {
            return Err(FileError::new(
                at("policies"),
                "the file has no `application` for which a policy could be made: say which policies there are",
            ));
        }
        let policies = server.policies.iter().flatten();
        if let Some(name) = twice(policies.clone().map(|policy| policy.name.as_str())) {
            return Err(FileError::new(at("policies"), format!("`{name}` stands there twice")));
        }
        for (index, policy) in policies.enumerate() {
            if policy.clients.is_none() && self.application.is_none() {
                let at = at(&format!("policies[{index}].clients"));
                return Err(FileError::new(at, "the file has no `application`: say for which clients"));
            }
            if let Some(name) = twice(policy.rules.iter().map(|rule| rule.name.as_str())) {
                let at = at(&format!("policies[{index}].rules"));
                return Err(FileError::new(at, format!("`{name}` stands there twice")));
            }
            let unknown = policy.rules.iter().position(|rule| rule.grant_types.is_none());
            if let (Some(rule), None) = (unknown, &self.application) {
                let at = at(&format!("policies[{index}].rules[{rule}].grantTypes"));
                return Err(FileError::new(at, "the file has no `application`: say for which grants"));
            }
        }
        Ok(())
    }
}
