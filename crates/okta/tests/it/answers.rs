//! What every answer has, whatever it is about: ids, rate limits, and refusals in Okta's form.

use axum::body::Body;
use http::Request;
use kubesso_directory::{AdminRole, RoleHolder};
use serde_json::json;

use crate::house::{ORIGIN, Org};

#[tokio::test]
async fn nobody_comes_in_without_a_token_that_is_good() {
    let org = Org::new().await;
    let ask = async |value: Option<&str>| {
        let mut request = Request::get("/api/v1/groups");
        if let Some(value) = value {
            request = request.header("authorization", value);
        }
        org.send(request.body(Body::empty()).unwrap()).await
    };
    ask(None).await.refused(401, "E0000011", "Authorization: SSWS");
    ask(Some("SSWS wrong")).await.refused(401, "E0000011", "kubesso api-token create");
    ask(Some("Basic x")).await.refused(401, "E0000011", "Use the scheme SSWS");
    ask(Some(&format!("ssws {}", org.token))).await.expect(200);
}

#[tokio::test]
async fn a_persons_token_is_worth_what_the_person_is_and_no_more_than_it_says() {
    let org = Org::new().await;
    let ada = org.user("ada@example.com").await;
    let token = org.api_token("ada's", AdminRole::OrgAdmin, Some(ada.id.clone())).await;
    let create = async |name: &str| {
        org.call_by(&token, "POST", "/api/v1/groups", json!({ "profile": { "name": name } })).await
    };
    create("a").await.refused(403, "E0000006", "does not allow to manage groups");
    org.assign_role(RoleHolder::User(ada.id.clone()), AdminRole::ReadOnlyAdmin).await;
    create("a").await.refused(403, "E0000006", "does not allow to manage groups");
    org.assign_role(RoleHolder::User(ada.id.clone()), AdminRole::SuperAdmin).await;
    create("a").await.expect(200);
    let suspended = ada.suspend(org.now()).unwrap();
    org.commit(vec![kubesso_directory::Change::PutUser(suspended)]).await;
    create("b").await.refused(401, "E0000011", "may not sign in");
}

#[tokio::test]
async fn an_answer_has_an_id_and_the_callers_standing() {
    let org = Org::new().await;
    let (first, second) = (org.get("/api/v1/groups").await, org.get("/api/v1/groups").await);
    let header =
        |answer: &crate::house::Answer, name: &str| answer.headers[name].to_str().unwrap().to_owned();
    assert_ne!(header(&first, "x-okta-request-id"), header(&second, "x-okta-request-id"));
    assert_eq!(header(&first, "x-rate-limit-limit"), "12000");
    assert_eq!(header(&second, "x-rate-limit-remaining"), "11998");
    assert_eq!(header(&second, "x-rate-limit-reset"), "1795348860", "the end of the minute");
    assert_eq!(header(&first, "content-type"), "application/json");
}

#[tokio::test]
async fn what_there_is_not_is_answered_in_oktas_form_with_the_id_of_the_request() {
    let org = Org::new().await;
    let answer = org.get("/api/v1/brands").await;
    assert_eq!(answer.body["errorId"], answer.headers["x-okta-request-id"].to_str().unwrap());
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.expect(404)["errorCode"], "E0000008");
    assert_eq!(org.call("PATCH", "/api/v1/groups", None).await.expect(405)["errorCode"], "E0000022");
    assert_eq!(org.get("/api/v1/groups/00gnone").await.expect(404)["errorCode"], "E0000007");
    assert_eq!(org.get("/api/v1/groups/%2F..%2F").await.expect(404)["errorCode"], "E0000007");
}

#[tokio::test]
async fn the_organization_says_without_a_token_that_applications_have_access_policies() {
    let org = Org::new().await;
    let request = Request::get("/.well-known/okta-organization").body(Body::empty()).unwrap();
    let answer = org.send(request).await.expect(200);
    assert_eq!(answer["pipeline"], "idx");
    assert_eq!(answer["_links"]["organization"]["href"], ORIGIN);
}
