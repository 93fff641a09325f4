//! What is there becomes a file to which nothing is to be done.

use kubesso_chain::{AccessFile, ChainName, Found, Import, Plan, ProviderState};
use serde_json::json;

use crate::house::{Org, TUTORIAL, apply};

/// As `kubesso import` reads: first what is named, then the groups of the application too.
async fn imported(org: &Org, import: &Import) -> (String, Vec<Found>) {
    let chain = ChainName::default();
    let mut groups = Vec::new();
    let mut state = None;
    for _ in 0..2 {
        let file = AccessFile::parse(&import.names_only(&groups)).unwrap();
        let read = ProviderState::read(org, &file, &chain, &file.provider_side(None)).await.unwrap();
        groups = import.assigned(&read.found);
        state = Some(read);
    }
    let found = state.unwrap().found;
    (import.file(&chain, &found), found)
}

fn tutorial() -> Import {
    Import {
        url: "https://localhost:8443".to_owned(),
        application: Some("k8s OIDC".to_owned()),
        authorization_server: Some("k8s-auth".to_owned()),
        ..Import::default()
    }
}

#[tokio::test]
async fn the_tutorial_comes_back_as_a_file_without_changes() {
    let org = Org::new().await;
    apply(&org, TUTORIAL).await.unwrap();
    let (text, found) = imported(&org, &tutorial()).await;
    let wanted = AccessFile::parse(&text).unwrap().provider_side(None);
    let plan = Plan::new(&wanted, &found).unwrap();
    assert!(plan.is_empty(), "{text}\n{}", plan.text(kubesso_chain::Colours::None));
    assert_eq!(plan.unchanged, 7);
    let stable = text.lines().map(|line| if line.contains("clientId") { "  clientId: …" } else { line });
    insta::assert_snapshot!(stable.collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn what_others_made_with_all_that_a_file_can_say_comes_back_too() {
    let org = Org::new().await;
    let full = "
provider: {url: https://localhost:8443}
groups: [{name: 'on call: yes'}, {name: k8s-admins, description: \"It's \\\"theirs\\\"\"}]
application:
  label: k8s OIDC
  applicationType: web
  tokenEndpointAuthMethod: client_secret_basic
  grantTypes: [authorization_code, 'urn:ietf:params:oauth:grant-type:token-exchange']
  redirectUris: ['https://app.example/cb']
  groups: [Everyone, k8s-admins, 'on call: yes']
authorizationServer:
  name: k8s-auth
  description: 'yes'
  scopes: [{name: clusters, published: true, consent: REQUIRED}]
  claims:
  - {name: groups, groups: {regex: 'k8s-(a|b)\\..*'}}
  - {name: groups, groups: {contains: ''}, in: accessToken}
  - {name: team, expression: 'user.department == \"a: b\" ? \"x\" : \"y\"', always: false, scopes: [clusters]}
  policies:
  - name: two
    rules:
    - {name: 'true', groups: [k8s-admins], people: [amy@example.com], accessTokenMinutes: 10, refreshTokenMinutes: 600, refreshTokenIdleMinutes: 600}
    - {name: the rest, exceptGroups: ['on call: yes'], scopes: [openid, clusters], idTokenMinutes: 5}
  - {name: one, clients: [ALL_CLIENTS], description: for all, rules: []}
";
    apply(&org, full).await.unwrap();
    // As if somebody else had made it.
    for (path, pointer) in [("/api/v1/authorizationServers", "k8s-auth")] {
        let mut server = org.find(path, "/name", pointer).await;
        server["description"] = json!("yes");
        org.granted("PUT", &format!("{path}/{}", server["id"].as_str().unwrap()), Some(server)).await;
    }
    let (text, found) = imported(&org, &tutorial()).await;
    let file = AccessFile::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let plan = Plan::new(&file.provider_side(None), &found).unwrap();
    assert!(plan.is_empty(), "{text}\n{}", plan.text(kubesso_chain::Colours::None));
    assert_eq!(plan.unchanged, 12, "{text}");
}
