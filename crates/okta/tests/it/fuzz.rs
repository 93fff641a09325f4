//! Whatever is sent: an answer in Okta's form, never a fault of ours, and after a refusal all is as it was.

use std::cell::Cell;

use axum::body::Body;
use http::Request;
use jiff::SignedDuration;
use kubesso_directory::{AdminRole, AuditQuery, RoleHolder, SortOrder};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::house::{Answer, Org};
use crate::templates::{numbered, prepared};

/// What is done to a body.
#[derive(Clone, Debug)]
enum Mutation {
    /// Something in it goes, or becomes another thing.
    Change(Index, Option<Value>),
    /// It is cut off somewhere.
    Cut(Index),
    /// A byte is another.
    Byte(Index, u8),
    /// It is something else altogether.
    Instead(Vec<u8>),
}

fn nested(depth: usize) -> Value {
    (0..depth)
        .fold(json!("x"), |inner, level| if level % 2 == 0 { json!([inner]) } else { json!({ "a": inner }) })
}

fn replacement() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop_oneof![Just(0), Just(1), Just(u64::from(u32::MAX)), Just(10_000), Just(60)]
            .prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        "[a-z0-9_.@:/*-]{0,12}".prop_map(Value::from),
        (1_usize..20_000).prop_map(|length| "x".repeat(length).into()),
        (1_usize..100).prop_map(nested),
        prop::collection::vec(".{0,5}", 0..3).prop_map(Value::from),
        prop::collection::vec(any::<i32>(), 0..3).prop_map(Value::from),
        prop::collection::hash_map("[a-z]{0,5}", any::<i32>(), 0..3).prop_map(|members| json!(members)),
        prop_oneof![
            Just("\u{0}"),
            Just("a\u{0}b"),
            Just("\r\nX: y"),
            Just("ACTIVE"),
            Just("../.."),
            Just("'\"\\")
        ]
        .prop_map(Value::from),
    ]
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        12 => (any::<Index>(), proptest::option::weighted(0.8, replacement())).prop_map(|(at, to)| Mutation::Change(at, to)),
        1 => any::<Index>().prop_map(Mutation::Cut),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Mutation::Instead),
        1 => replacement().prop_map(|value| Mutation::Instead(value.to_string().into_bytes())),
        1 => (1_usize..50_000).prop_map(|depth| Mutation::Instead("{\"a\":".repeat(depth).into_bytes())),
    ]
}

/// The places in a value, as pointers.
fn places(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| places(value, &format!("{at}/{name}"), into));
        }
        Value::Array(all) => {
            all.iter().enumerate().for_each(|(index, value)| places(value, &format!("{at}/{index}"), into));
        }
        _ => {}
    }
}

fn mutated(body: &Value, mutations: &[Mutation]) -> Vec<u8> {
    let mut body = body.clone();
    for mutation in mutations {
        let Mutation::Change(at, to) = mutation else { continue };
        let mut all = Vec::new();
        places(&body, "", &mut all);
        let at = at.get(&all);
        match (to, at.rsplit_once('/')) {
            (None, Some((parent, name))) => {
                if let Some(Value::Object(members)) = body.pointer_mut(parent) {
                    members.remove(name);
                }
            }
            (to, _) => {
                if let Some(place) = body.pointer_mut(at) {
                    *place = to.clone().unwrap_or_default();
                }
            }
        }
    }
    let mut bytes = body.to_string().into_bytes();
    for mutation in mutations {
        match mutation {
            Mutation::Change(..) => {}
            Mutation::Cut(at) => bytes.truncate(at.index(bytes.len().max(1))),
            Mutation::Byte(at, byte) => {
                let length = bytes.len();
                if length > 0 {
                    bytes[at.index(length)] = *byte;
                }
            }
            Mutation::Instead(other) => bytes.clone_from(other),
        }
    }
    bytes
}

/// A refusal is in Okta's form; anything but a success or a refusal is a fault of ours.
fn check_form(answer: &Answer) -> Result<(), TestCaseError> {
    let (status, body) = (answer.status, &answer.body);
    prop_assert!(status.is_success() || status.is_client_error(), "{status}: {body}");
    if status.is_client_error() {
        let is_text = |name: &str| body[name].as_str().is_some_and(|text| !text.is_empty());
        prop_assert!(is_text("errorCode") && is_text("errorSummary") && is_text("errorLink"), "{body}");
        prop_assert_eq!(body["errorId"].as_str(), answer.headers["x-okta-request-id"].to_str().ok());
        let causes = body["errorCauses"].as_array().cloned().unwrap_or_default();
        prop_assert!(
            body["errorCauses"].is_array() && causes.iter().all(|cause| cause["errorSummary"].is_string()),
            "{body}"
        );
    }
    Ok(())
}

/// What a refusal must not change: people, groups, the revision of the configuration; and what was written at this moment.
async fn standing(org: &Org) -> (Value, usize) {
    let mut lists = Vec::new();
    for path in [
        "/api/v1/users",
        "/api/v1/groups?limit=10000",
        "/api/v1/groups/rules?limit=200",
        "/api/v1/api-tokens",
    ] {
        lists.push(org.get(path).await.body);
    }
    let revision = format!("{:?}", org.store.revision().await.unwrap());
    let query = AuditQuery {
        since: org.now(),
        until: org.now() + SignedDuration::from_secs(1),
        filter: None,
        words: &[],
        order: SortOrder::Ascending,
        after: None,
        limit: 10,
    };
    (json!([lists, revision]), org.store.find_audit_events(&query).await.unwrap().len())
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() })
}

#[test]
fn whatever_body_comes_is_taken_or_refused_in_oktas_form_and_a_refusal_changes_nothing() {
    let runtime = runtime();
    let org = runtime.block_on(Org::new());
    let templates = runtime.block_on(prepared(&org));
    // A person, who may make API tokens too.
    let god = runtime.block_on(org.user("god@example.com"));
    runtime.block_on(org.assign_role(RoleHolder::User(god.id.clone()), AdminRole::SuperAdmin));
    let number = Cell::new(1);
    let strategy = (any::<Index>(), prop::collection::vec(mutation(), 0..4));
    let checked = runner(500).run(&strategy, |(at, mutations)| {
        let template = at.get(&templates);
        number.set(number.get() + 1);
        let body = mutated(&numbered(&template.body, number.get()), &mutations);
        runtime.block_on(async {
            org.clock.advance(SignedDuration::from_secs(1));
            let before = standing(&org).await;
            let request = Request::builder()
                .method(template.method)
                .uri(&template.path)
                .header("authorization", format!("Bearer person.{}", god.id))
                .header("content-type", "application/json")
                .body(Body::from(body.clone()))
                .unwrap();
            let answer = org.send(request).await;
            let shown = || {
                let body: String = String::from_utf8_lossy(&body).chars().take(600).collect();
                format!("{} {} {body}", template.method, template.path)
            };
            check_form(&answer).map_err(|error| TestCaseError::fail(format!("{error}; {}", shown())))?;
            if answer.status.is_client_error() {
                prop_assert_eq!(standing(&org).await, before, "{}: {}", shown(), answer.body);
            }
            Ok(())
        })
    });
    checked.unwrap();
}

#[test]
fn whatever_is_asked_is_answered_or_refused_in_oktas_form() {
    let runtime = runtime();
    let org = runtime.block_on(Org::new());
    let templates = runtime.block_on(prepared(&org));
    let mut paths: Vec<String> = templates.into_iter().map(|template| template.path).collect();
    paths.extend(
        ["/api/v1/logs", "/api/v1/policies", "/api/v1/api-tokens", "/api/v1/users/me/roles"]
            .map(str::to_owned),
    );
    let name = prop::sample::select(vec![
        "q",
        "search",
        "filter",
        "limit",
        "after",
        "sortBy",
        "sortOrder",
        "since",
        "until",
        "type",
        "activate",
    ]);
    let filters = prop::sample::select(vec![
        "status eq \"ACTIVE\"",
        "profile.login sw \"d\"",
        "((((status pr))))",
        "not (id eq 5)",
        "lastUpdated gt \"x\"",
        "eventType eq \"a\" and",
        "profile.tags eq \"a\"",
        "target.id co \"%\"",
        "user.id eq \"00u\"",
        "a eq null",
    ]);
    let value = prop_oneof![
        ".{0,30}",
        "[0-9]{1,12}",
        filters.prop_map(str::to_owned),
        "(ASC|DESC|desc|true|DESCENDING)"
    ];
    let segment = prop_oneof![3 => Just(String::new()), 1 => "/[a-zA-Z0-9%._~-]{0,20}"];
    let method = prop::sample::select(vec!["GET", "GET", "GET", "GET", "PATCH", "OPTIONS", "HEAD", "TRACE"]);
    let strategy = (any::<Index>(), method, segment, prop::collection::vec((name, value), 0..3));
    let checked = runner(500).run(&strategy, |(at, method, segment, pairs)| {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let path = at.get(&paths).split('?').next().unwrap();
        let target = format!("{path}{segment}?{query}");
        let Ok(target) = target.parse::<http::Uri>() else { return Ok(()) };
        runtime.block_on(async {
            org.clock.advance(SignedDuration::from_secs(1));
            let before = standing(&org).await;
            let answer = org.call(method, &target.to_string(), None).await;
            if method != "HEAD" {
                check_form(&answer)
                    .map_err(|error| TestCaseError::fail(format!("{error}; {method} {target}")))?;
            }
            prop_assert!(!answer.status.is_server_error(), "{method} {target}");
            prop_assert_eq!(standing(&org).await, before, "{} {}", method, target);
            Ok(())
        })
    });
    checked.unwrap();
}

#[test]
fn whatever_asks_for_a_token_is_refused_in_oauths_form() {
    let runtime = runtime();
    let org = runtime.block_on(Org::new());
    let name = prop::sample::select(vec![
        "grant_type",
        "scope",
        "client_assertion",
        "client_assertion_type",
        "client_id",
        "x",
    ]);
    let known = prop::sample::select(vec![
        "client_credentials",
        "okta.users.read",
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "eyJhbGciOiJub25lIn0.eyJpc3MiOiJhIiwic3ViIjoiYSJ9.",
        "e30.e30.e30",
    ]);
    let value = prop_oneof![known.prop_map(str::to_owned), ".{0,40}"];
    let raw = prop::collection::vec(any::<u8>(), 0..60);
    let dpop = proptest::option::of("[ -~]{0,40}");
    let strategy = (prop::collection::vec((name, value), 0..6), proptest::option::weighted(0.2, raw), dpop);
    let checked = runner(500).run(&strategy, |(pairs, raw, dpop)| {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let mut request = Request::post("/oauth2/v1/token");
        if let Some(dpop) = dpop {
            request = request.header("dpop", dpop);
        }
        let request = request.body(Body::from(raw.unwrap_or_else(|| form.into_bytes()))).unwrap();
        let answer = runtime.block_on(org.send(request));
        prop_assert!(matches!(answer.status.as_u16(), 400 | 401), "{}: {}", answer.status, answer.body);
        prop_assert!(answer.body["error"].is_string() && answer.body["error_description"].is_string());
        Ok(())
    });
    checked.unwrap();
}

#[test]
fn a_body_that_is_too_large_is_refused_in_the_form_of_its_address() {
    let runtime = runtime();
    let org = runtime.block_on(Org::new());
    let large = json!({ "profile": { "name": "x".repeat(2 << 20) } });
    let answer = runtime.block_on(org.post("/api/v1/groups", large));
    answer.refused(400, "E0000003", "larger");
    let request = Request::post("/oauth2/v1/token").body(Body::from("a=".repeat(2 << 20))).unwrap();
    let answer = runtime.block_on(org.send(request)).expect(400);
    assert_eq!(answer["error"], "invalid_request");
}
