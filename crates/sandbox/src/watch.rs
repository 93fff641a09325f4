//! Watches: a stream of JSON events, one a line, from a revision on or from the present state.
//!
//! As apiserver `pkg/endpoints/handlers/watch.go` and `pkg/storage/cacher`: without `resourceVersion` (or with
//! `0`) the present objects come first, as `ADDED`; an object that a selector no longer chooses is `DELETED` for
//! this watch; a revision that the history no longer reaches is answered by an `ERROR` event with `410 Expired`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use kubesso_ambient::draw;
use kubesso_k8s_types::meta::Status;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::catalog::ResourceType;
use crate::object;
use crate::rest::options::ListOptions;
use crate::rest::selector::Selector;
use crate::rest::{Api, Target};
use crate::server::negotiate::{Format, Shape};
use crate::server::shape;
use crate::status::{ApiError, quoted};
use crate::storage::{Event, EventKind};
use crate::table::{self, IncludeObject, TableOptions};

/// How often a watch that wants bookmarks gets one.
const BOOKMARK_EVERY: Duration = Duration::from_mins(1);
/// How long a watch lasts at least if nobody says otherwise (`--min-request-timeout`); at most twice that.
const MIN_DURATION: u64 = 1800;

/// Starts a watch.
pub(crate) fn start(
    api: &Api,
    target: &Target,
    options: &ListOptions,
    selector: Selector,
    format: Format,
    include_object: IncludeObject,
    shutdown: CancellationToken,
) -> Result<Response, ApiError> {
    let from = asked_version(&options.resource_version)?;
    let initial = options.send_initial_events.unwrap_or(from.is_none());
    let mut watch = Watch {
        resource: target.resource,
        namespace: target.namespace.clone(),
        selector,
        format,
        include_object,
        api: api.clone(),
        pending: VecDeque::new(),
        headers_sent: false,
        revision: from.unwrap_or_default(),
    };
    let events = if initial { watch.begin_with_present(api, options) } else { watch.begin_after(from) };

    let random = u64::from(u16::from_le_bytes(draw::<2>(&*api.entropy)));
    let seconds = options.timeout_seconds.unwrap_or(MIN_DURATION + random % MIN_DURATION);
    let started = Instant::now();
    let state = Running {
        watch,
        events,
        ends: started + Duration::from_secs(seconds),
        bookmark: options.bookmarks.then(|| started + BOOKMARK_EVERY),
        shutdown,
    };
    let body = Body::from_stream(stream::unfold(state, Running::next));
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    Ok(response)
}

fn asked_version(text: &str) -> Result<Option<u64>, ApiError> {
    if text.is_empty() || text == "0" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let text = quoted(text);
        ApiError::unclassified(format!(
            "resourceVersion: Invalid value: {text}: strconv.ParseUint: parsing {text}: invalid syntax"
        ))
    })
}

/// What is watched, and what is to be sent.
struct Watch {
    api: Api,
    resource: &'static ResourceType,
    namespace: String,
    selector: Selector,
    format: Format,
    include_object: IncludeObject,
    pending: VecDeque<Bytes>,
    headers_sent: bool,
    revision: u64,
}

type Events = Option<broadcast::Receiver<Arc<Event>>>;

impl Watch {
    fn begin_with_present(&mut self, api: &Api, options: &ListOptions) -> Events {
        // Subscribed first: what is written meanwhile is in both and sent once, by its revision.
        let subscription = api.store.subscribe(None).ok()?;
        let namespace = (!self.namespace.is_empty()).then_some(self.namespace.as_str());
        let (revision, objects) = api.store.list_at(&self.resource.group_resource(), namespace, None).ok()?;
        for stored in &objects {
            if self.selector.matches(self.resource, &stored.object) {
                self.push("ADDED", &stored.object);
            }
        }
        self.revision = revision;
        if options.send_initial_events == Some(true) && options.bookmarks {
            self.bookmark(&json!({"k8s.io/initial-events-end": "true"}));
        }
        Some(subscription.events)
    }

    fn begin_after(&mut self, from: Option<u64>) -> Events {
        match self.api.store.subscribe(from) {
            Ok(subscription) => {
                for event in subscription.backlog {
                    self.take(&event);
                }
                Some(subscription.events)
            }
            Err(too_old) => {
                let asked = from.unwrap_or_default();
                self.expired(&format!("too old resource version: {asked} ({})", too_old.oldest));
                None
            }
        }
    }

    /// Queues what the event means for this watch.
    fn take(&mut self, event: &Event) {
        if event.object.revision <= self.revision {
            return;
        }
        self.revision = event.object.revision;
        let concerns = event.key.resource == self.resource.group_resource()
            && (self.namespace.is_empty() || event.key.namespace == self.namespace);
        if !concerns {
            return;
        }
        let chosen = |object: &Value| self.selector.matches(self.resource, object);
        let was = event.previous.as_ref().is_some_and(|previous| chosen(&previous.object));
        let is = event.kind != EventKind::Deleted && chosen(&event.object.object);
        match (was, is) {
            (false, true) => self.push("ADDED", &event.object.object),
            (true, true) => self.push("MODIFIED", &event.object.object),
            (true, false) => {
                // As it was last chosen, at the revision of what made it go.
                let mut last = match (event.kind, &event.previous) {
                    (EventKind::Modified, Some(previous)) => previous.object.clone(),
                    _ => event.object.object.clone(),
                };
                object::set_meta(&mut last, "resourceVersion", event.object.revision.to_string());
                self.push("DELETED", &last);
            }
            (false, false) => {}
        }
    }

    fn push(&mut self, kind: &str, object: &Value) {
        let shaped = match self.format.shape {
            Shape::Whole => object.clone(),
            Shape::Metadata(version) => shape::metadata_only(object, version),
            Shape::Table(version) => {
                let options = TableOptions {
                    include_object: self.include_object,
                    no_headers: std::mem::replace(&mut self.headers_sent, true),
                    version: version.to_owned(),
                    list_meta: json!({"resourceVersion": object::meta(object, "resourceVersion")}),
                };
                table::render(self.resource, std::slice::from_ref(object), self.api.clock.now(), &options)
            }
        };
        self.send(kind, &shaped);
    }

    fn bookmark(&mut self, annotations: &Value) {
        let mut metadata = json!({"resourceVersion": self.revision.to_string()});
        if annotations.is_object() {
            metadata["annotations"] = annotations.clone();
        }
        let object = json!({"kind": self.resource.kind, "apiVersion": self.resource.api_version(), "metadata": metadata});
        match self.format.shape {
            Shape::Whole | Shape::Metadata(_) => self.send("BOOKMARK", &object),
            Shape::Table(_) => self.push("BOOKMARK", &object),
        }
    }

    fn expired(&mut self, message: &str) {
        let status = serde_json::to_value(Status::expired(message)).unwrap_or_default();
        self.send("ERROR", &status);
    }

    fn send(&mut self, kind: &str, object: &Value) {
        let mut line = json!({"type": kind, "object": object}).to_string();
        line.push('\n');
        self.pending.push_back(line.into());
    }
}

/// A watch with its end.
struct Running {
    watch: Watch,
    events: Events,
    ends: Instant,
    bookmark: Option<Instant>,
    shutdown: CancellationToken,
}

impl Running {
    /// The next line; `None` ends the response.
    async fn next(mut self) -> Option<(Result<Bytes, std::convert::Infallible>, Self)> {
        loop {
            if let Some(line) = self.watch.pending.pop_front() {
                return Some((Ok(line), self));
            }
            let events = self.events.as_mut()?;
            let wakes = self.bookmark.map_or(self.ends, |bookmark| bookmark.min(self.ends));
            tokio::select! {
                () = self.shutdown.cancelled() => return None,
                () = tokio::time::sleep_until(wakes) => {
                    if wakes == self.ends {
                        return None;
                    }
                    self.bookmark = Some(wakes + BOOKMARK_EVERY);
                    self.watch.bookmark(&Value::Null);
                }
                event = events.recv() => match event {
                    Ok(event) => self.watch.take(&event),
                    Err(broadcast::error::RecvError::Lagged(_)) => {
                        self.watch.expired("too many changes at once for this watch; list again");
                        self.events = None;
                    }
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
            }
        }
    }
}
