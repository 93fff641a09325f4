//! The cluster of a kubeconfig's context: where it is, whom it trusts, and as whom it is asked.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use kubesso_doctor::{Cluster, Credentials, EchoWish};
use kubesso_https::{Identity, Link, Route, Trust};
use kubesso_k8s_types::Secret;
use kubesso_k8s_types::kubeconfig::{Data, User};
use kubesso_kubeconfig::{Entry, Kubeconfig, Selection};

use crate::args::Given;
use crate::error::CommandError;

/// The cluster to ask; none if the context names no server.
pub(super) fn cluster(given: &Given, kubeconfig: &Kubeconfig) -> Result<Option<Cluster>, CommandError> {
    let unusable =
        |error: &dyn std::error::Error| CommandError::because("the kubeconfig cannot be used", error);
    let context = kubeconfig.select_context(given.context.as_deref()).map_err(|error| unusable(&error))?;
    let Some(entry) = kubeconfig.cluster(&context.value.cluster) else { return Ok(None) };
    if entry.value.server.is_empty() {
        return Ok(None);
    }
    let ca_pem = text_of(entry, &entry.value.certificate_authority_data, &entry.value.certificate_authority)?;
    let trust = match &ca_pem {
        // As kubectl does with such a cluster; a check says so.
        _ if entry.value.insecure_skip_tls_verify => Trust::DangerouslyAnybody,
        Some(pem) => Trust::Only(pem.clone()),
        None => Trust::System,
    };
    let route = Route::new(&entry.value.proxy_url, &entry.value.tls_server_name);
    let link = Link { trust, route: route.map_err(|error| unusable(&error))? };
    let reading = given.admin_context.as_deref().unwrap_or(&context.name);
    kubeconfig
        .select_context(Some(reading))
        .map_err(|error| unusable(&error).mend("name a context of the kubeconfig with --admin-context"))?;
    let of_context = |name: &str| {
        let user = kubeconfig.select_user(Selection { context: Some(name), user: None });
        user.map_or_else(|_| Ok(Credentials::default()), credentials)
    };
    let reader = of_context(reading)?;
    let person = if reading == context.name { reader.clone() } else { of_context(&context.name)? };
    Ok(Some(Cluster {
        server: entry.value.server.clone(),
        link,
        ca_pem,
        reader,
        person,
        endpoints: given.endpoint.clone(),
        echo: given
            .echo
            .clone()
            .map(|target| EchoWish { target, idle: given.echo_idle.map(Duration::from_secs) }),
    }))
}

/// What the file itself holds. A plugin is not started: it could open a browser.
fn credentials(entry: &Entry<User>) -> Result<Credentials, CommandError> {
    let user = &entry.value;
    let chain = text_of(entry, &user.client_certificate_data, &user.client_certificate)?;
    let key = text_of(entry, &user.client_key_data, &user.client_key)?;
    let identity = chain.zip(key).map(|(chain, key)| Arc::new(Identity::new(chain, key)));
    let token = match (user.token.expose(), user.token_file.as_str()) {
        ("", "") => None,
        ("", file) => Some(read(entry, file)?.trim().to_owned()),
        (token, _) => Some(token.to_owned()),
    };
    Ok(Credentials { identity, token: token.map(Secret::new) })
}

/// What is embedded, or else the file.
fn text_of<T>(entry: &Entry<T>, data: &Data, file: &str) -> Result<Option<String>, CommandError> {
    if !data.is_empty() {
        let text = String::from_utf8(data.bytes().to_vec());
        let broken = |_| CommandError::new("what the kubeconfig embeds in base64 is no PEM");
        return text.map(Some).map_err(broken);
    }
    if file.is_empty() { Ok(None) } else { read(entry, file).map(Some) }
}

fn read<T>(entry: &Entry<T>, file: &str) -> Result<String, CommandError> {
    let path = entry.resolve(file);
    fs::read_to_string(&path)
        .map_err(|error| CommandError::because(format!("{} cannot be read", path.display()), &error))
}
