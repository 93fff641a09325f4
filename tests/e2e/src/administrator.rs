//! Somebody who sets access up by the management API.

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::form;
use crate::kubesso::Kubesso;

/// An API token, and where it is good.
#[derive(Debug)]
pub struct Administrator {
    http: Client,
    base_url: String,
    token: String,
    server: String,
}

/// An application.
#[derive(Clone, Debug)]
pub struct Application {
    /// What the management API calls it.
    pub id: String,
    /// What it calls itself.
    pub client_id: String,
    /// If it has one.
    pub secret: Option<String>,
}

impl Administrator {
    /// With a new API token.
    ///
    /// # Errors
    /// It is not to be had.
    pub async fn new(kubesso: &Kubesso) -> Result<Self> {
        let server = kubesso.ready.issuer.rsplit('/').next().context("a server")?;
        Ok(Self {
            http: form::client(&kubesso.ca_pem()?)?,
            base_url: kubesso.base_url()?,
            token: kubesso.api_token("setup").await?,
            server: format!("/api/v1/authorizationServers/{server}"),
        })
    }

    /// Asks for something that must succeed.
    ///
    /// # Errors
    /// It does not; with what was answered.
    pub async fn call(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}{path}", self.base_url);
        let request = self.http.request(method, url);
        let answer =
            request.header("Authorization", format!("SSWS {}", self.token)).json(body).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }

    /// The path of the authorization server that the first start made.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Makes an application that proves itself by `method`.
    ///
    /// # Errors
    /// It is refused.
    pub async fn create_application(&self, method: &str, settings: Value) -> Result<Application> {
        let app = json!({
            "name": "oidc_client",
            "label": format!("by {method}"),
            "signOnMode": "OPENID_CONNECT",
            "credentials": { "oauthClient": { "token_endpoint_auth_method": method } },
            "settings": { "oauthClient": settings },
        });
        let app = self.call(Method::POST, "/api/v1/apps", &app).await?;
        let client = &app["credentials"]["oauthClient"];
        Ok(Application {
            id: app["id"].as_str().context("an id")?.to_owned(),
            client_id: client["client_id"].as_str().context("a client id")?.to_owned(),
            secret: client["client_secret"].as_str().map(str::to_owned),
        })
    }

    /// The id of the group with that name.
    ///
    /// # Errors
    /// There is none.
    pub async fn group(&self, name: &str) -> Result<String> {
        let groups = self.call(Method::GET, &format!("/api/v1/groups?q={name}"), &Value::Null).await?;
        let found = groups.as_array().into_iter().flatten().find(|group| group["profile"]["name"] == name);
        let id = found.and_then(|group| group["id"].as_str()).with_context(|| format!("no group {name}"))?;
        Ok(id.to_owned())
    }

    /// Lets whoever is in the group use the application.
    ///
    /// # Errors
    /// It is refused.
    pub async fn assign(&self, application: &Application, group: &str) -> Result<()> {
        let path = format!("/api/v1/apps/{}/groups/{}", application.id, self.group(group).await?);
        self.call(Method::PUT, &path, &json!({})).await.map(drop)
    }

    /// A policy by which everybody may use these applications by these grants, for all scopes.
    ///
    /// # Errors
    /// It is refused.
    pub async fn allow(&self, applications: &[&Application], grants: &[&str]) -> Result<()> {
        let clients: Vec<&str> = applications.iter().map(|one| one.client_id.as_str()).collect();
        let policy = json!({
            "type": "OAUTH_AUTHORIZATION_POLICY", "name": "others", "description": "others", "priority": 1,
            "status": "ACTIVE", "conditions": { "clients": { "include": clients } },
        });
        let policies = format!("{}/policies", self.server);
        let policy = self.call(Method::POST, &policies, &policy).await?;
        let rules = format!("{policies}/{}/rules", policy["id"].as_str().context("a policy")?);
        let nobody = json!({ "include": [], "exclude": [] });
        let rule = json!({
            "type": "RESOURCE_ACCESS", "name": "all", "priority": 1, "status": "ACTIVE",
            "conditions": {
                "people": { "users": nobody, "groups": { "include": ["EVERYONE"], "exclude": [] } },
                "grantTypes": { "include": grants },
                "scopes": { "include": ["*"] },
            },
            "actions": { "token": { "accessTokenLifetimeMinutes": 60, "refreshTokenWindowMinutes": 10080 } },
        });
        self.call(Method::POST, &rules, &rule).await.map(drop)
    }
}
