//! Tokens that are not what they say: 401 from both clusters, and not a word more.

use anyhow::{Context, Result};
use kubesso_e2e::forge;
use kubesso_e2e::reply::{Call, Differences};
use kubesso_e2e::world;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_from_the_provider_for_this_cluster_opens_neither_cluster() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let (sandbox, real) = (world.sandbox()?, world.real()?);
    let good = world.tokens("dev")?;
    let token = &good.id_token;
    let truncated = token.get(..token.len() - 1).context("a token is ASCII")?;
    let forged = [
        ("for another audience (the access token)", good.access_token.clone()),
        (
            "of another issuer",
            forge::signed_by_a_stranger(token, Some(("iss", json!("https://example.com"))))?,
        ),
        ("of our issuer, signed by a stranger", forge::signed_by_a_stranger(token, None)?),
        ("with another person in it", forge::with_claim(token, "email", json!("admin@example.com"))?),
        ("with another group in it", forge::with_claim(token, "groups", json!(["k8s-admins"]))?),
        ("with a longer life", forge::with_claim(token, "exp", json!(4_102_444_800_i64))?),
        ("without a signature, alg none", forge::unsigned(token)?),
        ("with a changed signature", forge::with_a_flipped_signature(token)?),
        ("cut short", truncated.to_owned()),
        ("no JWT at all", "letmein".to_owned()),
        ("a refresh token", good.refresh_token.clone().context("offline_access was asked for")?),
    ];
    let mut differences = Differences::default();
    let path = "/api/v1/namespaces/default/pods";
    for (what, token) in &forged {
        let call = Call::get(path).with_token(Some(token));
        let reply = differences.compare(what, &call, &sandbox, &real).await?;
        assert_eq!((reply.status, reply.message().as_str()), (401, "Unauthorized"), "{what}");
    }
    // The same call with the token as it was issued: it is the forgery that is refused.
    let reply =
        differences.compare("as issued", &Call::get(path).with_token(Some(token)), &sandbox, &real).await?;
    assert_eq!(reply.status, 200);
    differences.none()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_bearer_token_is_nobody_or_refused_alike() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let (sandbox, real) = (world.sandbox()?, world.real()?);
    let token = world.tokens("dev")?.id_token.clone();
    let get = || Call::get("/api/v1/namespaces/default/pods");
    let mut differences = Differences::default();
    for (what, header) in [
        ("empty", String::new()),
        ("the scheme alone", "Bearer".to_owned()),
        ("the scheme and a space", "Bearer ".to_owned()),
        ("the scheme in small letters", format!("bearer {token}")),
        ("two spaces", format!("Bearer  {token}")),
        ("something behind the token", format!("Bearer {token} more")),
        ("another scheme", "Basic YWRtaW46YWRtaW4=".to_owned()),
    ] {
        differences.compare(what, &get().header("Authorization", &header), &sandbox, &real).await?;
    }
    differences.none()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_clusters_see_the_same_person_in_a_token() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let (sandbox, real) = (world.sandbox()?, world.real()?);
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    for who in world::PEOPLE {
        let call = Call::post("/apis/authentication.k8s.io/v1/selfsubjectreviews", &review)
            .with_token(world.id_token(who));
        let (ours, theirs) = tokio::join!(sandbox.call(&call), real.call(&call));
        let (ours, theirs) = (ours?.json()?, theirs?.json()?);
        assert_eq!(ours["status"], theirs["status"], "{who}");
        assert_eq!(ours["status"]["userInfo"]["username"], format!("{who}@example.com"));
    }
    Ok(())
}
