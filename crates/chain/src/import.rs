//! What is there as a file that wants nothing else: `kubesso import`.

use std::fmt::Write as _;

use serde_json::Value;

use crate::file::AccessFile;
use crate::marker::ChainName;
use crate::resource::{Address, FieldValue, Found, Kind, Wanted};
use crate::wanted::IN_ACCESS_TOKEN;

/// What is imported.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// The provider's address.
    pub url: String,
    /// The file with its authority, as the file will name it.
    pub certificate_authority_file: Option<String>,
    /// The file with an API token, likewise.
    pub api_token_file: Option<String>,
    /// The application's label.
    pub application: Option<String>,
    /// The server's name.
    pub authorization_server: Option<String>,
    /// Groups beside those of the application.
    pub groups: Vec<String>,
}

/// A text of YAML: what JSON writes is YAML too.
pub(crate) fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(quoted).collect();
            format!("[{}]", values.join(", "))
        }
        value => value.to_string(),
    }
}

/// Whether YAML takes it for a text without quotes, also inside `[]` and `{}`.
fn is_plain(text: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && word.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.@/".contains(letter))
    };
    let is_other = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
        .contains(&text.to_ascii_lowercase().as_str());
    !is_other && !text.is_empty() && text.split(' ').all(is_word)
}

impl Import {
    /// A file that names what is to be read, and says nothing of it.
    pub fn names_only(&self, more_groups: &[String]) -> String {
        let mut text = self.head();
        self.add_groups(&mut text, &[], more_groups);
        if let Some(label) = &self.application {
            let _ = writeln!(text, "application: {{label: {}}}", quoted(&label.as_str().into()));
        }
        if let Some(name) = &self.authorization_server {
            let name = quoted(&name.as_str().into());
            let _ = writeln!(text, "authorizationServer: {{name: {name}, claims: [], policies: []}}");
        }
        text
    }

    fn head(&self) -> String {
        let mut text = format!("provider:\n  url: {}\n", self.url);
        for (field, file) in [
            ("certificateAuthorityFile", &self.certificate_authority_file),
            ("apiTokenFile", &self.api_token_file),
        ] {
            if let Some(file) = file {
                let _ = writeln!(text, "  {field}: {}", quoted(&file.as_str().into()));
            }
        }
        text
    }

    fn add_groups(&self, text: &mut String, found: &[Found], more: &[String]) {
        let mut names: Vec<&String> =
            self.groups.iter().chain(more).filter(|name| *name != "Everyone").collect();
        names.sort();
        names.dedup();
        if names.is_empty() {
            return;
        }
        text.push_str("groups:\n");
        for name in names {
            let _ = writeln!(text, "- name: {}", quoted(&name.as_str().into()));
            let is_it = |one: &&Found| one.address.kind == Kind::Group && one.address.name == *name;
            let description = found.iter().find(is_it).and_then(|group| group.field("description"));
            if let Some(FieldValue::Known(Value::String(description))) = description
                && !description.is_empty()
            {
                let _ = writeln!(text, "  description: {}", quoted(&description.as_str().into()));
            }
        }
    }

    /// The groups that the application is assigned to.
    pub fn assigned(&self, found: &[Found]) -> Vec<String> {
        let is_it = |one: &&Found| {
            one.address.kind == Kind::Application && Some(&one.address.name) == self.application.as_ref()
        };
        let groups = found.iter().find(is_it).and_then(|application| application.field("groups"));
        texts(groups)
    }

    /// The file.
    pub fn file(&self, chain: &ChainName, found: &[Found]) -> String {
        let mut text = String::new();
        if *chain != ChainName::default() {
            let _ = writeln!(text, "name: {chain}");
        }
        text.push_str(&self.head());
        let assigned = self.assigned(found);
        self.add_groups(&mut text, found, &assigned);
        let defaults = self.defaults(&assigned);
        let of = |kind, name: Option<&String>| {
            found.iter().find(move |one| one.address.kind == kind && Some(&one.address.name) == name)
        };
        if let Some(application) = of(Kind::Application, self.application.as_ref()) {
            let _ = writeln!(
                text,
                "application:\n  label: {}",
                quoted(&application.address.name.as_str().into())
            );
            add_fields(&mut text, "  ", application, &defaults, &["status", "responseTypes"]);
        }
        if let Some(server) = of(Kind::AuthorizationServer, self.authorization_server.as_ref()) {
            add_server(&mut text, server, found, &defaults);
        }
        text
    }

    /// What a file that says nothing wants.
    fn defaults(&self, groups: &[String]) -> Vec<Wanted> {
        let mut text = self.head();
        self.add_groups(&mut text, &[], groups);
        text.push_str("application: {label: application}\n");
        text.push_str(
            "authorizationServer: {name: server, scopes: [{name: scope}], claims: [{name: claim, groups: {equals: x}}]}\n",
        );
        let mut defaults = AccessFile::parse(&text).map(|file| file.provider_side(None)).unwrap_or_default();
        // They depend on what the application has: always said.
        for rule in defaults.iter_mut().filter(|wanted| wanted.address.kind == Kind::Rule) {
            rule.fields.retain(|field| field.name != "grantTypes");
        }
        defaults
    }
}

fn texts(value: Option<&FieldValue>) -> Vec<String> {
    match value {
        Some(FieldValue::Known(Value::Array(values))) => {
            values.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// The fields that say something else than the default, and those that have none.
fn add_fields(text: &mut String, indent: &str, found: &Found, defaults: &[Wanted], left_out: &[&str]) {
    let default = defaults.iter().find(|wanted| wanted.address.kind == found.address.kind);
    for field in &found.fields {
        let FieldValue::Known(value) = &field.value else { continue };
        let is_default = default.and_then(|wanted| wanted.field(field.name)) == Some(&field.value);
        let is_nothing = value.is_null()
            || value.as_str() == Some("")
            || (value.as_array().is_some_and(Vec::is_empty)
                && default.and_then(|d| d.field(field.name)).is_none());
        if !is_default && !is_nothing && !left_out.contains(&field.name) {
            let _ = writeln!(text, "{indent}{}: {}", field.name, quoted(value));
        }
    }
    if found.field("status").is_some_and(|status| *status != FieldValue::Known("ACTIVE".into())) {
        let _ = writeln!(text, "{indent}# It is not active; apply would make it so.");
    }
}

fn add_server(text: &mut String, server: &Found, found: &[Found], defaults: &[Wanted]) {
    let name = |address: &Address| quoted(&address.name.as_str().into());
    let _ = writeln!(text, "authorizationServer:\n  name: {}", name(&server.address));
    add_fields(text, "  ", server, defaults, &["status"]);
    let children = |kind, parent: &Address| {
        let within: Vec<String> = std::iter::once(&parent.name).chain(&parent.within).cloned().collect();
        found.iter().filter(move |one| one.address.kind == kind && one.address.within == within)
    };
    let mut heading = Some("  scopes:");
    for scope in children(Kind::Scope, &server.address) {
        if let Some(heading) = heading.take() {
            let _ = writeln!(text, "{heading}");
        }
        let _ = writeln!(text, "  - name: {}", name(&scope.address));
        add_fields(text, "    ", scope, defaults, &["metadataPublish", "status"]);
        if scope.field("metadataPublish") == Some(&FieldValue::Known("ALL_CLIENTS".into())) {
            text.push_str("    published: true\n");
        }
    }
    let claims: Vec<_> = children(Kind::Claim, &server.address).collect();
    text.push_str(if claims.is_empty() { "  claims: []\n" } else { "  claims:\n" });
    for claim in claims {
        add_claim(text, claim);
    }
    let mut policies: Vec<_> = children(Kind::Policy, &server.address).collect();
    policies.sort_by_key(|policy| priority(policy));
    text.push_str(if policies.is_empty() { "  policies: []\n" } else { "  policies:\n" });
    for policy in policies {
        let _ = writeln!(text, "  - name: {}", name(&policy.address));
        add_fields(text, "    ", policy, &[], &["priority", "status"]);
        let mut rules: Vec<_> = children(Kind::Rule, &policy.address).collect();
        rules.sort_by_key(|rule| priority(rule));
        text.push_str(if rules.is_empty() { "    rules: []\n" } else { "    rules:\n" });
        for rule in rules {
            let _ = writeln!(text, "    - name: {}", name(&rule.address));
            add_fields(text, "      ", rule, defaults, &["priority", "status"]);
        }
    }
}

fn priority(found: &Found) -> u64 {
    match found.field("priority") {
        Some(FieldValue::Known(value)) => value.as_u64().unwrap_or_default(),
        _ => 0,
    }
}

fn add_claim(text: &mut String, claim: &Found) {
    let name = claim.address.name.as_str();
    let said = |field: &str| match claim.field(field) {
        Some(FieldValue::Known(value)) => value.clone(),
        _ => Value::Null,
    };
    let plain = name.strip_suffix(IN_ACCESS_TOKEN).unwrap_or(name);
    let _ = writeln!(text, "  - name: {}", quoted(&plain.into()));
    let filter = match said("groupFilter").as_str() {
        Some("STARTS_WITH") => Some("startsWith"),
        Some("EQUALS") => Some("equals"),
        Some("CONTAINS") => Some("contains"),
        Some("REGEX") => Some("regex"),
        _ => None,
    };
    let value = said("value");
    let _ = match filter {
        Some(filter) => writeln!(text, "    groups: {{{filter}: {}}}", quoted(&value)),
        None => writeln!(text, "    expression: {}", quoted(&value)),
    };
    if said("claimType") == "RESOURCE" {
        text.push_str("    in: accessToken\n");
    } else if said("alwaysIncludeInToken") == false {
        text.push_str("    always: false\n");
    }
    if said("scopes").as_array().is_some_and(|scopes| !scopes.is_empty()) {
        let _ = writeln!(text, "    scopes: {}", quoted(&said("scopes")));
    }
    if said("status") != "ACTIVE" {
        text.push_str("    # It is not active; apply would make it so.\n");
    }
}
