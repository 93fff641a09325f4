//! What is published.

use http::{Method, Request, StatusCode};

use crate::house::{House, ISSUER};

#[tokio::test]
async fn the_discovery_document_is_this() {
    let house = House::new().await;
    let answer = house.browser().get("/oauth2/k8s-auth/.well-known/openid-configuration").await;
    let answer = answer.expect(StatusCode::OK);
    insta::assert_json_snapshot!(answer.json(), @r#"
    {
      "acr_values_supported": [
        "urn:okta:loa:1fa:any",
        "urn:okta:loa:1fa:pwd"
      ],
      "authorization_endpoint": "https://localhost:8443/oauth2/k8s-auth/v1/authorize",
      "authorization_response_iss_parameter_supported": true,
      "backchannel_logout_session_supported": true,
      "backchannel_logout_supported": true,
      "claim_types_supported": [
        "normal"
      ],
      "claims_parameter_supported": true,
      "claims_supported": [
        "iss",
        "sub",
        "aud",
        "iat",
        "exp",
        "auth_time",
        "acr",
        "amr",
        "jti",
        "at_hash",
        "nonce",
        "sid",
        "email",
        "email_verified",
        "name",
        "given_name",
        "family_name",
        "preferred_username",
        "groups"
      ],
      "code_challenge_methods_supported": [
        "S256"
      ],
      "device_authorization_endpoint": "https://localhost:8443/oauth2/k8s-auth/v1/device/authorize",
      "dpop_signing_alg_values_supported": [
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES384",
        "ES512"
      ],
      "end_session_endpoint": "https://localhost:8443/oauth2/k8s-auth/v1/logout",
      "grant_types_supported": [
        "authorization_code",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:device_code"
      ],
      "id_token_signing_alg_values_supported": [
        "ES256"
      ],
      "introspection_endpoint": "https://localhost:8443/oauth2/k8s-auth/v1/introspect",
      "introspection_endpoint_auth_methods_supported": [
        "none",
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt"
      ],
      "introspection_endpoint_auth_signing_alg_values_supported": [
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES384",
        "ES512"
      ],
      "issuer": "https://localhost:8443/oauth2/k8s-auth",
      "jwks_uri": "https://localhost:8443/oauth2/k8s-auth/v1/keys",
      "prompt_values_supported": [
        "none",
        "login",
        "consent",
        "select_account"
      ],
      "pushed_authorization_request_endpoint": "https://localhost:8443/oauth2/k8s-auth/v1/par",
      "request_object_signing_alg_values_supported": [
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES384",
        "ES512"
      ],
      "request_parameter_supported": true,
      "request_uri_parameter_supported": true,
      "require_pushed_authorization_requests": false,
      "require_request_uri_registration": true,
      "require_signed_request_object": false,
      "response_modes_supported": [
        "query",
        "fragment",
        "form_post"
      ],
      "response_types_supported": [
        "code"
      ],
      "revocation_endpoint": "https://localhost:8443/oauth2/k8s-auth/v1/revoke",
      "revocation_endpoint_auth_methods_supported": [
        "none",
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt"
      ],
      "revocation_endpoint_auth_signing_alg_values_supported": [
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES384",
        "ES512"
      ],
      "scopes_supported": [
        "address",
        "email",
        "offline_access",
        "openid",
        "phone",
        "profile"
      ],
      "subject_types_supported": [
        "public"
      ],
      "tls_client_certificate_bound_access_tokens": false,
      "token_endpoint": "https://localhost:8443/oauth2/k8s-auth/v1/token",
      "token_endpoint_auth_methods_supported": [
        "none",
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt"
      ],
      "token_endpoint_auth_signing_alg_values_supported": [
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES384",
        "ES512"
      ],
      "userinfo_endpoint": "https://localhost:8443/oauth2/k8s-auth/v1/userinfo"
    }
    "#);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "public, max-age=60");
}

#[tokio::test]
async fn the_metadata_of_rfc_8414_is_the_same_at_both_of_its_addresses() {
    let house = House::new().await;
    let mut browser = house.browser();
    let discovery = browser.get("/oauth2/k8s-auth/.well-known/openid-configuration").await.json();
    for path in [
        "/oauth2/k8s-auth/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/oauth2/k8s-auth",
    ] {
        assert_eq!(browser.get(path).await.expect(StatusCode::OK).json(), discovery, "{path}");
    }
    assert_eq!(discovery["issuer"], ISSUER);
}

#[tokio::test]
async fn an_issuer_that_is_none_is_not_found() {
    let house = House::new().await;
    for path in
        ["/oauth2/other/.well-known/openid-configuration", "/oauth2/other/v1/keys", "/oauth2/../v1/keys"]
    {
        let answer = house.browser().get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn scripts_of_any_origin_may_read_what_is_public_and_nothing_else() {
    let house = House::new().await;
    let mut browser = house.browser();
    for path in ["/oauth2/k8s-auth/.well-known/openid-configuration", "/oauth2/k8s-auth/v1/keys"] {
        assert_eq!(browser.get(path).await.header("access-control-allow-origin"), "*", "{path}");
    }
    for path in ["/", "/healthz", &house.authorize(&[])] {
        assert_eq!(browser.get(path).await.header("access-control-allow-origin"), "", "{path}");
    }
    let preflight = Request::builder()
        .method(Method::OPTIONS)
        .uri("/oauth2/k8s-auth/v1/token")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST")
        .body(axum::body::Body::empty())
        .unwrap();
    let answer = browser.send(preflight).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(answer.header("access-control-allow-methods"), "GET, POST");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_protect_its_reader() {
    let house = House::new().await;
    let mut browser = house.browser();
    for path in ["/", "/healthz", "/nothing", "/oauth2/k8s-auth/v1/keys", &house.authorize(&[])] {
        let answer = browser.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-request-id").len(), 16, "{path}");
    }
}

#[tokio::test]
async fn it_says_that_it_is_healthy_and_what_it_is() {
    let house = House::new().await;
    let mut browser = house.browser();
    assert_eq!(browser.get("/healthz").await.expect(StatusCode::OK).body, "ok");
    let landing = browser.get("/").await.expect(StatusCode::OK).body;
    assert!(landing.contains(ISSUER) && landing.contains("localhost:8443"), "{landing}");
    let style =
        landing.split_once(r#"rel="stylesheet" href=""#).unwrap().1.split_once('"').unwrap().0.to_owned();
    let style = browser.get(&style).await.expect(StatusCode::OK);
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    assert!(style.header("cache-control").contains("immutable"));
}
