use axum::body::Body;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::harness::{Cluster, request};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// The events of a watch, one after the other.
struct Watch {
    body: axum::body::BodyDataStream,
    buffer: String,
}

impl Watch {
    async fn start(cluster: &Cluster, query: &str, accept: &str) -> Self {
        let path = format!("{CONFIG_MAPS}?watch=true&{query}");
        let request = request("admin", "GET", &path, "", "", &[("accept", accept)]);
        let response = cluster.sandbox.router().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let body: Body = response.into_body();
        Self { body: body.into_data_stream(), buffer: String::new() }
    }

    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((line, rest)) = self.buffer.split_once('\n') {
                let event = serde_json::from_str(line).unwrap();
                self.buffer = rest.to_owned();
                return Some(event);
            }
            let bytes = self.body.next().await?.unwrap();
            self.buffer.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    async fn expect(&mut self, kind: &str, name: &str) -> Value {
        let event = self.next().await.unwrap();
        assert_eq!(
            (&event["type"], &event["object"]["metadata"]["name"]),
            (&json!(kind), &json!(name)),
            "{event}"
        );
        event
    }
}

async fn create(cluster: &Cluster, name: &str, app: &str) -> Value {
    cluster.create(CONFIG_MAPS, json!({"metadata": {"name": name, "labels": {"app": app}}})).await
}

#[tokio::test]
async fn a_watch_begins_with_what_is_there_and_goes_on_with_what_happens() {
    let cluster = Cluster::new().await;
    create(&cluster, "a", "x").await;
    for query in ["", "resourceVersion=0"] {
        let mut watch = Watch::start(&cluster, query, "application/json").await;
        watch.expect("ADDED", "a").await;
        create(&cluster, "b", "x").await;
        let added = watch.expect("ADDED", "b").await;
        assert_eq!(added["object"]["kind"], "ConfigMap");
        cluster.call("admin", "PATCH", &format!("{CONFIG_MAPS}/b"), r#"{"data":{"k":"v"}}"#).await;
        watch.expect("MODIFIED", "b").await;
        cluster.call("admin", "DELETE", &format!("{CONFIG_MAPS}/b"), "").await;
        let gone = watch.expect("DELETED", "b").await;
        assert_eq!(gone["object"]["data"]["k"], "v");
    }
}

#[tokio::test]
async fn a_watch_from_a_revision_gets_what_came_after_it() {
    let cluster = Cluster::new().await;
    let made = create(&cluster, "a", "x").await;
    create(&cluster, "b", "x").await;
    let version = made["metadata"]["resourceVersion"].as_str().unwrap();
    let mut watch = Watch::start(&cluster, &format!("resourceVersion={version}"), "application/json").await;
    watch.expect("ADDED", "b").await;
}

#[tokio::test]
async fn what_a_selector_no_longer_chooses_is_deleted_for_its_watch() {
    let cluster = Cluster::new().await;
    create(&cluster, "a", "x").await;
    let mut watch = Watch::start(&cluster, "labelSelector=app%3Dx", "application/json").await;
    watch.expect("ADDED", "a").await;
    create(&cluster, "other", "y").await;
    cluster
        .call("admin", "PATCH", &format!("{CONFIG_MAPS}/a"), r#"{"metadata":{"labels":{"app":"y"}}}"#)
        .await;
    let gone = watch.expect("DELETED", "a").await;
    assert_eq!(gone["object"]["metadata"]["labels"]["app"], "x", "as it was last chosen");
    cluster
        .call("admin", "PATCH", &format!("{CONFIG_MAPS}/other"), r#"{"metadata":{"labels":{"app":"x"}}}"#)
        .await;
    watch.expect("ADDED", "other").await;
}

#[tokio::test]
async fn a_revision_that_nobody_remembers_is_gone() {
    // A restart forgets the history.
    let cluster = Cluster::new().await.restart().await;
    let mut watch = Watch::start(&cluster, "resourceVersion=1", "application/json").await;
    let event = watch.next().await.unwrap();
    assert_eq!(
        (&event["type"], &event["object"]["code"], &event["object"]["reason"]),
        (&json!("ERROR"), &json!(410), &json!("Expired"))
    );
    assert!(event["object"]["message"].as_str().unwrap().starts_with("too old resource version: 1 ("));
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn the_columns_come_with_the_first_row_only() {
    let cluster = Cluster::new().await;
    create(&cluster, "a", "x").await;
    create(&cluster, "b", "x").await;
    let mut watch = Watch::start(&cluster, "", "application/json;as=Table;v=v1;g=meta.k8s.io").await;
    let first = watch.next().await.unwrap();
    assert_eq!(
        (&first["object"]["kind"], &first["object"]["rows"][0]["cells"][0]),
        (&json!("Table"), &json!("a"))
    );
    assert!(first["object"]["columnDefinitions"].is_array());
    let second = watch.next().await.unwrap();
    assert!(second["object"]["columnDefinitions"].is_null());
}

#[tokio::test]
async fn initial_events_end_with_a_bookmark() {
    let cluster = Cluster::new().await;
    create(&cluster, "a", "x").await;
    let query = "sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan";
    let mut watch = Watch::start(&cluster, query, "application/json").await;
    watch.expect("ADDED", "a").await;
    let end = watch.next().await.unwrap();
    assert_eq!(end["type"], "BOOKMARK");
    assert_eq!(end["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
}

#[tokio::test]
async fn watches_end_when_the_server_does() {
    let cluster = Cluster::new().await;
    create(&cluster, "a", "x").await;
    let mut watch = Watch::start(&cluster, "", "application/json").await;
    watch.expect("ADDED", "a").await;
    cluster.shutdown.cancel();
    assert!(watch.next().await.is_none());
}
