//! Made, found again, drifted, repaired, destroyed: and what others made stays.

use serde_json::json;

use crate::house::{Org, TUTORIAL, apply, destroy, look, short};

const GROUPS: &str = "/api/v1/groups";
const SERVERS: &str = "/api/v1/authorizationServers";

async fn server(org: &Org) -> String {
    let server = org.find(SERVERS, "/name", "k8s-auth").await;
    format!("{SERVERS}/{}", server["id"].as_str().unwrap())
}

#[tokio::test]
async fn everything_is_made_once_in_the_order_of_need() {
    let org = Org::new().await;
    let looked = look(&org, TUTORIAL).await;
    assert_eq!(
        short(&looked.plan),
        [
            "+ group \"k8s-admins\"",
            "+ group \"k8s-restricted-users\"",
            "+ authorization server \"k8s-auth\"",
            "+ claim \"groups\" in \"k8s-auth\"",
            "+ application \"k8s OIDC\"",
            "+ policy \"k8s_policy\" in \"k8s-auth\"",
            "+ rule \"AuthCode + PKCE\" in \"k8s_policy\" in \"k8s-auth\"",
        ]
    );
    apply(&org, TUTORIAL).await.unwrap();
    let looked = look(&org, TUTORIAL).await;
    assert_eq!((short(&looked.plan), looked.plan.unchanged), (vec![], 7));

    let application = org.find("/api/v1/apps", "/label", "k8s OIDC").await;
    assert_eq!(application["settings"]["oauthClient"]["redirect_uris"][0], "http://localhost:18000");
    assert_eq!(application["settings"]["notes"]["admin"], "[kubesso k8s]");
    let policy = org.find(&format!("{}/policies", server(&org).await), "/name", "k8s_policy").await;
    assert_eq!(policy["conditions"]["clients"]["include"], json!([application["id"]]));
    let assigned = format!("/api/v1/apps/{}/groups", application["id"].as_str().unwrap());
    let assigned = org.granted("GET", &assigned, None);
    assert_eq!(assigned.await.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_somebody_changed_is_named_with_both_values_and_repaired() {
    let org = Org::new().await;
    apply(&org, TUTORIAL).await.unwrap();
    let server = server(&org).await;
    let policy = org.find(&format!("{server}/policies"), "/name", "k8s_policy").await;
    let rules = format!("{server}/policies/{}/rules", policy["id"].as_str().unwrap());
    let mut rule = org.find(&rules, "/name", "AuthCode + PKCE").await;
    rule["actions"]["token"]["accessTokenLifetimeMinutes"] = json!(6);
    rule["actions"]["token"]["refreshTokenLifetimeMinutes"] = json!(10);
    rule["actions"]["token"]["refreshTokenWindowMinutes"] = json!(7);
    let dev = org.find("/api/v1/users", "/profile/login", "dev@example.com").await;
    let dev = dev["id"].as_str().unwrap();
    rule["conditions"]["people"]["users"]["include"] = json!([dev]);
    org.granted("PUT", &format!("{rules}/{}", rule["id"].as_str().unwrap()), Some(rule)).await;
    let claim = org.find(&format!("{server}/claims"), "/name", "groups").await;
    let claim = format!("{server}/claims/{}", claim["id"].as_str().unwrap());
    let wrong = json!({ "name": "groups", "claimType": "IDENTITY", "valueType": "EXPRESSION", "value": "user.login" });
    org.granted("PUT", &claim, Some(wrong)).await;
    org.granted("POST", &format!("{server}/lifecycle/deactivate"), None).await;
    let admins = org.find(GROUPS, "/profile/name", "k8s-admins").await;
    org.granted("PUT", &format!("{GROUPS}/{}/users/{dev}", admins["id"].as_str().unwrap()), None).await;

    let text = look(&org, TUTORIAL).await.plan.text(kubesso_chain::Colours::None);
    insta::assert_snapshot!(text);
    apply(&org, TUTORIAL).await.unwrap();
    assert!(look(&org, TUTORIAL).await.plan.is_empty());
}

#[tokio::test]
async fn what_is_in_a_server_of_ours_and_not_in_the_file_is_taken_out() {
    let org = Org::new().await;
    apply(&org, TUTORIAL).await.unwrap();
    let server = server(&org).await;
    let everybody =
        json!({ "name": "open door", "conditions": { "clients": { "include": ["ALL_CLIENTS"] } } });
    org.granted("POST", &format!("{server}/policies"), Some(everybody)).await;
    let looked = look(&org, TUTORIAL).await;
    assert_eq!(short(&looked.plan), ["- policy \"open door\" in \"k8s-auth\""]);
    apply(&org, TUTORIAL).await.unwrap();
    assert!(look(&org, TUTORIAL).await.plan.is_empty());
}

#[tokio::test]
async fn what_leaves_the_file_is_destroyed_and_a_new_name_is_a_new_thing() {
    let org = Org::new().await;
    apply(&org, TUTORIAL).await.unwrap();
    let other = TUTORIAL
        .replace("k8s OIDC", "kubectl")
        .replace("- {name: k8s-restricted-users, description: 'They read pods and services'}\n", "");
    let looked = look(&org, &other).await;
    assert_eq!(
        short(&looked.plan),
        [
            "+ application \"kubectl\"",
            "~ policy \"k8s_policy\" in \"k8s-auth\"",
            "- application \"k8s OIDC\"",
            "- group \"k8s-restricted-users\"",
        ]
    );
    apply(&org, &other).await.unwrap();
    assert!(look(&org, &other).await.plan.is_empty());
}

#[tokio::test]
async fn what_others_made_is_changed_where_the_file_says_so_and_never_destroyed() {
    let org = Org::new().await;
    let theirs = json!({ "profile": { "name": "k8s-admins", "description": "By hand" } });
    org.granted("POST", GROUPS, Some(theirs)).await;
    let bystander = json!({ "profile": { "name": "k8s-others", "description": "By hand" } });
    org.granted("POST", GROUPS, Some(bystander)).await;
    let looked = look(&org, TUTORIAL).await;
    assert_eq!(short(&looked.plan)[0], "~ group \"k8s-admins\"");
    assert!(looked.plan.notes[0].contains("was not made by kubesso"), "{:?}", looked.plan.notes);
    apply(&org, TUTORIAL).await.unwrap();
    let group = org.find(GROUPS, "/profile/name", "k8s-admins").await;
    assert_eq!(group["profile"]["description"], "Administrators of the clusters", "no marker is set on it");

    let gone = destroy(&org, TUTORIAL).await.unwrap();
    assert_eq!(gone.summary().destroy, 6);
    assert!(gone.notes[0].contains("stays"), "{:?}", gone.notes);
    let names = org.granted("GET", GROUPS, None).await;
    let mut names: Vec<_> =
        names.as_array().unwrap().iter().map(|group| group["profile"]["name"].to_string()).collect();
    names.sort();
    assert_eq!(names, ["\"Everyone\"", "\"k8s-admins\"", "\"k8s-others\""]);
    assert_eq!(org.granted("GET", "/api/v1/apps", None).await, json!([]));
    assert_eq!(org.granted("GET", SERVERS, None).await, json!([]));
}

#[tokio::test]
async fn two_files_in_one_organization_do_not_touch_each_other() {
    let org = Org::new().await;
    apply(&org, TUTORIAL).await.unwrap();
    let other = "
name: staging
provider: {url: https://localhost:8443}
groups: [{name: staging-admins}]
application: {label: staging}
authorizationServer: {name: staging}
";
    apply(&org, other).await.unwrap();
    assert!(look(&org, TUTORIAL).await.plan.is_empty());
    assert!(look(&org, other).await.plan.is_empty());
    let gone = destroy(&org, other).await.unwrap();
    assert_eq!(gone.summary().destroy, 6);
    assert!(look(&org, TUTORIAL).await.plan.is_empty());

    // A name of the other's.
    let file =
        kubesso_chain::AccessFile::parse(&TUTORIAL.replace("provider:", "name: mine\nprovider:")).unwrap();
    let (chain, wanted) = (file.chain().unwrap(), file.provider_side(None));
    let state = kubesso_chain::ProviderState::read(&org, &file, &chain, &wanted).await.unwrap();
    let error = kubesso_chain::Plan::new(&wanted, &state.found).unwrap_err().to_string();
    assert!(error.contains("`name` is `k8s`"), "{error}");
}

#[tokio::test]
async fn what_is_only_named_must_be_there() {
    let org = Org::new().await;
    for (change, expected) in [
        (("members: [amy@example.com]", "members: [nobody@example.com]"), "nobody with the login"),
        (("{label: k8s OIDC}", "{label: k8s OIDC, groups: [auditors]}"), "no group `auditors`"),
    ] {
        let file = kubesso_chain::AccessFile::parse(&TUTORIAL.replace(change.0, change.1)).unwrap();
        let (chain, wanted) = (file.chain().unwrap(), file.provider_side(None));
        let state = kubesso_chain::ProviderState::read(&org, &file, &chain, &wanted).await;
        let error = state.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // Everybody is a group that is there, and stays.
    let everybody = TUTORIAL.replace("{label: k8s OIDC}", "{label: k8s OIDC, groups: [Everyone]}");
    apply(&org, &everybody).await.unwrap();
    assert!(look(&org, &everybody).await.plan.is_empty());
    destroy(&org, &everybody).await.unwrap();
    org.find(GROUPS, "/profile/name", "Everyone").await;
}

#[tokio::test]
async fn a_group_behind_many_others_whose_names_begin_alike_is_found() {
    let org = Org::new().await;
    for number in 0..201 {
        let group = json!({ "profile": { "name": format!("k8s-admins-{number:03}") } });
        org.granted("POST", GROUPS, Some(group)).await;
    }
    apply(&org, TUTORIAL).await.unwrap();
    assert!(look(&org, TUTORIAL).await.plan.is_empty(), "more than one page begins with k8s-admins");
    destroy(&org, TUTORIAL).await.unwrap();
    let all = org.granted("GET", GROUPS, None).await;
    assert_eq!(all.as_array().unwrap().len(), 202, "those, and everybody");
}
