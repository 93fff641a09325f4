use jiff::Timestamp;
use kubesso_ambient::SeededEntropy;
use kubesso_directory::{ApplicationId, ClientSecret, ClientSecretId, Label, SealingKey, Status};

use super::*;

const SECRET: &str = "s%c:ret +";

fn application(kind: &str) -> Application {
    let entropy = SeededEntropy::new(1);
    let id = ApplicationId::parse("web").unwrap();
    let mut application =
        Application::native(id, Label::parse("Web").unwrap(), Vec::new(), Timestamp::UNIX_EPOCH);
    let secret = ClientSecret {
        id: ClientSecretId::generate(&entropy),
        hash: ClientSecretValue::presented(SECRET).hash(),
        sealed: SealingKey::generate(&entropy).seal(ClientSecret::PURPOSE, SECRET.as_bytes(), &entropy),
        status: Status::Active,
        created: Timestamp::UNIX_EPOCH,
    };
    application.authentication = match kind {
        "basic" => ClientAuthentication::ClientSecretBasic(vec![secret]),
        "post" => ClientAuthentication::ClientSecretPost(vec![secret]),
        _ => ClientAuthentication::None,
    };
    application
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

#[test]
fn a_client_proves_who_it_is_in_the_way_that_it_is_registered_for() {
    let good = "s%25c%3Aret+%2B";
    let ok = "";
    let cases = [
        ("none", None, "client_id=web", ok),
        ("none", Some(basic("web", "")), "", ok),
        ("none", None, "client_id=web&client_secret=x", "invalid_client: The client is registered without"),
        ("none", None, "", "invalid_client: The parameter client_id is missing."),
        ("none", None, "client_id=other", "invalid_client: There is no such client"),
        ("none", None, "client_id=web&client_id=web", "invalid_request: The parameter client_id is given"),
        (
            "none",
            None,
            "client_id=web&client_assertion=x",
            "invalid_request: The parameter client_assertion_type must be",
        ),
        ("basic", Some(basic("web", good)), "", ok),
        ("basic", Some(basic("web", good)), "client_id=web", ok),
        (
            "basic",
            Some(basic("web", good)),
            "client_id=other",
            "invalid_request: The parameter client_id is another",
        ),
        (
            "basic",
            Some(basic("web", good)),
            "client_secret=x",
            "invalid_request: The client uses more than one",
        ),
        ("basic", Some(basic("web", "wrong")), "", "invalid_client: The client secret is wrong."),
        ("basic", Some("Basic !".into()), "", "invalid_client: The Authorization header is malformed."),
        (
            "basic",
            None,
            "client_id=web",
            "invalid_client: The client is registered for the authentication method",
        ),
        ("post", None, "client_id=web&client_secret=s%25c%3Aret+%2B", ok),
        ("post", None, "client_id=web&client_secret=wrong", "invalid_client: The client secret is wrong."),
        (
            "post",
            Some(basic("web", good)),
            "",
            "invalid_client: The client is registered for the authentication method",
        ),
    ];
    for (kind, authorization, form, expected) in cases {
        let application = application(kind);
        let mut headers = HeaderMap::new();
        if let Some(value) = &authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        let result = claimed(&headers, &Parameters::parse(form.as_bytes()), |id| {
            (*id == application.client_id).then_some(&application)
        });
        match result {
            Ok(_) => assert_eq!(expected, ok, "{kind} {authorization:?} {form}"),
            Err(refused) => {
                let says = refused.to_string();
                assert!(!expected.is_empty() && says.starts_with(expected), "{kind} {form}: {says}");
                let asks = refused.into_response().headers().contains_key(header::WWW_AUTHENTICATE);
                assert_eq!(
                    asks,
                    authorization.is_some() && says.starts_with("invalid_client"),
                    "{kind} {form}"
                );
            }
        }
    }
}

#[test]
fn a_deactivated_client_is_no_client() {
    let mut application = application("none");
    application.status = Status::Inactive;
    let parameters = Parameters::parse(b"client_id=web");
    assert!(claimed(&HeaderMap::new(), &parameters, |_| Some(&application)).is_err());
}
