//! What kubelogin's tests leave untried: the other grants, and sessions that end before their time.

use std::fs;

use anyhow::{Context, Result};
use kubesso_e2e::provider::Provider;
use kubesso_e2e::visitor::Arrival;
use serde_json::json;

use crate::stage::{Stage, tried_on};

tried_on! {
    a_code_is_entered_on_another_machine: device, [ours, keycloak, certified];
    the_device_flow_has_a_proof_key: device_with_proof, [keycloak_strict];
    without_a_browser_the_device_flow_is_found: headless, [ours, keycloak, certified];
    the_address_that_the_browser_ended_at_is_pasted: keyboard, [ours, keycloak, certified];
    an_application_signs_in_as_itself: client_credentials, [keycloak_with_secret, certified_with_secret];
    an_application_with_a_secret_signs_people_in: with_secret, [keycloak_with_secret, certified_with_secret];
    an_application_with_a_key_signs_people_in: with_key, [keycloak_with_key, certified_with_key];
    a_token_for_one_application_is_exchanged_for_another: exchange, [keycloak];
    the_access_token_is_for_the_cluster: access_token, [ours, keycloak, certified];
    a_revoked_refresh_token_leads_to_a_new_sign_in: revoked, [ours, keycloak, certified];
    a_session_that_an_administrator_ended_leads_to_a_new_sign_in: session_ended, [keycloak];
    signing_out_ends_the_session_and_the_refresh_token: logout, [ours, certified];
    signing_out_ends_the_session_that_the_refresh_token_is_of: logout_online, [keycloak];
    a_wrong_password_is_said_to_be_wrong: wrong_password, [ours, keycloak, certified];
}

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn device(mut stage: Stage) -> Result<()> {
    let arguments = stage.get_token(&["--grant-type=device-code"]);
    let person = async {
        let page = stage.plugin.opened.next().await?;
        stage.person.visit(&page).await
    };
    let (done, arrival) = stage.plugin.run_beside(&arguments, person).await?;
    assert!(matches!(arrival, Arrival::Page(_)), "{arrival:?}");
    stage.credential(&done).await?;
    assert!(done.stderr.starts_with("Please enter the following code"), "{}", done.stderr);
    // It may have asked several times before the person was through.
    for request in stage.provider.token_requests().await?.unwrap_or_default() {
        assert_eq!(request.grant, DEVICE);
    }
    for form in stage.provider.forms_to("device_authorization")?.unwrap_or_default() {
        assert_eq!(form["code_challenge_method"], "S256", "{form}");
    }
    for form in stage.provider.forms_to("token")?.unwrap_or_default() {
        assert!(form["code_verifier"].is_string(), "{form}");
    }
    Ok(())
}

async fn headless(mut stage: Stage) -> Result<()> {
    let arguments = stage.get_token_over_ssh(&[]);
    let person = &mut stage.person;
    let talk = stage.plugin.run_and_talk(&arguments, async |talk| {
        let address = talk.wait_for_address().await?;
        person.visit(&address).await
    });
    let (done, arrival) = talk.await?;
    assert!(matches!(arrival, Arrival::Page(_)), "{arrival:?}");
    stage.credential(&done).await?;
    for request in stage.provider.token_requests().await?.unwrap_or_default() {
        assert_eq!(request.grant, DEVICE);
    }
    Ok(())
}

async fn device_with_proof(stage: Stage) -> Result<()> {
    let without = stage.get_token(&["--grant-type=device-code", "--oidc-pkce-method=no"]);
    let refused = stage.run_alone(&without).await?;
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{}", refused.stderr);
    device(stage).await
}

/// Nothing listens there, as on the machine with the browser.
const ELSEWHERE: &str = "http://localhost:8000";

async fn keyboard(mut stage: Stage) -> Result<()> {
    let redirect = format!("--oidc-redirect-url={ELSEWHERE}");
    let arguments = stage.get_token(&["--grant-type=authcode-keyboard", &redirect]);
    let person = &mut stage.person;
    let talk = stage.plugin.run_and_talk(&arguments, async |talk| {
        let said = talk.wait_for("Enter code: ").await?;
        let url = said.split_whitespace().find(|word| word.starts_with("http")).context("no URL")?.to_owned();
        let Arrival::Answer(address) = person.visit(&url).await? else { anyhow::bail!("no answer") };
        talk.type_line(address.as_str()).await?;
        Ok(address)
    });
    let (done, address) = talk.await?;
    assert!(address.as_str().starts_with(ELSEWHERE), "{address}");
    stage.credential(&done).await?;
    assert_eq!(stage.plugin.opened.take()?, None);
    stage.asked(&["authorization_code"]).await?;
    Ok(())
}

async fn client_credentials(stage: Stage) -> Result<()> {
    let secret = Provider::secret_flag();
    let flags = ["--grant-type=client-credentials", "--oidc-use-access-token", &secret];
    let first = stage.run_alone(&stage.get_token(&flags)).await?;
    assert_eq!((first.code, first.stderr.as_str()), (0, ""));
    let again = stage.run_alone(&stage.get_token(&flags)).await?;
    assert_eq!(again.stdout, first.stdout, "the kept token");
    assert!(first.stdout.contains(r#""expirationTimestamp":"2"#), "{}", first.stdout);
    for request in stage.provider.forms_to("token")?.unwrap_or_default() {
        assert_eq!(request["grant_type"], "client_credentials");
    }
    Ok(())
}

async fn with_secret(mut stage: Stage) -> Result<()> {
    let wrong = ["--oidc-client-secret=wrong", "--token-cache-storage=none"];
    let refused = stage.plugin.run_and_sign_in(&stage.get_token(&wrong), &mut stage.person).await?;
    assert_eq!((refused.done.code, refused.done.stdout.as_str()), (1, ""));
    assert!(refused.done.stderr.contains("_client"), "{}", refused.done.stderr);
    assert!(!refused.done.stderr.contains("wrong"), "{}", refused.done.stderr);
    let secret = Provider::secret_flag();
    let signed_in = stage.sign_in(&stage.get_token(&[&secret])).await?;
    stage.credential(&signed_in.done).await?;
    Ok(())
}

async fn with_key(mut stage: Stage) -> Result<()> {
    let [file, id] = Provider::key_flags()?;
    let flags = ["--oidc-extra-scope=offline_access", &file, &id];
    let signed_in = stage.sign_in(&stage.get_token(&flags)).await?;
    stage.credential(&signed_in.done).await?;
    stage.plugin.cache().let_the_token_expire()?;
    let renewed = stage.run_alone(&stage.get_token(&flags)).await?;
    stage.credential(&renewed).await?;
    stage.asked(&["authorization_code", "refresh_token"]).await?;
    for form in stage.provider.forms_to("token")?.unwrap_or_default() {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        assert_eq!(form["client_assertion_type"], kind, "{form}");
        assert!(form.get("client_secret").is_none(), "{form}");
    }
    Ok(())
}

async fn exchange(mut stage: Stage) -> Result<()> {
    let signed_in = stage.sign_in(&stage.get_token(&["--oidc-use-access-token"])).await?;
    let subject = stage.plugin.home().join("subject");
    fs::write(&subject, stage.printed_token(&signed_in.done)?)?;
    stage.provider = stage.provider.with_secret();
    let file = format!("--oidc-subject-token-file={}", subject.display());
    let secret = Provider::secret_flag();
    let flags = ["--grant-type=token-exchange", "--oidc-subject-token-type=access_token", &file, &secret];
    let credential = stage.credential(&stage.run_alone(&stage.get_token(&flags)).await?).await?;
    assert_eq!(credential.claims["aud"], stage.provider.client_id.as_str());
    assert_eq!(credential.claims["groups"], json!(["developers"]));
    Ok(())
}

async fn access_token(mut stage: Stage) -> Result<()> {
    let flags = ["--oidc-use-access-token", "--oidc-extra-scope=offline_access"];
    let signed_in = stage.sign_in(&stage.get_token(&flags)).await?;
    let first = stage.printed_token(&signed_in.done)?;
    let person = stage.provider.userinfo(&first).await?;
    stage.plugin.cache().let_the_token_expire()?;
    let renewed = stage.run_alone(&stage.get_token(&flags)).await?;
    let second = stage.printed_token(&renewed)?;
    assert_ne!(first, second);
    assert_eq!(stage.provider.userinfo(&second).await?["sub"], person["sub"]);
    Ok(())
}

async fn revoked(mut stage: Stage) -> Result<()> {
    let flags = ["--oidc-extra-scope=offline_access"];
    stage.sign_in(&stage.get_token(&flags)).await?;
    stage.provider.revoke(&stage.plugin.cache().refresh_token()?).await?;
    signs_in_anew(&mut stage, &flags).await
}

async fn session_ended(mut stage: Stage) -> Result<()> {
    stage.sign_in(&stage.get_token(&[])).await?;
    stage.provider.end_sessions().await?;
    signs_in_anew(&mut stage, &[]).await
}

/// The refresh token is tried, and refused; the person is asked, and that is all they notice.
async fn signs_in_anew(stage: &mut Stage, flags: &[&str]) -> Result<()> {
    stage.plugin.cache().let_the_token_expire()?;
    stage.person = stage.provider.visitor()?;
    let explained = [flags, &["--v=1"]].concat();
    let signed_in = stage.sign_in(&stage.get_token(&explained)).await?;
    stage.credential(&signed_in.done).await?;
    assert!(signed_in.done.stderr.contains("invalid_grant"), "{}", signed_in.done.stderr);
    if let Some(asked) = stage.provider.token_requests().await? {
        // Of a refused token, Keycloak does not say whose it was.
        let granted = asked.iter().filter(|request| request.granted);
        let granted: Vec<_> = granted.map(|request| request.grant.as_str()).collect();
        assert_eq!(granted, ["authorization_code", "authorization_code"], "{asked:?}");
    }
    Ok(())
}

async fn logout(stage: Stage) -> Result<()> {
    signs_out(stage, &["--oidc-extra-scope=offline_access"]).await
}

/// With `offline_access`, Keycloak keeps no session for the browser.
async fn logout_online(stage: Stage) -> Result<()> {
    signs_out(stage, &[]).await
}

async fn signs_out(mut stage: Stage, flags: &[&str]) -> Result<()> {
    stage.sign_in(&stage.get_token(flags)).await?;
    stage.sign_in(&stage.get_token(&["--token-cache-storage=none"])).await?;
    assert_eq!(stage.person.passwords, 1, "the session serves a second sign-in");
    let refresh_token = stage.plugin.cache().refresh_token()?;
    let arguments = stage.logout(flags);
    let person = async {
        let page = stage.plugin.opened.next().await?;
        stage.person.visit(&page).await
    };
    let (done, _) = stage.plugin.run_beside(&arguments, person).await?;
    assert_eq!((done.code, done.stdout.as_str()), (0, ""), "{}", done.stderr);
    assert_eq!(stage.plugin.cache().entries()?.len(), 0);
    assert!(!stage.provider.still_refreshes(&refresh_token).await?);
    stage.sign_in(&stage.get_token(flags)).await?;
    assert_eq!(stage.person.passwords, 2, "the session has ended");
    Ok(())
}

async fn wrong_password(stage: Stage) -> Result<()> {
    let username = format!("--username={}", stage.provider.login);
    let done = stage.run_alone(&stage.get_token(&[&username, "--password=battery horse"])).await?;
    assert_eq!((done.code, done.stdout.as_str()), (1, ""), "{}", done.stderr);
    assert!(done.stderr.contains("invalid_grant"), "{}", done.stderr);
    assert!(!done.stderr.contains("battery horse"), "{}", done.stderr);
    Ok(())
}
