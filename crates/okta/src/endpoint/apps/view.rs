//! An application as Okta shows it.
//!
//! ```json
//! {"id", "name": "oidc_client", "label", "status", "signOnMode": "OPENID_CONNECT", "created", "lastUpdated",
//!  "accessibility": {}, "visibility": {"hide": {}}, "features": [], "profile"?,
//!  "credentials": {"oauthClient": {"client_id", "client_secret"?, "token_endpoint_auth_method", "pkce_required",
//!                                  "autoKeyRotation"}, "userNameTemplate": {}, "signing": {}},
//!  "settings": {"app": {}, "notes": {}, "oauthClient": {"application_type", "grant_types", …}}, "_links": {}}
//! ```
//!
//! What was sent is shown as it was sent; over defaults, which clients of some versions insist on.

use kubesso_directory::{
    Application, ApplicationType, ClientAuthentication, ClientKeys, ClientSecret, GrantType, RefreshRotation,
    ResponseType,
};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::endpoint::apps::settings::kept;
use crate::endpoint::policies::ACCESS_POLICY;
use crate::time;

/// Whether secrets may be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrets {
    Hidden,
    Shown,
}

/// An application.
pub(crate) fn application(context: &Context, application: &Application, secrets: Secrets) -> Value {
    let mut shown = json!({
        "id": application.id.as_str(),
        "orn": format!("orn:kubesso:idp:apps:oidc_client:{}", application.id),
        "name": "oidc_client",
        "label": application.label.as_str(),
        "status": application.status.as_str(),
        "created": time::text(application.created),
        "lastUpdated": time::text(application.last_updated),
        "signOnMode": "OPENID_CONNECT",
        "features": [],
        "accessibility": over(
            json!({ "selfService": false, "errorRedirectUrl": null, "loginRedirectUrl": null }),
            kept(application, &["accessibility"]),
        ),
        "visibility": over(
            json!({
                "autoLaunch": false,
                "autoSubmitToolbar": false,
                "hide": { "iOS": true, "web": true },
                "appLinks": { "oidc_client_link": true },
            }),
            kept(application, &["visibility"]),
        ),
        "credentials": {
            "oauthClient": oauth_credentials(context, application, secrets),
            "userNameTemplate": over(
                json!({ "template": "${source.login}", "type": "BUILT_IN" }),
                kept(application, &["userNameTemplate"]),
            ),
            "signing": {},
        },
        "settings": settings(application),
        "_links": links(context, application),
    });
    if let Some(Value::Object(profile)) = kept(application, &["profile"])
        && !profile.is_empty()
    {
        shown["profile"] = profile.clone().into();
    }
    shown
}

/// A client secret's text.
pub(super) fn secret_text(context: &Context, secret: &ClientSecret) -> Option<String> {
    let opened = context.sealing_key.open(ClientSecret::PURPOSE, &secret.sealed).ok()?;
    String::from_utf8(opened.to_vec()).ok()
}

fn oauth_credentials(context: &Context, application: &Application, secrets: Secrets) -> Value {
    let mut shown = json!({
        "client_id": application.client_id.as_str(),
        "autoKeyRotation": kept(application, &["autoKeyRotation"]).cloned().unwrap_or(true.into()),
        "token_endpoint_auth_method": application.authentication.method(),
        "pkce_required": application.pkce_required,
    });
    let active = application.authentication.secrets().iter().rfind(|secret| secret.status.is_active());
    if secrets == Secrets::Shown
        && let Some(text) = active.and_then(|secret| secret_text(context, secret))
    {
        shown["client_secret"] = text.into();
    }
    shown
}

fn settings(application: &Application) -> Value {
    let mut oauth = json!({
        "application_type": type_word(application.application_type),
        "consent_method": "TRUSTED",
        "grant_types": application.grant_types.iter().map(|grant| grant.as_str()).collect::<Vec<_>>(),
        "idp_initiated_login": { "mode": "DISABLED", "default_scope": [] },
        "issuer_mode": "ORG_URL",
        "post_logout_redirect_uris": application.post_logout_redirect_uris,
        "redirect_uris": application.redirect_uris,
        "response_types": application.response_types.iter().map(|one| response_word(*one)).collect::<Vec<_>>(),
        "wildcard_redirect": "DISABLED",
        "client_uri": null,
        "logo_uri": null,
        "dpop_bound_access_tokens": false,
    });
    if application.grant_types.contains(&GrantType::RefreshToken) {
        oauth["refresh_token"] = match application.refresh_rotation {
            RefreshRotation::Rotate { leeway } => {
                json!({ "rotation_type": "ROTATE", "leeway": leeway.as_secs() })
            }
            RefreshRotation::Static => json!({ "rotation_type": "STATIC", "leeway": 0 }),
        };
    }
    match application.keys() {
        Some(ClientKeys::Inline(set)) => oauth["jwks"] = set,
        Some(ClientKeys::At(uri)) => oauth["jwks_uri"] = uri.as_str().into(),
        None => {}
    }
    if let ClientAuthentication::Tls(subject) = &application.authentication {
        let (member, text) = subject.member();
        oauth[member] = text.into();
    }
    let oauth = over(oauth, kept(application, &["oauthClient"]));
    let mut shown = over(
        json!({
            "app": {},
            "implicitAssignment": false,
            "manualProvisioning": false,
            "notes": { "admin": null, "enduser": null },
            "notifications": {
                "vpn": { "network": { "connection": "DISABLED" }, "message": null, "helpUrl": null },
            },
            "signOn": null,
        }),
        kept(application, &["settings"]),
    );
    shown["oauthClient"] = oauth;
    shown
}

/// Defaults, and over them what was sent, member by member.
fn over(defaults: Value, sent: Option<&Value>) -> Value {
    match (defaults, sent) {
        (Value::Object(mut defaults), Some(Value::Object(sent))) => {
            for (name, value) in sent {
                let merged = over(defaults.remove(name).unwrap_or(Value::Null), Some(value));
                defaults.insert(name.clone(), merged);
            }
            defaults.into()
        }
        (_, Some(sent)) => sent.clone(),
        (defaults, None) => defaults,
    }
}

fn links(context: &Context, application: &Application) -> Value {
    let url = |rest: &str| context.url(&format!("/api/v1/apps/{}{rest}", application.id));
    let mut links = Map::new();
    let mut link = |name: &str, href: String| {
        links.insert(name.to_owned(), json!({ "href": href }));
    };
    link("self", url(""));
    link("users", url("/users"));
    link("groups", url("/groups"));
    link("accessPolicy", context.url(&format!("/api/v1/policies/{ACCESS_POLICY}")));
    if application.status.is_active() {
        link("deactivate", url("/lifecycle/deactivate"));
    } else {
        link("activate", url("/lifecycle/activate"));
    }
    links.insert("logo".to_owned(), json!([]));
    links.insert("appLinks".to_owned(), json!([]));
    links.into()
}

fn type_word(application_type: ApplicationType) -> &'static str {
    match application_type {
        ApplicationType::Browser => "browser",
        ApplicationType::Native => "native",
        ApplicationType::Service => "service",
        ApplicationType::Web => "web",
    }
}

fn response_word(response_type: ResponseType) -> &'static str {
    match response_type {
        ResponseType::Code => "code",
        ResponseType::IdToken => "id_token",
        ResponseType::Token => "token",
    }
}
