//! The kubeconfig: the user that signs in, and a context for each cluster.

use kubesso_k8s_types::kubeconfig::{Cluster, Context, ExecConfig, User};
use kubesso_kubeconfig::{Document, EditError, Kubeconfig, Place, PluginFlags, plugin_entry};
use serde_json::{Value, json};

use crate::file::KubeconfigSection;
use crate::marker::Owner;
use crate::okta_form::set;
use crate::plan::Action;
use crate::provider::Made;
use crate::resource::{Address, Field, FieldValue, Found, Kind, Wanted};

/// A cluster as the administrator's kubeconfig has it.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownCluster {
    /// What the file calls it.
    pub name: String,
    /// What the kubeconfig calls it, if it is in the same one.
    pub entry: Option<String>,
    /// Where it is, and whom to trust there: paths are absolute.
    pub cluster: Cluster,
}

/// How the user gets its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The program and the words before its flags.
    pub words: Vec<String>,
    /// The provider's authority, absolute.
    pub certificate_authority: Option<String>,
}

const ISSUER: &str = "--oidc-issuer-url";
const CLIENT: &str = "--oidc-client-id";
const SCOPE: &str = "--oidc-extra-scope";
const AUTHORITY: &str = "--certificate-authority";
/// The word behind which the flags begin.
const GET_TOKEN: &str = "get-token";

/// `oidc-user@prod`
fn context_name(user: &str, cluster: &str) -> String {
    format!("{user}@{cluster}")
}

/// What the section comes to.
pub fn wanted_kubeconfig(
    section: &KubeconfigSection,
    made: &Made,
    call: &Call,
    clusters: &[KnownCluster],
) -> Vec<Wanted> {
    let known = |name, value: Value| Field { name, value: FieldValue::Known(value) };
    let later = |name, value: &Option<String>| Field {
        name,
        value: value.as_ref().map_or(FieldValue::AfterApply, |text| FieldValue::Known(text.as_str().into())),
    };
    let mut fields = vec![
        later("issuer", &made.issuer),
        later("clientId", &made.client_id),
        known("scopes", set(section.scopes.iter().cloned())),
    ];
    if let Some(authority) = &call.certificate_authority {
        fields.push(known("certificateAuthority", authority.as_str().into()));
    }
    if section.command.is_some() {
        fields.push(known("command", call.words.join(" ").into()));
    }
    let mut wanted = vec![Wanted { address: Address::new(Kind::KubeconfigUser, &section.user), fields }];
    for one in clusters {
        if one.entry.is_none() {
            let address = Address::new(Kind::KubeconfigCluster, &one.name);
            let fields = vec![known("server", one.cluster.server.as_str().into())];
            wanted.push(Wanted { address, fields });
        }
        let entry = one.entry.as_ref().unwrap_or(&one.name);
        let address = Address::new(Kind::KubeconfigContext, context_name(&section.user, &one.name));
        let fields =
            vec![known("cluster", entry.as_str().into()), known("user", section.user.as_str().into())];
        wanted.push(Wanted { address, fields });
    }
    wanted
}

/// The entry of that name signs in otherwise: it is somebody's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the kubeconfig has a user `{0}` that does not sign in by this plugin: take another name in `kubeconfig.user`"
)]
pub struct OtherUser(String);

/// What of it the kubeconfig has.
///
/// # Errors
/// The user is another one.
pub fn found_kubeconfig(
    kubeconfig: &Kubeconfig,
    section: &KubeconfigSection,
    made: &Made,
    wanted: &[Wanted],
) -> Result<Vec<Found>, OtherUser> {
    let mut all = Vec::new();
    for wanted in wanted {
        let name = &wanted.address.name;
        let known = |name, value: Value| Field { name, value: FieldValue::Known(value) };
        let found = match wanted.address.kind {
            Kind::KubeconfigUser => match kubeconfig.user(name) {
                Some(entry) => {
                    let fields = user_fields(&entry.value).ok_or_else(|| OtherUser(name.clone()))?;
                    let is = |field: &str, value: &Option<String>| {
                        let found = fields.iter().find(|one| one.name == field);
                        let text = found.and_then(|one| match &one.value {
                            FieldValue::Known(value) => value.as_str(),
                            _ => None,
                        });
                        value.is_some() && text == value.as_deref()
                    };
                    // Who signs in as our application at our issuer is ours.
                    let ours = is("issuer", &made.issuer) && is("clientId", &made.client_id);
                    Some((fields, if ours { Owner::Ours } else { Owner::Somebody }))
                }
                None => None,
            },
            Kind::KubeconfigCluster => kubeconfig.cluster(name).map(|entry| {
                let server = entry.value.server.as_str();
                let is_used_by_others = kubeconfig
                    .contexts()
                    .iter()
                    .any(|one| one.value.cluster == *name && one.value.user != section.user);
                let is_ours =
                    wanted.field("server") == Some(&FieldValue::Known(server.into())) && !is_used_by_others;
                let owner = if is_ours { Owner::Ours } else { Owner::Somebody };
                (vec![known("server", server.into())], owner)
            }),
            _ => kubeconfig.context(name).map(|entry| {
                let Context { cluster, user, .. } = &entry.value;
                let owner = if *user == section.user { Owner::Ours } else { Owner::Somebody };
                (vec![known("cluster", cluster.as_str().into()), known("user", user.as_str().into())], owner)
            }),
        };
        if let Some((fields, owner)) = found {
            all.push(Found {
                address: wanted.address.clone(),
                fields,
                owner,
                protected: None,
                path: String::new(),
                raw: Value::Null,
            });
        }
    }
    Ok(all)
}

/// What a user of this plugin says; nothing for any other.
fn user_fields(user: &User) -> Option<Vec<Field>> {
    let exec = user.exec.as_ref()?;
    let at = exec.args.iter().position(|word| word == GET_TOKEN)?;
    let flags = PluginFlags::of(&exec.args);
    let known = |name, value: Value| Field { name, value: FieldValue::Known(value) };
    let value = |flag: &str| flags.values(flag).into_iter().next();
    let scopes = flags.values(SCOPE);
    let scopes = scopes.iter().flat_map(|value| value.split([',', ' '])).filter(|scope| !scope.is_empty());
    let mut words = vec![exec.command.clone()];
    words.extend(exec.args.iter().take(at + 1).cloned());
    let mut fields = vec![
        known("issuer", value(ISSUER).into()),
        known("clientId", value(CLIENT).into()),
        known("scopes", set(scopes.filter(|scope| *scope != "openid").map(str::to_owned))),
        known("command", words.join(" ").into()),
    ];
    if let Some(authority) = value(AUTHORITY) {
        fields.push(known("certificateAuthority", authority.into()));
    }
    Some(fields)
}

/// Changes the kubeconfig's text.
///
/// # Errors
/// The file cannot be changed without harm.
pub fn edit_kubeconfig(
    document: &mut Document,
    action: Action,
    wanted: Option<&Wanted>,
    address: &Address,
    call: &Call,
    clusters: &[KnownCluster],
) -> Result<(), EditError> {
    let name = address.name.as_str();
    let Some(wanted) = wanted.filter(|_| action != Action::Destroy) else {
        let list = match address.kind {
            Kind::KubeconfigUser => "users",
            Kind::KubeconfigCluster => "clusters",
            _ => "contexts",
        };
        document.remove(&Place::entry(list, name))?;
        return Ok(());
    };
    match address.kind {
        Kind::KubeconfigUser => {
            let before = document.config().ok().and_then(|config| {
                config.users.into_iter().find(|user| user.name == name).and_then(|user| user.user.exec)
            });
            document.set(&Place::user(name).key("exec"), exec(before, wanted, call))
        }
        Kind::KubeconfigCluster => {
            let known = clusters.iter().find(|one| one.name == name);
            known.map_or(Ok(()), |one| document.set(&Place::cluster(name), &one.cluster))
        }
        _ => {
            for field in &wanted.fields {
                if let FieldValue::Known(value) = &field.value {
                    document.set(&Place::context(name).key(field.name), value)?;
                }
            }
            Ok(())
        }
    }
}

/// The call with the flags that are ours; those that somebody added stay.
fn exec(before: Option<ExecConfig>, wanted: &Wanted, call: &Call) -> Value {
    let text = |name: &str| match wanted.field(name) {
        Some(FieldValue::Known(Value::String(text))) => Some(text.clone()),
        Some(FieldValue::Known(Value::Array(values))) => {
            Some(values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","))
        }
        _ => None,
    };
    let ours = [
        (ISSUER, text("issuer")),
        (CLIENT, text("clientId")),
        (SCOPE, text("scopes")),
        (AUTHORITY, text("certificateAuthority")),
    ];
    let mut words: Vec<String> = call.words.clone();
    let mut others = PluginFlags::default();
    if let Some(exec) = &before {
        if wanted.field("command").is_none() {
            let at = exec.args.iter().position(|word| word == GET_TOKEN).map_or(0, |at| at + 1);
            words = std::iter::once(&exec.command).chain(exec.args.iter().take(at)).cloned().collect();
        }
        others = PluginFlags::of(&exec.args);
    }
    let mut words = words.into_iter();
    let command = words.next().unwrap_or_default();
    let mut arguments: Vec<String> = words.collect();
    for (name, value) in ours {
        if let Some(value) = value {
            others.take(name);
            arguments.push(format!("{name}={value}"));
        }
    }
    arguments.extend(others.into_words());
    let exec = match before {
        Some(before) => ExecConfig { command, args: arguments, ..before },
        None => plugin_entry(command, arguments),
    };
    json!(exec)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "# mine\nusers:\n- name: jo # me\n  user: {token: x}\n";

    fn section() -> KubeconfigSection {
        serde_saphyr::from_str("{}").unwrap()
    }

    fn call() -> Call {
        Call {
            words: ["kubectl", "oidc-login", "get-token"].map(str::to_owned).to_vec(),
            certificate_authority: None,
        }
    }

    fn cluster() -> KnownCluster {
        let cluster = Cluster { server: "https://prod:6443".to_owned(), ..Cluster::default() };
        KnownCluster { name: "prod".to_owned(), entry: None, cluster }
    }

    #[test]
    fn what_is_added_and_taken_away_leaves_the_file_as_it_was() {
        let made = Made { client_id: Some("0oa1".to_owned()), issuer: Some("https://i/oauth2/a".to_owned()) };
        let wanted = wanted_kubeconfig(&section(), &made, &call(), &[cluster()]);
        let mut document = Document::parse(BEFORE).unwrap();
        for one in &wanted {
            edit_kubeconfig(&mut document, Action::Add, Some(one), &one.address, &call(), &[cluster()])
                .unwrap();
        }
        insta::assert_snapshot!(document.text());
        for one in &wanted {
            edit_kubeconfig(&mut document, Action::Destroy, None, &one.address, &call(), &[]).unwrap();
        }
        assert!(document.text().starts_with(BEFORE), "{}", document.text());
        assert!(!document.text().contains("oidc"), "{}", document.text());
    }

    #[test]
    fn flags_that_somebody_added_stay_and_ours_are_put_right() {
        let before = ExecConfig::new(
            "/opt/kubelogin",
            [
                "get-token",
                "--oidc-issuer-url",
                "https://old",
                "--grant-type=device-code",
                "--oidc-client-id=0oa0",
            ]
            .map(str::to_owned)
            .to_vec(),
        );
        let made = Made { client_id: Some("0oa1".to_owned()), issuer: Some("https://i".to_owned()) };
        let wanted = wanted_kubeconfig(&section(), &made, &call(), &[]);
        let exec = exec(Some(before), &wanted[0], &call());
        assert_eq!(exec["command"], "/opt/kubelogin");
        assert_eq!(
            exec["args"],
            json!([
                "get-token",
                "--oidc-issuer-url=https://i",
                "--oidc-client-id=0oa1",
                "--oidc-extra-scope=email,offline_access,profile",
                "--grant-type=device-code"
            ])
        );
    }
}
