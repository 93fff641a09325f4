use proptest::prelude::*;

use super::*;

#[test]
fn what_may_be_registered_and_why_the_rest_may_not() {
    for good in [
        "http://localhost:8000",
        "http://localhost",
        "http://127.0.0.1:8000/callback",
        "http://[::1]:8000/callback",
        "https://app.example.com/callback?tenant=a",
        "com.example.app:/callback",
    ] {
        assert!(RedirectUri::parse(good).is_ok(), "{good}");
    }
    let refused = [
        ("callback", "NotAbsolute"),
        ("//app.example.com/callback", "NotAbsolute"),
        ("", "NotAbsolute"),
        ("https://app.example.com/a b", "NotAbsolute"),
        ("https:\\\\app.example.com", "NotAbsolute"),
        ("https://app.example.com/#x", "Fragment"),
        ("https://app.example.com/#", "Fragment"),
        ("https://app@evil.example", "Credentials"),
        ("http://app.example.com/callback", "PlainHttp"),
        ("http://localhost.evil.example/", "PlainHttp"),
        ("http://127.0.0.1.evil.example/", "PlainHttp"),
        ("http://localhost:99999999/", "NotAbsolute"),
        ("javascript:alert(1)", "Scheme"),
        ("data:text/html,x", "Scheme"),
        ("file:///etc/passwd", "Scheme"),
    ];
    for (bad, reason) in refused {
        let error = RedirectUri::parse(bad).unwrap_err();
        assert!(format!("{error:?}").starts_with(reason), "{bad}: {error:?}");
    }
}

#[test]
fn a_native_client_listens_on_any_loopback_port_and_on_nothing_else() {
    let cases = [
        ("http://localhost:8000", "http://localhost:8000", true),
        ("http://localhost:8000", "http://localhost:18000", true),
        ("http://localhost:8000", "http://localhost", true),
        ("http://localhost", "http://localhost:1", true),
        ("http://localhost:8000", "http://localhost:18000/", true),
        ("http://127.0.0.1/callback", "http://127.0.0.1:5/callback", true),
        ("http://[::1]:8000/callback", "http://[::1]:5/callback", true),
        ("http://localhost/cb?a=b", "http://localhost:5/cb?a=b", true),
        // Another host, scheme, path or query is another place.
        ("http://localhost:8000", "http://127.0.0.1:8000", false),
        ("http://localhost:8000", "https://localhost:8000", false),
        ("http://localhost:8000", "http://LOCALHOST:8000", false),
        ("http://localhost:8000", "http://localhost:8000/callback", false),
        ("http://localhost:8000/callback", "http://localhost:8000/callback/", false),
        ("http://localhost/cb", "http://localhost/cb?a=b", false),
        ("http://localhost/cb", "http://localhost/x/../cb", false),
        // Looks like a loopback address, is not one.
        ("http://localhost:8000", "http://localhost:8000@evil.example", false),
        ("http://localhost:8000", "http://localhost.evil.example:8000", false),
        ("http://localhost:8000", "http://localhost:8000.evil.example", false),
        ("http://localhost:8000", "http://localhost\\@evil.example", false),
        ("http://localhost:8000", "http://localhost:8000#@evil.example", false),
        ("http://localhost:8000", "http://localhost:", false),
        ("http://localhost:8000", "http://localhost:65536", false),
        ("http://localhost:8000", "http://localhost:008000", false),
        ("http://localhost:8000", "http://localhost:-1", false),
        ("http://localhost:8000", "http://localhost:80 00", false),
        ("http://127.0.0.1", "http://127.0.0.2", false),
        // Not loopback: the port counts.
        ("https://app.example.com/cb", "https://app.example.com:8443/cb", false),
        ("com.example.app:/cb", "com.example.app:/cb", true),
    ];
    for (registered, presented, expected) in cases {
        let uri = RedirectUri::parse(registered).unwrap();
        assert_eq!(uri.matches(presented, LoopbackPorts::Any), expected, "{registered} and {presented}");
        let exact = uri.matches(presented, LoopbackPorts::AsRegistered);
        assert_eq!(exact, registered == presented, "{registered} and {presented} for a web application");
    }
}

proptest! {
    #[test]
    fn what_is_registered_matches_itself(path in "(/[a-z]{0,5}){0,3}", port in 1_u16.., host in 0_usize..3) {
        let uri = format!("http://{}:{port}{path}", LOOPBACK_HOSTS[host]);
        let registered = RedirectUri::parse(&uri).unwrap();
        prop_assert!(registered.matches(&uri, LoopbackPorts::AsRegistered));
        prop_assert!(registered.matches(&uri, LoopbackPorts::Any));
    }

    /// Whatever is let through at any port is, to the parser that browsers and ours share, the registered
    /// place: the same scheme, host, path and query, without user name and fragment.
    #[test]
    fn what_matches_leads_to_the_machine_itself(presented in "http://(localhost|127\\.0\\.0\\.1|\\[::1\\]|evil)[:@/\\\\.#?0-9a-z]{0,16}") {
        for registered in ["http://localhost:8000", "http://127.0.0.1/cb", "http://[::1]:1/cb?x"] {
            if RedirectUri::parse(registered).unwrap().matches(&presented, LoopbackPorts::Any) {
                let (mut expected, mut found) = (Url::parse(registered).unwrap(), Url::parse(&presented).unwrap());
                expected.set_port(None).unwrap();
                found.set_port(None).unwrap();
                prop_assert_eq!(expected, found);
            }
        }
    }

    #[test]
    fn any_text_is_taken_or_refused_and_what_is_taken_is_kept(text in any::<String>()) {
        if let Ok(uri) = RedirectUri::parse(&text) {
            prop_assert_eq!(uri.as_str(), text);
        }
    }
}
