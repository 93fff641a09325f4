use super::*;

const PEM: &str = include_str!("../../tests/authority.pem");

fn read(text: &str) -> Result<Access, AccessError> {
    Access::from_yaml(text, |path| match path {
        "ca.crt" => Ok(format!("subject: kubesso\n{PEM}")),
        _ => Err(format!("{path}: no such file")),
    })
}

#[test]
fn an_issuer_and_an_audience_are_enough() {
    let access = read("issuers:\n- url: https://sso.example.com\n  audiences: [kubectl]\n").unwrap();
    let issuer = &access.issuers[0];
    assert_eq!(issuer, &TrustedIssuer::new(issuer.url.clone(), vec!["kubectl".to_owned()]));
    assert_eq!(issuer.username, Mapping::Claim { claim: "email".to_owned(), prefix: String::new() });
    assert_eq!(issuer.system_names, SystemNames::Refused);
}

#[test]
fn of_a_file_with_certificates_only_they_are_kept() {
    let text = "issuers:\n- url: https://i\n  audiences: [a]\n  certificateAuthorityFile: ca.crt\n";
    let access = read(text).unwrap();
    assert_eq!(access.issuers[0].certificate_authority.as_ref().unwrap().as_pem(), PEM);
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_what_to_do() {
    let cases = [
        ("issuers: []", "issuers: give one to 64 issuers"),
        (
            "issuers:\n- url: http://i\n  audiences: [a]",
            "issuers[0].url: `http://i` must begin with https://",
        ),
        ("issuers:\n- url: https://i?x\n  audiences: [a]", "issuers[0].url: `https://i?x` must have no `?`"),
        ("issuers:\n- url: https://u:p@i\n  audiences: [a]", "issuers[0].url: an issuer has no user"),
        ("issuers:\n- url: https://i\n  audiences: []", "issuers[0].audiences: give the client id"),
        ("issuers:\n- url: https://i\n  audiences: [a, a]", "issuers[0].audiences: `a` stands there twice"),
        (
            "issuers:\n- url: https://i\n  audiences: [a]\n- url: https://i\n  audiences: [b]",
            "issuers[1].url: https://i is there already",
        ),
        (
            "issuers:\n- url: https://i\n  audiences: [a]\n  certificateAuthority: /etc/ca.crt",
            "issuers[0].certificateAuthority: it is not PEM",
        ),
        (
            "issuers:\n- url: https://i\n  audiences: [a]\n  certificateAuthorityFile: other.crt",
            "issuers[0].certificateAuthorityFile: other.crt: no such file",
        ),
        (
            "issuers:\n- url: https://i\n  audiences: [a]\n  username: {expression: claims.sub, prefix: x}",
            "issuers[0].username: an expression has no prefix",
        ),
        ("issuers:\n- url: https://i\n  audiences: [a]\n  groups: {}", "issuers[0].groups: give either"),
        ("issuers:\n- url: https://i\n  audiences: [a]\nanonymous: {enabled: true}", "anonymous.paths: say"),
    ];
    for (text, expected) in cases {
        let error = read(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    let error = read("issuers:\n- url: https://i\n  audience: [a]\n").unwrap_err().to_string();
    assert!(error.contains("audience"), "{error}");
}

proptest::proptest! {
    #[test]
    fn anything_at_all_is_read_or_refused(text: String) {
        let _ = read(&text);
    }
}
