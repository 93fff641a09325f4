//! Client certificates of many shapes, made with Go 1.26.8's crypto/x509; what kube-apiserver's own code decides about each is
//! recorded beside it, and asked again where the peers are.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kubesso_ambient::ManualClock;
use kubesso_authn::X509Authenticator;
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};

use crate::same_decision_as_upstream::{ask, oracle};
use crate::table::NOW;

fn recorded() -> Value {
    serde_json::from_str(include_str!("foreign_certificates.json")).unwrap()
}

#[test]
fn certificates_are_decided_as_upstream_decides() {
    let recorded = recorded();
    let clock = Arc::new(ManualClock::at(NOW.parse().unwrap()));
    let authenticator = X509Authenticator::new(recorded["clientCA"].as_str().unwrap(), clock).unwrap();
    let mut differences = Vec::new();
    let cases = recorded["cases"].as_array().unwrap();
    for case in cases {
        let chain: Vec<CertificateDer<'_>> = case["chain"]
            .as_array()
            .unwrap()
            .iter()
            .map(|der| CertificateDer::from(STANDARD.decode(der.as_str().unwrap()).unwrap()))
            .collect();
        let ours = match authenticator.authenticate(&chain) {
            Ok(Some(user)) => json!({"kind": "user", "user": {
                "username": user.username, "uid": user.uid, "groups": user.groups, "extra": user.extra
            }}),
            Ok(None) => json!({"kind": "ignored"}),
            Err(error) => json!({"kind": "error", "error": error.to_string()}),
        };
        let mut theirs = case["upstream"].clone();
        if let Some(groups) = theirs.pointer_mut("/user/groups").filter(|groups| groups.is_null()) {
            *groups = json!([]);
        }
        // What Go's parser refuses ends in the handshake; only that it is refused matters.
        let unread =
            |result: &Value| result["error"].as_str().is_some_and(|error| error.starts_with("x509: "));
        if ours != theirs && !(unread(&ours) && unread(&theirs)) {
            differences.push(format!("{}\n  ours   {ours}\n  theirs {theirs}", case["what"]));
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    assert!(cases.len() >= 70);
}

#[test]
fn what_is_recorded_of_upstream_is_still_so() {
    let Some(oracle) = oracle() else {
        println!("skipped: no peers (KUBESSO_PEERS_DIR); run cargo xtask test");
        return;
    };
    let recorded = recorded();
    let cases = recorded["cases"].as_array().unwrap();
    let questions: String = cases
        .iter()
        .map(|case| {
            json!({"clientCA": recorded["clientCA"], "chain": case["chain"], "now": NOW}).to_string() + "\n"
        })
        .collect();
    for (case, answer) in cases.iter().zip(ask(&oracle, &questions)) {
        let mut upstream = case["upstream"].clone();
        if let Some(groups) = upstream.pointer_mut("/user/groups").filter(|groups| groups.is_null()) {
            *groups = json!([]);
        }
        assert_eq!(answer["results"][0], upstream, "{}", case["what"]);
    }
}
