//! Whoever is interrupted runs it again, and comes to the same end: at each request, whether it arrived or not.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::house::{Break, Org, TUTORIAL, apply, destroy, look};

/// All that there is, without ids and dates.
async fn everything(org: &Org) -> Value {
    let mut all = json!({});
    for collection in ["groups", "apps", "authorizationServers"] {
        let things = org.granted("GET", &format!("/api/v1/{collection}"), None).await;
        let mut all_of_them = Vec::new();
        for thing in things.as_array().unwrap() {
            let name = thing.pointer("/profile/name").or(thing.get("label")).or(thing.get("name"));
            let mut names = vec![name.cloned().unwrap_or_default()];
            let id = thing["id"].as_str().unwrap();
            let below: &[&str] = match collection {
                "groups" => &["users"],
                "apps" => &["groups"],
                _ => &["scopes", "claims", "policies"],
            };
            for below in below {
                let path = format!("/api/v1/{collection}/{id}/{below}");
                let inner = org.granted("GET", &path, None).await;
                names.push(json!(inner.as_array().unwrap().len()));
                if *below == "policies" {
                    for policy in inner.as_array().unwrap() {
                        let rules = format!("{path}/{}/rules", policy["id"].as_str().unwrap());
                        names.push(json!(org.granted("GET", &rules, None).await.as_array().unwrap().len()));
                    }
                }
            }
            all_of_them.push(json!(names).to_string());
        }
        all_of_them.sort();
        all[collection] = all_of_them.into();
    }
    all
}

#[tokio::test]
async fn an_apply_that_breaks_at_any_request_is_finished_by_the_next() {
    let whole = Org::new().await;
    apply(&whole, TUTORIAL).await.unwrap();
    let requests = whole.changes.load(Ordering::SeqCst);
    assert!(requests >= 10, "7 things, a member, 2 assignments: {requests}");
    let expected = everything(&whole).await;

    for number in 1..=requests {
        for breaks in [Break::Before(number), Break::After(number)] {
            let mut org = Org::new().await;
            org.breaking(breaks);
            let error = apply(&org, TUTORIAL).await.unwrap_err();
            assert!(error.to_string().contains("the connection was lost"), "{error}");
            org.breaking(Break::Never);
            apply(&org, TUTORIAL).await.unwrap();
            assert!(look(&org, TUTORIAL).await.plan.is_empty(), "{breaks:?}");
            assert_eq!(everything(&org).await, expected, "{breaks:?}");
        }
    }
}

#[tokio::test]
async fn a_destroy_that_breaks_at_any_request_is_finished_by_the_next() {
    let whole = Org::new().await;
    let empty = everything(&whole).await;
    apply(&whole, TUTORIAL).await.unwrap();
    whole.changes.store(0, Ordering::SeqCst);
    destroy(&whole, TUTORIAL).await.unwrap();
    assert_eq!(everything(&whole).await, empty);
    let requests = whole.changes.load(Ordering::SeqCst);

    for number in 1..=requests {
        for breaks in [Break::Before(number), Break::After(number)] {
            let mut org = Org::new().await;
            apply(&org, TUTORIAL).await.unwrap();
            org.breaking(breaks);
            destroy(&org, TUTORIAL).await.unwrap_err();
            org.breaking(Break::Never);
            destroy(&org, TUTORIAL).await.unwrap();
            assert_eq!(everything(&org).await, empty, "{breaks:?}");
        }
    }
}

#[tokio::test]
async fn the_error_says_which_step_what_the_api_said_and_what_was_done() {
    let mut org = Org::new().await;
    org.breaking(Break::Before(5));
    let error = apply(&org, TUTORIAL).await.unwrap_err().to_string();
    assert!(
        error.starts_with("step 4 of 7, claim \"groups\" in \"k8s-auth\", was not done: POST "),
        "{error}"
    );
    assert!(
        error.ends_with(
            "Done before: group \"k8s-admins\" made, group \"k8s-restricted-users\" made, \
         authorization server \"k8s-auth\" made. The same command goes on from there"
        ),
        "{error}"
    );
}
