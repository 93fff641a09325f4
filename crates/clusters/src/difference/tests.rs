use super::*;
use crate::access::Access;
use crate::authentication_configuration::as_file;
use crate::found::FoundFile;
use crate::instructions::Form;
use crate::kubernetes_version::KubernetesVersion;

const V1_34: KubernetesVersion = KubernetesVersion::new(1, 34);

fn access(more: &str) -> Access {
    let text = format!("issuers:\n- url: https://sso.example\n  audiences: [b, a]\n{more}");
    Access::from_yaml(&text, |_| Err(String::new())).unwrap()
}

fn by_file(text: &str) -> Found {
    Found {
        arguments: Arguments::of_assignments(["authentication-config=/a.yaml"]),
        file: Some(FoundFile { path: "/a.yaml".to_owned(), content: Ok(text.to_owned()) }),
        ..Found::default()
    }
}

fn said(access: &Access, found: &Found) -> Vec<String> {
    let all = differences(&Request::new(access, V1_34), Target::StaticPod, found).unwrap();
    let shown = |one: &Option<String>| one.clone().unwrap_or_else(|| "-".to_owned());
    all.iter().map(|it| format!("{}: {} <- {}", it.setting, shown(&it.wanted), shown(&it.found))).collect()
}

#[test]
fn the_same_meaning_in_other_words_is_no_difference() {
    let access = access("");
    let (text, _) = as_file(&authentication_configuration(&access, V1_34));
    assert_eq!(said(&access, &by_file(&text)), [""; 0]);
    // Another version, another order, JSON.
    let mut other: Value = serde_saphyr::from_str(&text).unwrap();
    other["apiVersion"] = "apiserver.config.k8s.io/v1beta1".into();
    other["jwt"][0]["issuer"]["audiences"] = ["a", "b"].into();
    other["jwt"][0]["userValidationRules"].as_array_mut().unwrap().reverse();
    assert_eq!(said(&access, &by_file(&other.to_string())), [""; 0]);
}

#[test]
fn each_difference_is_said_with_what_is_wanted_and_what_is_there() {
    let there = access(
        "  username: {claim: sub, prefix: 'x:'}\n  dangerAllowSystemNames: true\n- url: https://old.example\n  audiences: [a]\n",
    );
    let (text, _) = as_file(&authentication_configuration(&there, V1_34));
    let wanted = access("  requiredClaims: {hd: example}\nanonymous: {enabled: false}\n");
    let all = said(&wanted, &by_file(&text));
    for one in [
        "claimMappings.username.claim: email <- sub",
        "claimMappings.username.prefix: \"\" <- x:",
        "issuer: - <- trusted",
        "claimValidationRules: {\"claim\":\"hd\",\"requiredValue\":\"example\"} <- -",
        "anonymous: {\"enabled\":false} <- -",
    ] {
        assert!(all.contains(&one.to_owned()), "{one}: {all:#?}");
    }
    assert_eq!(all.iter().filter(|one| one.starts_with("userValidationRules")).count(), 2, "{all:#?}");
}

#[test]
fn flags_are_compared_with_the_defaults_of_the_api_server() {
    let text = "issuers: [{url: 'https://sso.example', audiences: [a], username: {claim: sub, prefix: 'https://sso.example#'}}]";
    let access = Access::from_yaml(text, |_| Err(String::new())).unwrap();
    let found = Found {
        arguments: Arguments::of_assignments([
            "oidc-issuer-url=https://sso.example",
            "oidc-client-id=a",
            "oidc-groups-claim=groups",
        ]),
        ..Found::default()
    };
    let request = Request { form: Some(Form::Flags), ..Request::new(&access, V1_34) };
    assert_eq!(differences(&request, Target::K3s, &found).unwrap(), []);
    // Asked for a file: flags do not guard the names of Kubernetes, and take one signature.
    let all = said(&access, &found);
    for one in ["by: a configuration file <- flags", "signingAlgorithms: - <- RS256"] {
        assert!(all.contains(&one.to_owned()), "{all:#?}");
    }
}

#[test]
fn nothing_and_what_cannot_be_read_differ() {
    let access = access("");
    assert_eq!(said(&access, &Found::default()), ["issuer: trusted <- -"]);
    let all = said(&access, &by_file("jwt: [{isuer: {}}]"));
    assert!(all.len() == 1 && all[0].contains("/a.yaml") && all[0].contains("isuer"), "{all:#?}");
}
