//! HTTP requests → attributes → refusals.

use kubesso_authz::{RequestInfo, RequestInfoError, Target, forbidden_status};
use kubesso_k8s_types::UserInfo;
use serde_json::{Value, json};

use crate::generate::Random;
use crate::oracle::Oracle;

const METHODS: [&str; 12] =
    ["GET", "GET", "GET", "DELETE", "HEAD", "POST", "PUT", "PATCH", "OPTIONS", "get", "Delete", "FOO"];
const SEGMENTS: [&str; 38] = [
    "api",
    "apis",
    "v1",
    "apps",
    "namespaces",
    "namespaces",
    "n",
    "pods",
    "watch",
    "proxy",
    "status",
    "finalize",
    "log",
    "",
    "",
    "..",
    ".",
    "*",
    "a%2Fb",
    "%2F",
    "%2f%2f",
    "%20",
    "a+b",
    "é",
    "%C3%A9",
    "%ff",
    "%",
    "%zz",
    "%2",
    "%25",
    "API",
    "%61pi",
    "a:b",
    "<x>&",
    "a;b",
    "\"q\"",
    "%00",
    "w%61tch",
];
const OPTIONS: [&str; 32] = [
    "watch",
    "watch=",
    "watch=true",
    "watch=1",
    "watch=0",
    "watch=false",
    "watch=False",
    "watch=fal%C5%BFe",
    "Watch=true",
    "%77atch=1",
    "watch=1;2",
    "watch=%zz",
    "limit=5",
    "limit=x",
    "limit=",
    "limit=%2B7",
    "timeoutSeconds=9",
    "timeoutSeconds=1.5",
    "timeoutSeconds=9223372036854775808",
    "resourceVersion=abc",
    "sendInitialEvents=maybe",
    "allowWatchBookmarks=x",
    "continue=",
    "",
    "&",
    "=",
    "a=b=c",
    "pretty",
    "dryRun=All",
    "%ff=1",
    "watch=%ff",
    "+watch=1",
];
const FIELD_PARTS: [&str; 22] = [
    "metadata.name",
    "metadata.name=a",
    "metadata.name%3Db",
    "metadata.name==c",
    "metadata.name!=d",
    "=",
    ",",
    "a=b",
    "!=",
    "\\,",
    "\\=",
    "\\\\",
    "\\x",
    "metadata.name=a%2Fb",
    "metadata.name=..",
    "metadata.name=",
    "metadata.name=a%25",
    "+",
    "é",
    "%ff",
    "metadata.namespace=n",
    "metadata.name=ü\\,",
];
pub(crate) const LABEL_PARTS: [&str; 34] = [
    "a",
    "app",
    "in",
    "notin",
    "(",
    ")",
    ",",
    "=",
    "==",
    "!=",
    "!",
    ">",
    "<",
    " ",
    "b",
    "5",
    "x/y",
    "-",
    "é",
    "",
    "/",
    "A.b_c-d",
    "kubernetes.io/x",
    "K8S.io/x",
    "a..b/c",
    "9",
    "+5",
    "-5",
    "\t",
    "\0",
    "a.",
    "web",
    "notin (",
    "in (a, b)",
];

fn encode(text: &str) -> String {
    let keep = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.,=()!<>/".contains(byte);
    text.bytes()
        .map(|byte| if keep(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn target(random: &mut Random) -> String {
    let mut segments = Vec::new();
    // Mostly something that could be served, or nothing ever gets past the prefix.
    match random.below(6) {
        0 => {}
        1..4 => segments.extend(["api".to_owned(), "v1".to_owned()]),
        _ => segments.extend(["apis".to_owned(), "apps".to_owned(), "v1".to_owned()]),
    }
    segments.extend(random.texts(&SEGMENTS, 6));
    let mut target = format!("/{}", segments.join("/"));
    if random.one_in(2) {
        let mut options = random.texts(&OPTIONS, 2);
        if random.one_in(3) {
            let comma = random.pick(&["", ","]);
            options.push(format!("fieldSelector={}", random.joined(&FIELD_PARTS, 3, comma)));
        }
        if random.one_in(3) {
            options.push(format!("labelSelector={}", encode(&random.joined(&LABEL_PARTS, 3, ""))));
        }
        let turn = if options.is_empty() { 0 } else { random.below(options.len()) };
        options.rotate_left(turn);
        target = format!("{target}?{}", options.join("&"));
    }
    target
}

fn compare(oracle: &mut Oracle, method: &str, target: &str) -> bool {
    let user = "u<v>&\"w\"";
    let question =
        json!({"op": "request", "method": method, "target": target, "user": user, "reason": "why"});
    let answer = oracle.ask(&question);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let info = match RequestInfo::resolve(method, path, query) {
        Err(RequestInfoError::BadPath { .. }) => {
            assert_eq!(answer["badRequest"], true, "{question}");
            return false;
        }
        Err(RequestInfoError::NotUtf8 { .. }) => {
            assert!(answer["notUtf8"] == true || answer["error"] != "", "{question}");
            return false;
        }
        Err(error @ RequestInfoError::NoKind { .. }) => {
            // A question mark with nothing behind it is not handed on to us.
            let theirs = answer["error"].as_str().unwrap();
            assert_eq!(error.to_string(), theirs.trim_end_matches('?'), "{question}");
            return false;
        }
        Ok(info) => info,
    };
    assert_eq!((&answer["badRequest"], &answer["error"]), (&json!(false), &json!("")), "{question}");
    if answer["notUtf8"] == true {
        // A name pinned by a value that is no text: there it pins, here not.
        assert_eq!(info.resource().map(|target| target.name.as_str()), Some(""), "{question}");
        return false;
    }

    let ours = match &info.target {
        Target::NonResource { .. } => json!({"resource": false}),
        Target::Resource(target) => json!({
            "resource": true, "group": target.api_group, "version": target.api_version,
            "namespace": target.namespace, "kind": target.resource, "sub": target.subresource, "name": target.name,
            "field": target.field_selector, "label": target.label_selector, "parts": info.parts,
        }),
    };
    let theirs: Value =
        ours.as_object().unwrap().keys().map(|key| (key.clone(), answer[key].clone())).collect();
    assert_eq!(ours, theirs, "{question}");
    assert_eq!(
        json!([info.path, info.verb, info.api_prefix]),
        json!([answer["path"], answer["verb"], answer["prefix"]]),
        "{question}"
    );

    let attributes = info.attributes(UserInfo { username: user.to_owned(), ..UserInfo::default() });
    let mut theirs = answer["forbidden"].clone();
    theirs["kind"] = json!("Status");
    theirs["apiVersion"] = json!("v1");
    assert_eq!(json!(forbidden_status(&attributes, "why")), theirs, "{question}");
    true
}

#[test]
fn requests_are_read_and_refused_as_upstream_does() {
    let Some(mut oracle) = Oracle::start() else { return };
    let mut random = Random::seeded(3);
    let all = 30_000;
    let served = (0..all)
        .filter(|_| {
            let method = random.pick(&METHODS);
            compare(&mut oracle, method, &target(&mut random))
        })
        .count();
    println!("{all} requests compared, {served} of them readable");
    assert!(served > all / 2, "the generator is out of balance: {served} of {all}");
}

#[test]
fn the_requests_of_the_reference_are_read_as_upstream_does() {
    let Some(mut oracle) = Oracle::start() else { return };
    for (method, target) in [
        ("GET", "/"),
        ("GET", "/healthz"),
        ("HEAD", "/livez"),
        ("OPTIONS", "/api/v1/pods"),
        ("GET", "/apis/apps/v1"),
        ("GET", "/api/v1/namespaces/n"),
        ("PUT", "/api/v1/namespaces/n/status"),
        ("PUT", "/api/v1/namespaces/n/finalize"),
        ("GET", "/api/v1/namespaces/n/pods/p/log"),
        ("POST", "/api/v1/namespaces/n/pods/p/exec?command=sh"),
        ("GET", "/api/v1/watch/pods"),
        ("GET", "/api/v1/watch"),
        ("GET", "/api/v1/proxy/namespaces/n/pods/p/x"),
        ("GET", "/api/v1/nodes/a%2Fb"),
        ("GET", "/api/v1//nodes"),
        ("GET", "//api/v1/nodes"),
        ("GET", "/api/v1/nodes?watch"),
        ("GET", "/api/v1/nodes?watch="),
        ("GET", "/api/v1/nodes/n?watch=true"),
        ("GET", "/api/v1/nodes?watch=true&limit=x"),
        ("GET", "/api/v1/nodes?fieldSelector=metadata.name=a,metadata.name=b"),
        ("DELETE", "/api/v1/nodes?fieldSelector=metadata.name=a"),
        ("GET", "/api/v1/nodes?labelSelector=a=)&fieldSelector=metadata.name=a"),
        ("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node"),
        ("POST", "/api/v1/namespaces"),
    ] {
        compare(&mut oracle, method, target);
    }
}
