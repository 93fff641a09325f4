//! docs/access-file.md names every field that a file may have, and no other.

use std::collections::BTreeSet;
use std::path::Path;

use kubesso_chain::{
    AccessFile, ApplicationSection, ApplySection, ClaimSection, ClusterSection, GrantSection, GroupSection,
    KubeconfigSection, PolicySection, ProviderSection, RuleOfRole, RuleSection, ScopeSection, ServerSection,
};
use serde::de::DeserializeOwned;
use serde_json::json;

/// The fields that a section knows, as its refusal of another one names them.
fn fields<T: DeserializeOwned>() -> BTreeSet<String> {
    let error = match serde_json::from_value::<T>(json!({ "no such field": 0 })) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("any field is taken"),
    };
    let names = error.split('`').skip(3).step_by(2);
    names.map(str::to_owned).collect()
}

/// The fields that the document has under a heading.
fn documented(document: &str, heading: &str) -> BTreeSet<String> {
    let lines = document.lines().skip_while(|line| *line != format!("### {heading}")).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('#'));
    lines.filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned())).collect()
}

#[test]
fn every_field_is_in_the_reference_and_every_documented_field_is_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/access-file.md");
    let document = std::fs::read_to_string(path).unwrap();
    for (heading, fields) in [
        ("provider", fields::<ProviderSection>()),
        ("groups", fields::<GroupSection>()),
        ("application", fields::<ApplicationSection>()),
        ("authorizationServer", fields::<ServerSection>()),
        ("authorizationServer.scopes", fields::<ScopeSection>()),
        ("authorizationServer.claims", fields::<ClaimSection>()),
        ("authorizationServer.policies", fields::<PolicySection>()),
        ("authorizationServer.policies.rules", fields::<RuleSection>()),
        ("grants", fields::<GrantSection>()),
        ("grants.rules", fields::<RuleOfRole>()),
        ("clusters", fields::<ClusterSection>()),
        ("clusters.apply", fields::<ApplySection>()),
        ("kubeconfig", fields::<KubeconfigSection>()),
        ("top level", fields::<AccessFile>()),
    ] {
        assert!(!fields.is_empty(), "{heading}");
        assert_eq!(documented(&document, heading), fields, "{heading}");
    }
}

#[test]
fn the_example_is_a_good_file() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/access/access.yaml");
    let file = AccessFile::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(file.provider_side(None).len(), 7);
}
