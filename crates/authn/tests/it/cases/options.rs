//! Which flags kube-apiserver starts with, and what it says of others.

use std::collections::BTreeMap;

use kubesso_ambient::{Clock as _, SystemClock};
use kubesso_authn::OidcOptions;
use kubesso_https::pki::CertificateAuthority;

use crate::table::{Case, Compared, options, ordinary_provider, with_claims};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = URLS
        .into_iter()
        .map(|url| {
            refused(format!("issuer {url:?}"), OidcOptions { issuer_url: url.to_owned(), ..options() })
        })
        .collect();
    for algorithms in [&["EdDSA"][..], &["none"], &["HS256"], &["RS256", "rs384"], &["ES256", "a\\b"]] {
        let signing_algs = algorithms.iter().map(|name| (*name).to_owned()).collect();
        cases.push(refused(format!("algorithms {algorithms:?}"), OidcOptions { signing_algs, ..options() }));
    }
    for pem in [
        "junk",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ] {
        cases.push(refused(
            format!("authority {pem:?}"),
            OidcOptions { ca_pem: Some(pem.to_owned()), ..options() },
        ));
    }
    let required_claims = BTreeMap::from([(String::new(), "x".to_owned())]);
    cases.push(refused(
        "required claim without a name",
        OidcOptions { required_claims: required_claims.clone(), ..options() },
    ));
    cases.push(refused("no username claim", OidcOptions { username_claim: String::new(), ..options() }));
    cases.push(refused("no client id", OidcOptions { client_id: String::new(), ..options() }));
    cases.push(refused(
        "everything at once",
        OidcOptions {
            issuer_url: "http://user@issuer.example/?a=b#c".to_owned(),
            username_claim: String::new(),
            ca_pem: Some("junk".to_owned()),
            required_claims,
            signing_algs: vec!["none".to_owned()],
            ..options()
        },
    ));
    let authority = CertificateAuthority::generate("an authority", SystemClock.now()).unwrap();
    let ca_pem = Some(format!("a comment\n{}", authority.certificate_pem()));
    for (name, options) in [
        ("with an authority", OidcOptions { ca_pem, ..options() }),
        ("with an empty authority file", OidcOptions { ca_pem: Some(String::new()), ..options() }),
        ("without algorithms", OidcOptions { signing_algs: Vec::new(), ..options() }),
        ("with an empty groups claim", OidcOptions { groups_claim: Some(String::new()), ..options() }),
    ] {
        cases.push(Case::new(name, options, ordinary_provider(), vec![with_claims(&[])]));
    }
    cases
}

fn refused(name: impl Into<String>, options: OidcOptions) -> Case {
    let mut case = Case::new(name, options, BTreeMap::new(), Vec::new());
    case.compared = Compared::Start;
    case
}

const URLS: [&str; 45] = [
    "",
    "issuer",
    "issuer.example/path",
    "http://issuer.example",
    "ftp://issuer.example",
    "https:issuer.example",
    "https:/issuer.example",
    "https://",
    "https:///path",
    "https://?",
    "//issuer.example",
    "///issuer.example",
    "https://issuer.example?query",
    "https://issuer.example?a?",
    "https://issuer.example/#fragment",
    "https://issuer.example/%23",
    "https://user@issuer.example",
    "https://user:pass@issuer.example",
    "https://@issuer.example",
    "https://us er@issuer.example",
    "https://us%zzer@issuer.example",
    "https://a@b@issuer.example",
    "http://user@issuer.example?q#f",
    "https://issuer.example/%zz",
    "https://issuer.example/%2",
    "https://issuer.example/#%zz",
    "https://iss%41er.example",
    "https://iss uer.example",
    "https://issuer.example/a b",
    "https://issuer^example",
    "https://issuer.example:abc",
    "https://issuer.example:80:90",
    "https://[::1",
    "https://[::1]x",
    "https://x[::1]",
    "https://[127.0.0.1]",
    "https://issuer.example\u{7f}",
    "https://issuer.example\n",
    "://issuer.example",
    ":",
    "1https://issuer.example",
    "ht!tps://issuer.example",
    "a:b:c",
    "é:b",
    "*",
];
