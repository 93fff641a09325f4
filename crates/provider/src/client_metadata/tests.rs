use kubesso_token::SigningKey;
use proptest::prelude::*;

use super::*;

fn read(changes: &Value) -> Result<ClientMetadata, OAuthError> {
    let mut members = json!({ "redirect_uris": ["https://app.example/cb"] });
    for (name, value) in changes.as_object().unwrap() {
        members[name] = value.clone();
    }
    ClientMetadata::read(members.as_object().unwrap(), "RS256")
}

#[test]
fn what_is_left_out_is_what_the_specification_says() {
    let metadata = read(&json!({ "something": "unknown", "client_name": null, "scope": "openid" })).unwrap();
    assert_eq!(metadata.proof, Proof::ClientSecretBasic);
    assert_eq!(metadata.grant_types, [GrantType::AuthorizationCode].into());
    assert_eq!(metadata.response_types, [ResponseType::Code].into());
    assert_eq!(metadata.application_type, ApplicationType::Web);
    assert!(metadata.settings.is_empty());
}

#[test]
fn clients_of_all_kinds_can_say_what_they_are() {
    let device = GrantType::DeviceCode.as_str();
    let keys = json!({ "keys": [SigningKey::generate(Algorithm::Es256).unwrap().public_jwk()] });
    for (changes, method, kind) in [
        (json!({ "token_endpoint_auth_method": "none" }), "none", ApplicationType::Browser),
        (
            json!({ "application_type": "native", "token_endpoint_auth_method": "none",
                "redirect_uris": ["http://127.0.0.1/cb", "com.example.app:/cb"] }),
            "none",
            ApplicationType::Native,
        ),
        (
            json!({ "application_type": "native", "token_endpoint_auth_method": "none", "grant_types": [device],
                "redirect_uris": null }),
            "none",
            ApplicationType::Native,
        ),
        (
            json!({ "token_endpoint_auth_method": "client_secret_post" }),
            "client_secret_post",
            ApplicationType::Web,
        ),
        (
            json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": keys }),
            "private_key_jwt",
            ApplicationType::Web,
        ),
        (
            json!({ "jwks": keys, "id_token_signed_response_alg": "RS256" }),
            "client_secret_basic",
            ApplicationType::Web,
        ),
        (
            json!({ "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "app.example" }),
            "tls_client_auth",
            ApplicationType::Web,
        ),
    ] {
        let metadata = read(&changes).unwrap_or_else(|error| panic!("{changes}: {error}"));
        let id = kubesso_directory::ApplicationId::parse("a").unwrap();
        let blank =
            Application::native(id, Label::parse("a").unwrap(), Vec::new(), jiff::Timestamp::UNIX_EPOCH);
        let secret = || ClientSecret {
            id: kubesso_directory::ClientSecretId::parse("s").unwrap(),
            hash: kubesso_directory::TokenHash::of(b"s"),
            sealed: kubesso_directory::Sealed::from_bytes(Vec::new()),
            status: kubesso_directory::Status::Active,
            created: jiff::Timestamp::UNIX_EPOCH,
        };
        let application = metadata.applied_to(&blank, secret);
        assert_eq!(
            (application.authentication.method(), application.application_type),
            (method, kind),
            "{changes}"
        );
        assert_eq!(application.consent_method(), ConsentMethod::Required);
        assert_eq!(application.keys().is_some(), changes.get("jwks").is_some(), "{changes}");
        let shown = metadata_of(&application);
        assert_eq!(shown["token_endpoint_auth_method"], method);
        assert!(ClientMetadata::read(&shown, "RS256").is_ok(), "what is shown can be sent again: {changes}");
    }
}

#[test]
fn what_does_not_fit_or_is_not_done_is_refused_with_the_reason() {
    let (metadata, redirect) = ("invalid_client_metadata", "invalid_redirect_uri");
    for (changes, code, says) in [
        (json!({ "redirect_uris": null }), redirect, "is missing"),
        (json!({ "redirect_uris": ["/cb"] }), redirect, "no absolute URI"),
        (json!({ "redirect_uris": ["https://a.example/#x"] }), redirect, "fragment"),
        (json!({ "redirect_uris": ["http://a.example/"] }), redirect, "https"),
        (json!({ "redirect_uris": ["http://localhost/"] }), redirect, "application_type native"),
        (json!({ "redirect_uris": ["javascript:alert(1)"] }), redirect, "scheme"),
        (json!({ "redirect_uris": "https://a.example/" }), metadata, "list"),
        (json!({ "redirect_uris": vec!["https://a.example/"; 21] }), metadata, "at most 20"),
        (json!({ "post_logout_redirect_uris": ["data:x"] }), redirect, "post_logout_redirect_uris"),
        (json!({ "grant_types": ["client_credentials"] }), metadata, "client_credentials, only for"),
        (json!({ "grant_types": ["password"] }), metadata, "password"),
        (json!({ "grant_types": ["implicit"] }), metadata, "implicit"),
        (json!({ "grant_types": ["refresh_token"] }), metadata, "first tokens"),
        (json!({ "response_types": ["id_token"] }), metadata, "only be code"),
        (json!({ "response_types": [] }), metadata, "does not fit"),
        (json!({ "token_endpoint_auth_method": "client_secret_jwt" }), metadata, "client_secret_jwt is not"),
        (json!({ "token_endpoint_auth_method": "private_key_jwt" }), metadata, "needs jwks"),
        (json!({ "jwks": { "keys": [] }, "jwks_uri": "https://a.example/" }), metadata, "either"),
        (json!({ "jwks": { "keys": [{ "kty": "oct", "k": "x" }] } }), metadata, "private key"),
        (json!({ "jwks_uri": "http://a.example/" }), metadata, "jwks_uri: use an https"),
        (json!({ "token_endpoint_auth_method": "tls_client_auth" }), metadata, "needs one"),
        (json!({ "tls_client_auth_san_dns": "a.example" }), metadata, "belong to"),
        (json!({ "id_token_signed_response_alg": "none" }), metadata, "only be RS256"),
        (json!({ "request_object_signing_alg": "none" }), metadata, "request_object_signing_alg"),
        (json!({ "subject_type": "pairwise" }), metadata, "public"),
        (json!({ "application_type": "desktop" }), metadata, "web or native"),
        (json!({ "userinfo_signed_response_alg": "RS256" }), metadata, "not supported"),
        (json!({ "default_max_age": 60 }), metadata, "not supported"),
        (json!({ "require_signed_request_object": true }), metadata, "cannot be required"),
        (json!({ "logo_uri": "javascript:alert(1)" }), metadata, "web address"),
        (json!({ "backchannel_logout_uri": "http://a.example/" }), metadata, "backchannel_logout_uri"),
        (json!({ "request_uris": ["http://a.example/"] }), metadata, "request_uris"),
        (json!({ "dpop_bound_access_tokens": "yes" }), metadata, "true or false"),
        (json!({ "client_name": "x".repeat(3000) }), metadata, "client_name"),
    ] {
        let error = read(&changes).unwrap_err();
        assert_eq!(error.code.as_str(), code, "{changes}: {error}");
        assert!(error.description.contains(says), "{changes}: {error}");
    }
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~]{0,20}".prop_map(Value::from),
        Just(Value::from("https://app.example/cb")),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,8}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_a_stranger_sends_is_read_or_refused(
        members in prop::collection::btree_map(
            prop::sample::select(vec![
                "redirect_uris", "grant_types", "response_types", "jwks", "jwks_uri", "client_name", "contacts",
                "application_type", "token_endpoint_auth_method", "tls_client_auth_subject_dn", "request_uris",
                "backchannel_logout_uri", "logo_uri", "subject_type", "dpop_bound_access_tokens",
            ]),
            anything(),
            0..8,
        )
    ) {
        let members: Map<String, Value> = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        if let Ok(metadata) = ClientMetadata::read(&members, "RS256") {
            prop_assert!(metadata.grant_types.iter().all(|grant| GRANTS.contains(grant)));
        }
    }
}
