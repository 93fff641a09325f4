use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::authorization_server::AuthorizationServer;
use crate::name::{Audience, Label};
use crate::snapshot::{Configuration, Snapshot};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// A server with a scope of each kind, named after it.
fn server() -> Server {
    let id = AuthorizationServerId::parse("aus1").unwrap();
    let scopes = [Consent::Implicit, Consent::Flexible, Consent::Required]
        .map(|consent| Scope {
            id: ScopeId::parse(&format!("scp{}", consent.as_str())).unwrap(),
            server: id.clone(),
            name: ScopeName::parse(consent.as_str()).unwrap(),
            display_name: None,
            description: String::new(),
            consent,
            metadata_publish: crate::authorization_server::MetadataPublish::AllClients,
            default: false,
            optional: false,
            system: false,
        })
        .into();
    let label = Label::parse("k8s").unwrap();
    let audience = Audience::parse("api://k8s").unwrap();
    let servers = vec![AuthorizationServer::new(id.clone(), label, vec![audience], NOW)];
    let snapshot = Snapshot::new(Configuration { servers, scopes, ..Configuration::default() });
    snapshot.server(&id).unwrap().clone()
}

fn application(method: &str) -> Application {
    let id = ApplicationId::parse("0oa1").unwrap();
    let mut application = Application::native(id, Label::parse("theirs").unwrap(), Vec::new(), NOW);
    application.other.insert("oauthClient".to_owned(), json!({ "consent_method": method }));
    application
}

fn given(application: &Application, scope: &Scope) -> ConsentGrant {
    ConsentGrant {
        id: ConsentId::parse("oag1").unwrap(),
        user: UserId::parse("00u1").unwrap(),
        application: application.id.clone(),
        scope: scope.id.clone(),
        server: scope.server.clone(),
        scope_name: scope.name.clone(),
        created: NOW,
    }
}

#[test]
fn who_is_asked_is_decided_by_prompt_consent_method_and_scope() {
    let server = server();
    let all = ["IMPLICIT", "FLEXIBLE", "REQUIRED"].map(|name| ScopeName::parse(name).unwrap());
    let cases: [(bool, &str, &[&str]); 4] = [
        (true, "REQUIRED", &["FLEXIBLE", "REQUIRED"]),
        (true, "TRUSTED", &["FLEXIBLE", "REQUIRED"]),
        (false, "REQUIRED", &["FLEXIBLE", "REQUIRED"]),
        (false, "TRUSTED", &[]),
    ];
    for (anew, method, expected) in cases {
        let application = application(method);
        let asked = consents_to_ask(&server, &application, &all, &[], anew);
        let names: Vec<_> = asked.iter().map(|scope| scope.name.as_str()).collect();
        assert_eq!(names, expected, "prompt=consent: {anew}, consent_method {method}");
    }
}

#[test]
fn what_was_allowed_is_not_asked_again_unless_the_request_insists() {
    let (server, application) = (server(), application("REQUIRED"));
    let flexible = ScopeName::parse("FLEXIBLE").unwrap();
    let asked = std::slice::from_ref(&flexible);
    let grants = [given(&application, server.scope(&flexible).unwrap())];
    assert!(consents_to_ask(&server, &application, asked, &grants, false).is_empty());
    assert_eq!(consents_to_ask(&server, &application, asked, &grants, true).len(), 1);
}

#[test]
fn what_was_allowed_to_another_application_counts_for_nothing() {
    let (server, application) = (server(), application("REQUIRED"));
    let flexible = ScopeName::parse("FLEXIBLE").unwrap();
    let mut grant = given(&application, server.scope(&flexible).unwrap());
    grant.application = ApplicationId::parse("0oa2").unwrap();
    assert_eq!(missing_consents(&server, &application, &[flexible], &[grant]).len(), 1);
}

#[test]
fn an_application_that_says_nothing_is_trusted() {
    let mut silent = application("REQUIRED");
    silent.other.clear();
    assert_eq!(silent.consent_method(), ConsentMethod::Trusted);
}
