//! The organization's own policies, which can be read and not changed.

use serde_json::{Value, json};

use crate::house::Org;

#[tokio::test]
async fn each_type_has_the_policy_that_is_in_force_or_none() {
    let org = Org::new().await;
    for (kind, number) in
        [("ACCESS_POLICY", 1), ("OKTA_SIGN_ON", 1), ("PASSWORD", 1), ("MFA_ENROLL", 0), ("IDP_DISCOVERY", 0)]
    {
        let found = org.get(&format!("/api/v1/policies?type={kind}")).await.expect(200);
        let found = found.as_array().unwrap();
        assert_eq!(found.len(), number, "{kind}");
        for policy in found {
            assert_eq!((&policy["system"], &policy["type"]), (&Value::Bool(true), &json!(kind)));
            let one = format!("/api/v1/policies/{}", policy["id"].as_str().unwrap());
            assert_eq!(org.get(&one).await.expect(200), *policy);
            assert_eq!(org.get(&format!("{one}/rules")).await.expect(200).as_array().unwrap().len(), 1);
            assert_eq!(org.get(&format!("{one}/mappings")).await.expect(200), json!([]));
            for (method, rest) in
                [("PUT", ""), ("DELETE", ""), ("POST", "/rules"), ("POST", "/lifecycle/deactivate")]
            {
                let answer = org.call(method, &format!("{one}{rest}"), json!({})).await;
                answer.refused(400, "E0000060", "policies are fixed");
            }
        }
    }
    org.get("/api/v1/policies").await.refused(400, "E0000001", "type");
    org.get("/api/v1/policies?type=OTHER").await.refused(400, "E0000001", "type");
    org.get("/api/v1/policies/rstnone").await.refused(404, "E0000007", "");
}

#[tokio::test]
async fn every_application_has_the_one_access_policy() {
    let org = Org::new().await;
    let app = json!({ "label": "a", "settings": { "oauthClient": { "redirect_uris": ["http://localhost:8000"] } } });
    let app = org.post("/api/v1/apps", app).await.expect(200);
    let policy = app["_links"]["accessPolicy"]["href"].as_str().unwrap().rsplit('/').next().unwrap();
    let path = format!("/api/v1/apps/{}/policies", app["id"].as_str().unwrap());
    org.put(&format!("{path}/{policy}"), None).await.expect(204);
    org.put(&format!("{path}/rstnone"), None).await.refused(404, "E0000007", "");
}
