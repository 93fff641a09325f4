use kubesso_ambient::SeededEntropy;
use kubesso_directory::{
    ApplicationId, ApplicationType, Audience, AuthorizationServer, ClientAuthentication, Configuration,
    Label, RedirectUri, Scope, Snapshot, Status,
};

use super::*;

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn native() -> Application {
    Application::native(
        ApplicationId::parse("k8s").unwrap(),
        Label::parse("k8s OIDC").unwrap(),
        vec![RedirectUri::parse("http://localhost:8000").unwrap()],
        Timestamp::UNIX_EPOCH,
    )
}

fn scopes() -> Vec<(ScopeName, bool)> {
    let names = ["openid", "profile", "email", "offline_access"];
    names.map(|name| (ScopeName::parse(name).unwrap(), false)).to_vec()
}

/// A good request with `changes`: `name=value` replaces, `name` removes, `+name=value` adds once more.
fn query(changes: &[&str]) -> Parameters {
    let mut pairs = vec![
        ("client_id".to_owned(), "k8s".to_owned()),
        ("redirect_uri".to_owned(), "http://localhost:8000".to_owned()),
        ("response_type".to_owned(), "code".to_owned()),
        ("scope".to_owned(), "openid email".to_owned()),
        ("state".to_owned(), "s".to_owned()),
        ("code_challenge".to_owned(), CHALLENGE.to_owned()),
        ("code_challenge_method".to_owned(), "S256".to_owned()),
    ];
    for change in changes {
        let (name, value) = change.split_once('=').unwrap_or((change, ""));
        if let Some(name) = name.strip_prefix('+') {
            pairs.push((name.to_owned(), value.to_owned()));
        } else {
            pairs.retain(|(present, _)| present != name);
            pairs.push((name.to_owned(), value.to_owned()));
        }
    }
    let encoded = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    Parameters::parse(encoded.as_bytes())
}

fn read_for(application: &Application, changes: &[&str]) -> Result<AuthorizationRequest, OAuthError> {
    let parameters = query(changes);
    let id = AuthorizationServerId::parse("k8s-auth").unwrap();
    let audiences = ["https://api.example", "urn:k8s"].map(|audience| Audience::parse(audience).unwrap());
    let name = Label::parse("k8s-auth").unwrap();
    let server = AuthorizationServer::new(id.clone(), name, audiences.into(), Timestamp::UNIX_EPOCH);
    let snapshot = Snapshot::new(Configuration {
        servers: vec![server],
        scopes: Scope::system(&id, &SeededEntropy::new(1)),
        ..Configuration::default()
    });
    let return_to = ReturnAddress::read(&parameters, application).unwrap();
    AuthorizationRequest::read(&parameters, snapshot.server(&id).unwrap(), application, return_to)
}

#[test]
fn the_client_and_the_redirect_uri_must_be_there_once_and_be_known() {
    let application = native();
    let mut inactive = native();
    inactive.status = Status::Inactive;
    let cases: [(&[&str], &Application, Unanswerable); 8] = [
        (&["client_id"], &application, Unanswerable::Missing("client_id")),
        (&["+client_id=x"], &application, Unanswerable::Repeated("client_id")),
        (&["client_id=x"], &application, Unanswerable::UnknownClient("x".into())),
        (&["client_id=../x"], &application, Unanswerable::UnknownClient("../x".into())),
        (&[], &inactive, Unanswerable::InactiveClient("k8s OIDC".into())),
        (&["redirect_uri"], &application, Unanswerable::Missing("redirect_uri")),
        (&["+redirect_uri=http://localhost:8000"], &application, Unanswerable::Repeated("redirect_uri")),
        (
            &["redirect_uri=https://evil.example"],
            &application,
            Unanswerable::UnregisteredRedirect {
                uri: "https://evil.example".into(),
                application: "k8s OIDC".into(),
            },
        ),
    ];
    for (changes, application, expected) in cases {
        let parameters = query(changes);
        let refused = client(&parameters, |id| (*id == application.client_id).then_some(application))
            .and_then(|client| ReturnAddress::read(&parameters, client).map(drop))
            .unwrap_err();
        assert_eq!(refused, expected, "{changes:?}");
    }
}

#[test]
fn a_native_client_may_come_from_any_loopback_port() {
    let parameters = query(&["redirect_uri=http://localhost:18000"]);
    let return_to = ReturnAddress::read(&parameters, &native()).unwrap();
    assert_eq!(return_to.redirect_uri, "http://localhost:18000");
    assert_eq!(return_to.state.as_deref(), Some("s"));
}

#[test]
fn what_is_wrong_is_said_with_the_code_of_the_specification() {
    let cases: [(&[&str], &str, &str); 23] = [
        (&["nonce=a\0b"], "invalid_request", "The parameter nonce has the character U+0000 in it."),
        (&["response_type"], "invalid_request", "The parameter response_type is missing."),
        (&["response_type=token"], "unsupported_response_type", "Only the response type code is supported."),
        (&["response_type=code id_token"], "unsupported_response_type", "Only the response type code"),
        (&["response_mode=query.jwt"], "invalid_request", "The response_mode must be query, fragment, or"),
        (&["+state=t"], "invalid_request", "The parameter state is given more than once."),
        (&["+unknown=a", "+unknown=b"], "invalid_request", "The parameter unknown is given more than once."),
        (&["claims=x"], "invalid_request", "The parameter claims is not a JSON object"),
        (
            &["claims={\"id_token\":{\"acr\":{\"essential\":true,\"value\":\"x\"}}}"],
            "unmet_authentication_requirements",
            "The sign-in does not meet the acr",
        ),
        (
            &["resource=https://other.example"],
            "invalid_target",
            "The resource https://other.example is no audience",
        ),
        (&["registration={}"], "registration_not_supported", "The parameter registration is not supported."),
        (&["scope"], "invalid_scope", "The parameter scope is missing."),
        (&["scope= "], "invalid_scope", "The scope is empty."),
        (&["scope=openid k8s"], "invalid_scope", "The authorization server k8s-auth has no scope k8s."),
        (&["scope=openid \"x\""], "invalid_scope", "The scope is malformed."),
        (&["code_challenge", "code_challenge_method"], "invalid_request", "PKCE is required for this client"),
        (&["code_challenge_method=plain"], "invalid_request", "code_challenge_method must be S256"),
        (&["code_challenge_method"], "invalid_request", "code_challenge_method must be S256"),
        (&["code_challenge=abc"], "invalid_request", "code_challenge must be the base64url-encoded SHA-256"),
        (&["prompt=none login"], "invalid_request", "The prompt none cannot be combined with another."),
        (&["prompt=create"], "invalid_request", "The prompt create is unknown."),
        (&["max_age=-1"], "invalid_request", "max_age must be a number of seconds."),
        (&["max_age=soon"], "invalid_request", "max_age must be a number of seconds."),
    ];
    for (changes, code, description) in cases {
        let error = read_for(&native(), changes).unwrap_err();
        assert_eq!(error.code.as_str(), code, "{changes:?}: {error}");
        assert!(error.description.starts_with(description), "{changes:?}: {error}");
    }
}

#[test]
fn what_is_kept_has_a_length() {
    for (name, longest) in [("nonce", 1024), ("state", 8 * 1024)] {
        let given = |length| format!("{name}={}", "x".repeat(length));
        assert!(read_for(&native(), &[&given(longest)]).is_ok(), "{name}");
        let error = read_for(&native(), &[&given(longest + 1)]).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidRequest, "{name}");
    }
}

#[test]
fn without_the_scope_openid_it_is_plain_oauth() {
    let read = read_for(&native(), &["scope=email", "claims=x", "acr_values=x"]).unwrap();
    assert_eq!((read.claims, read.acr), (ClaimsParameter::default(), None));
}

#[test]
fn a_client_without_the_flow_is_told_so() {
    let mut application = native();
    application.grant_types.remove(&GrantType::AuthorizationCode);
    assert_eq!(read_for(&application, &[]).unwrap_err().code, ErrorCode::UnauthorizedClient);
}

#[test]
fn a_client_with_a_secret_may_leave_pkce_out_but_not_weaken_it() {
    let mut application = native();
    application.application_type = ApplicationType::Web;
    application.authentication = ClientAuthentication::ClientSecretBasic(Vec::new());
    application.pkce_required = false;
    let without = read_for(&application, &["code_challenge", "code_challenge_method"]).unwrap();
    assert_eq!(without.code_challenge, None);
    assert!(read_for(&application, &["code_challenge_method=plain"]).is_err());
    application.pkce_required = true;
    assert!(read_for(&application, &["code_challenge", "code_challenge_method"]).is_err());
}

#[test]
fn everything_optional_is_read_and_everything_unknown_ignored() {
    let read = read_for(
        &native(),
        &[
            "scope=openid email openid",
            "nonce=n",
            "prompt=login consent",
            "max_age=60",
            "login_hint=dev@example.com",
            "acr_values=x y",
            "claims={\"userinfo\":{\"name\":null}}",
            "resource=urn:k8s",
            "+resource=https://api.example",
            "+resource=urn:k8s",
            "display=page",
            "ui_locales=de",
            "response_mode=query",
        ],
    )
    .unwrap();
    let names: Vec<_> = read.scopes.iter().map(ScopeName::as_str).collect();
    assert_eq!(names, ["openid", "email"]);
    assert_eq!(read.nonce.as_deref(), Some("n"));
    assert_eq!(read.prompts, [Prompt::Consent, Prompt::Login].into());
    assert_eq!(read.max_age, Some(60));
    assert_eq!(read.login_hint.as_deref(), Some("dev@example.com"));
    assert_eq!(read.acr.unwrap().values, ["x", "y"]);
    assert_eq!(read.claims.userinfo, ["name".to_owned()].into());
    assert_eq!(read.resources, ["urn:k8s", "https://api.example"]);
    assert!(read.code_challenge.is_some_and(|challenge| challenge.as_str() == CHALLENGE));
}

#[test]
fn scopes_that_are_given_unasked_stand_in_for_a_missing_scope() {
    let mut known = scopes();
    known[0].1 = true;
    let server = AuthorizationServerId::parse("k8s-auth").unwrap();
    let read = read_scopes(None, &server, &known).unwrap();
    assert_eq!(read, [ScopeName::parse("openid").unwrap()]);
}

#[test]
fn a_sign_in_is_recent_enough_up_to_max_age_and_never_after_prompt_login() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let cases: [(&[&str], i64, bool); 6] = [
        (&[], 1_000_000, true),
        (&["max_age=60"], 60, true),
        (&["max_age=60"], 61, false),
        (&["max_age=0"], 1, false),
        (&["max_age=99999999999"], 1_000_000, true),
        (&["prompt=login"], 0, false),
    ];
    for (changes, age, expected) in cases {
        let request = read_for(&native(), changes).unwrap();
        assert_eq!(request.accepts_sign_in_at(at(0), at(age)), expected, "{changes:?} {age}");
    }
}
