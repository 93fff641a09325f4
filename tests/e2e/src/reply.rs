//! One HTTP call to a cluster, and what of its answer must be the same on both.

use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::form;

/// kubectl's way of asking for tables.
pub const AS_TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// A cluster to call.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// For the explanation of a difference.
    pub name: &'static str,
    base: String,
    client: Client,
}

/// What to ask.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// HTTP method; empty is GET.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The body and its content type.
    pub body: Option<(&'static str, String)>,
    /// The bearer token; `None` is anonymous.
    pub token: Option<String>,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
}

impl Call {
    /// `GET path`.
    pub fn get(path: &str) -> Self {
        Self { path: path.to_owned(), ..Self::default() }
    }

    /// `POST path` with an object.
    pub fn post(path: &str, object: &Value) -> Self {
        let body = Some(("application/json", object.to_string()));
        Self { method: Method::POST, path: path.to_owned(), body, ..Self::default() }
    }

    /// `DELETE path`.
    pub fn delete(path: &str) -> Self {
        Self { method: Method::DELETE, path: path.to_owned(), ..Self::default() }
    }

    /// `PATCH path`.
    pub fn patch(path: &str, content_type: &'static str, body: &Value) -> Self {
        let body = Some((content_type, body.to_string()));
        Self { method: Method::PATCH, path: path.to_owned(), body, ..Self::default() }
    }

    /// As somebody.
    #[must_use]
    pub fn with_token(mut self, token: Option<&str>) -> Self {
        self.token = token.map(str::to_owned);
        self
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status code.
    pub status: u16,
    /// The whole body.
    pub body: String,
}

impl Cluster {
    /// The cluster at `base`, whose certificate `ca_pem` signed.
    ///
    /// # Errors
    /// `ca_pem` holds no certificate.
    pub fn new(name: &'static str, base: &str, ca_pem: &str) -> Result<Self> {
        Ok(Self { name, base: base.trim_end_matches('/').to_owned(), client: form::client(ca_pem)? })
    }

    /// Makes the call. A watch ends when the query's `timeoutSeconds` says so.
    ///
    /// # Errors
    /// The cluster does not answer.
    pub async fn call(&self, call: &Call) -> Result<Reply> {
        let url = format!("{}{}", self.base, call.path);
        let mut request = self.client.request(call.method.clone(), &url).timeout(Duration::from_secs(30));
        let asked = call.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept"));
        if !asked {
            request = request.header("Accept", "application/json");
        }
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        if let Some(token) = &call.token {
            request = request.bearer_auth(token);
        }
        if let Some((content_type, body)) = &call.body {
            request = request.header("Content-Type", *content_type).body(body.clone());
        }
        let answer = request.send().await.with_context(|| format!("{} {} {url}", self.name, call.method))?;
        let status = answer.status().as_u16();
        let body = answer.text().await.with_context(|| format!("{} {} {url}", self.name, call.method))?;
        Ok(Reply { status, body })
    }
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("no JSON ({}): {}", self.status, self.body))
    }

    /// The `message` of a `Status`; empty for anything else.
    pub fn message(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["message"].as_str().unwrap_or_default().to_owned()
    }

    /// What must be equal on both clusters: the status code; of a `Status` everything but uids; of a table
    /// its columns and its rows with the ages masked; of a list the names; of a watch its events; of an object
    /// what it is called.
    pub fn essence(&self) -> Value {
        let mut essence = match serde_json::from_str::<Value>(&self.body) {
            _ if let Some(events) = events(&self.body) => events,
            Ok(body) => essence_of(&body),
            Err(_) => json!({"text": self.body}),
        };
        if let Some(essence) = essence.as_object_mut() {
            essence.insert("code".to_owned(), json!(self.status));
        }
        essence
    }
}

fn essence_of(body: &Value) -> Value {
    let kind = body["kind"].as_str().unwrap_or_default();
    match kind {
        "Status" => {
            let mut status = body.clone();
            if let Some(details) = status.get_mut("details").and_then(Value::as_object_mut) {
                details.remove("uid");
            }
            json!({"status": status})
        }
        "Table" => table(body),
        _ if body["items"].is_array() => {
            let items = body["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            json!({"kind": kind, "names": items.iter().map(name_of).collect::<Vec<_>>()})
        }
        _ => json!({"kind": kind, "apiVersion": body["apiVersion"], "name": name_of(body)}),
    }
}

fn name_of(object: &Value) -> Value {
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => {
            json!(format!("{namespace}/{}", object["metadata"]["name"].as_str().unwrap_or_default()))
        }
        None => object["metadata"]["name"].clone(),
    }
}

/// Columns whose cells say how long ago something was.
const TIMES: &[&str] = &["Age", "Created At", "Last Seen", "First Seen"];

fn table(body: &Value) -> Value {
    let columns: Vec<&str> = body["columnDefinitions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|column| column["name"].as_str().unwrap_or_default())
        .collect();
    let row = |row: &Value| -> Value {
        let cells = row["cells"].as_array().into_iter().flatten().zip(&columns);
        cells
            .map(|(cell, column)| if TIMES.contains(column) { json!("<age>") } else { cell.clone() })
            .collect()
    };
    let rows: Vec<Value> = body["rows"].as_array().into_iter().flatten().map(row).collect();
    json!({"columns": columns, "rows": rows})
}

/// A watch's events, if it is one; those of the objects that are there at its start come in no promised order.
fn events(body: &str) -> Option<Value> {
    let event = |line: &str| {
        let event: Value = serde_json::from_str(line).ok()?;
        let object = event["object"].is_object().then(|| essence_of(&event["object"]))?;
        Some(format!("{} {object}", event["type"].as_str()?))
    };
    let mut events = body.lines().map(event).collect::<Option<Vec<_>>>()?;
    events.sort();
    (!events.is_empty()).then(|| json!({"events": events}))
}

/// Differences between two clusters, collected so that one run shows all of them.
#[derive(Debug, Default)]
pub struct Differences(Vec<String>);

impl Differences {
    /// Makes the same call on both and notes a difference. The sandbox's reply is returned.
    ///
    /// # Errors
    /// One of them does not answer.
    pub async fn compare(
        &mut self,
        what: &str,
        call: &Call,
        sandbox: &Cluster,
        real: &Cluster,
    ) -> Result<Reply> {
        let (ours, theirs) = tokio::join!(sandbox.call(call), real.call(call));
        let (ours, theirs) = (ours?, theirs?);
        let (our_essence, their_essence) = (ours.essence(), theirs.essence());
        if our_essence != their_essence {
            let request = format!("{} {}", call.method, call.path);
            self.note(what, &request, &our_essence.to_string(), &their_essence.to_string());
        }
        Ok(ours)
    }

    /// As [`compare`](Self::compare), and notes it when the sandbox's status code is not `expected`: that both say
    /// the same does not mean that both say the right thing.
    ///
    /// # Errors
    /// One of them does not answer.
    pub async fn expect(
        &mut self,
        what: &str,
        call: &Call,
        expected: u16,
        sandbox: &Cluster,
        real: &Cluster,
    ) -> Result<Reply> {
        let reply = self.compare(what, call, sandbox, real).await?;
        if reply.status != expected {
            let request = format!("{} {}, expected {expected}", call.method, call.path);
            self.note(what, &request, &format!("{} {}", reply.status, reply.body), "");
        }
        Ok(reply)
    }

    /// Notes a difference that was found otherwise.
    pub fn note(&mut self, what: &str, request: &str, sandbox: &str, real: &str) {
        self.0.push(format!("{what}: {request}\n  sandbox: {sandbox}\n  real:    {real}"));
    }

    /// Fails if there are any, and shows them all.
    ///
    /// # Errors
    /// There are differences.
    pub fn none(self) -> Result<()> {
        let number = self.0.len();
        anyhow::ensure!(
            number == 0,
            "{number} difference(s) to the real kube-apiserver:\n\n{}\n",
            self.0.join("\n\n")
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn essence(status: u16, body: &str) -> Value {
        Reply { status, body: body.to_owned() }.essence()
    }

    #[test]
    fn of_a_status_all_but_uids_counts() {
        let body = |uid: &str| {
            json!({"kind": "Status", "message": "m", "details": {"name": "n", "uid": uid}, "code": 404})
                .to_string()
        };
        assert_eq!(essence(404, &body("1")), essence(404, &body("2")));
        assert_ne!(essence(404, &body("1")), essence(403, &body("1")));
        assert_ne!(essence(404, &body("1")), essence(404, &body("1").replace("\"m\"", "\"other\"")));
    }

    #[test]
    fn of_a_list_the_names_in_order_count() {
        let list = |first: &str, second: &str| {
            json!({"kind": "PodList", "items": [{"metadata": {"name": first}}, {"metadata": {"name": second}}]})
                .to_string()
        };
        assert_ne!(essence(200, &list("a", "b")), essence(200, &list("b", "a")));
    }

    #[test]
    fn the_first_events_of_a_watch_come_in_any_order() {
        let event = |name: &str| {
            format!(
                "{{\"type\":\"ADDED\",\"object\":{{\"kind\":\"Pod\",\"metadata\":{{\"name\":\"{name}\"}}}}}}"
            )
        };
        let (a, b) = (event("a"), event("b"));
        assert_eq!(essence(200, &format!("{a}\n{b}\n")), essence(200, &format!("{b}\n{a}\n")));
        assert_ne!(essence(200, &format!("{a}\n")), essence(200, &format!("{a}\n{b}\n")));
    }

    #[test]
    fn differences_are_all_shown() {
        let mut differences = Differences::default();
        differences.note("one", "GET /a", "1", "2");
        differences.note("two", "GET /b", "3", "4");
        let shown = differences.none().unwrap_err().to_string();
        assert!(
            shown.contains("2 difference(s)") && shown.contains("GET /a") && shown.contains("real:    4"),
            "{shown}"
        );
    }
}
