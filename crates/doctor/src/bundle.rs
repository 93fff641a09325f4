//! What goes into a support ticket: the report and what it was made of, without anything that is a key.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::evidence::{
    Answer, AuthenticationFile, Evidence, KubeconfigEvidence, Settings, Shape, TokenEvidence,
};
use crate::examination::Report;
use crate::redact::Redactor;

/// The report and its evidence.
#[derive(Debug, Serialize)]
pub struct Bundle<'a> {
    /// The version of the doctor.
    pub kubesso: &'static str,
    /// When it was made.
    pub made_at: String,
    /// What the checks said.
    pub report: &'a Report,
    /// What they looked at, redacted.
    pub evidence: Value,
}

/// Everything that helps somebody else to understand the report.
pub fn bundle<'a>(evidence: &Evidence, report: &'a Report) -> Bundle<'a> {
    let mut shown = Map::new();
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            shown.insert(name.to_owned(), redacted(value));
        }
    };
    add("issuer", evidence.named_issuer.clone().map(Value::String));
    add("audience", evidence.named_audience.clone().map(Value::String));
    add("token", evidence.token().map(token));
    add("settings", evidence.settings.as_ref().map(settings));
    add("kubeconfig", evidence.kubeconfig.as_ref().map(kubeconfig));
    add("subjects", evidence.rbac.as_ref().map(|rbac| json!(rbac.subjects)));
    add(
        "answers",
        evidence.issuer.as_ref().map(|issuer| {
            json!({
                "discovery": {"url": issuer.discovery_url, "answer": answer(&issuer.discovery)},
                "keys": issuer.keys.as_ref().map(|keys| json!({"url": issuer.jwks_uri, "answer": answer(keys)})),
            })
        }),
    );
    Bundle {
        kubesso: env!("CARGO_PKG_VERSION"),
        made_at: evidence.now.to_string(),
        report,
        evidence: Value::Object(shown),
    }
}

/// Header and claims: what a token says is no secret to its owner, and without the signature it is no token. Claims that
/// bind it to a session go all the same.
fn token(token: &TokenEvidence) -> Value {
    match token.shape() {
        Shape::Opaque(problem) => json!({"length": token.length(), "problem": problem}),
        Shape::Jwt { header, claims } => {
            let mut claims = claims.clone();
            for secret in ["nonce", "at_hash", "c_hash", "s_hash", "sid", "jti", "_claim_sources"] {
                if let Some(value) = claims.get_mut(secret) {
                    *value = Value::String("[redacted]".to_owned());
                }
            }
            let kept = ["alg", "kid", "typ"]
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), header.get(name)?.clone())));
            json!({"length": token.length(), "header": kept.collect::<Map<_, _>>(), "claims": claims, "oddities": token.oddities()})
        }
    }
}

fn settings(settings: &Settings) -> Value {
    let known = [
        "oidc-",
        "authentication-",
        "authorization-",
        "anonymous-auth",
        "feature-gates",
        "requestheader-",
        "service-account-issuer",
    ];
    let flags = settings.flags.iter().filter(|(name, _)| known.iter().any(|prefix| name.starts_with(prefix)));
    json!({
        "target": settings.target.map(kubesso_clusters::Target::name),
        "flags": flags.map(|(name, value)| format!("--{name}={value}")).collect::<Vec<_>>(),
        "mounts": settings.pod.as_ref().map(|pod| pod.mounts.clone()),
        "authentication": settings.authentication.as_ref().map(AuthenticationFile::value),
    })
}

fn kubeconfig(kubeconfig: &KubeconfigEvidence) -> Value {
    let plugin = kubeconfig.plugin.as_ref().map(|plugin| {
        json!({
            "command": plugin.command, "apiVersion": plugin.api_version, "interactiveMode": plugin.interactive_mode,
            "lacking": plugin.lacking, "issuer": plugin.issuer, "clientID": plugin.client_id, "scopes": plugin.scopes,
            "usesAccessToken": plugin.uses_access_token, "grantType": plugin.grant_type, "hasSecret": plugin.has_secret,
        })
    });
    json!({
        "context": kubeconfig.context, "server": kubeconfig.server, "skipsVerification": kubeconfig.skips_verification,
        "user": kubeconfig.user.as_ref().ok(),
        "credentials": kubeconfig.credentials.iter().map(crate::evidence::Credential::name).collect::<Vec<_>>(),
        "plugin": plugin,
    })
}

fn answer(answer: &Answer) -> Value {
    match answer {
        Answer::Failed(sentence) => json!({"failed": sentence}),
        Answer::Came { status, content_type, max_age, date, json } => json!({
            "status": status, "contentType": content_type, "maxAge": max_age.map(|it| it.as_secs()),
            "date": date.map(|it| it.to_string()), "json": json,
        }),
    }
}

/// Every text of a value, without what is a secret in it. Public keys stay: they are no secret.
fn redacted(value: Value) -> Value {
    match value {
        Value::String(text) => {
            let mut redactor = Redactor::default();
            Value::String(text.lines().map(|line| redactor.line(line)).collect::<Vec<_>>().join("\n"))
        }
        Value::Array(list) => list.into_iter().map(redacted).collect(),
        Value::Object(map) => map.into_iter().map(|(name, value)| (name, redacted(value))).collect(),
        other => other,
    }
}
