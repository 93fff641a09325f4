//! `kubesso up` starts, ends, and starts again with what it had.

use anyhow::{Context, Result, ensure};
use kubesso_e2e::environment::scratch;
use kubesso_e2e::form::FormClient;
use kubesso_e2e::kubectl::Kubectl;
use kubesso_e2e::kubesso::{self, Kubesso, email};
use kubesso_e2e::reply::{Call, Cluster};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_has_the_same_people_keys_and_objects() -> Result<()> {
    let folder = scratch("restart")?;
    let first = Kubesso::up_in(folder.path()).await?;
    let password = first.password("admin")?;
    let ready = first.ready.clone();
    let mut browser = FormClient::new(&first.ca_pem()?)?;
    let token = browser.tokens(&ready.issuer, &ready.client_id, &email("admin"), &password).await?.id_token;
    let kubectl = Kubectl::new()?;
    kubectl.use_token(&ready.cluster, &first.ca_pem()?, &token)?;
    kubectl.run(&["create", "configmap", "kept", "--from-literal=a=b"]).await?.succeeded()?;
    kubectl.run(&["delete", "pod", "catalog"]).await?.succeeded()?;
    ensure!(first.stop().await?.success(), "Ctrl-C ends it cleanly, with exit code 0");

    let second = Kubesso::up_in(folder.path()).await?;
    assert_eq!(second.ready.issuer, ready.issuer);
    assert_eq!(second.ready.client_id, ready.client_id);
    assert_eq!(second.ready.cluster, ready.cluster);
    let people =
        |users: &[kubesso::Person]| users.iter().map(|person| person.email.clone()).collect::<Vec<_>>();
    assert_eq!(people(&second.ready.users), people(&ready.users));
    assert!(second.ready.users.iter().all(|person| person.password.is_none()), "passwords are shown once");
    // The old token is good, the old password too, what was created is there and what was deleted is not.
    assert_eq!(
        kubectl.run(&["get", "configmap", "kept", "-o", "jsonpath={.data.a}"]).await?.succeeded()?,
        "b"
    );
    let gone = kubectl.run(&["get", "pod", "catalog"]).await?.failed()?;
    assert!(gone.contains("(NotFound)"), "{gone}");
    FormClient::new(&second.ca_pem()?)?
        .tokens(&ready.issuer, &ready.client_id, &email("admin"), &password)
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_works_and_the_old_one_does_not() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let ready = &kubesso.ready;
    let old = kubesso.password("dev")?;
    let reset = kubesso.command(&["user", "reset-password", "dev@example.com", "-o", "json"]).await?;
    assert_eq!(reset.code, Some(0), "{}", reset.stderr);
    let printed: serde_json::Value =
        serde_json::from_str(&reset.stdout).with_context(|| reset.stdout.clone())?;
    let new = printed["password"].as_str().with_context(|| reset.stdout.clone())?;
    let attempt = async |password: &str| {
        let mut browser = FormClient::new(&kubesso.ca_pem()?)?;
        browser.tokens(&ready.issuer, &ready.client_id, &email("dev"), password).await
    };
    assert!(attempt(&old).await.is_err(), "the old password still works");
    attempt(new).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_walks_the_whole_line_and_says_who_may_do_what() -> Result<()> {
    let folder = scratch("tour")?;
    let data_dir = folder.path().join("data");
    let data_dir = data_dir.to_str().context("UTF-8")?;
    let arguments = ["up", "--tour", "--data-dir", data_dir, "--provider-port", "0", "--cluster-port", "0"];
    let ended = kubesso::run(&arguments, &folder.path().join("home")).await?;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    for word in ["admin", "dev", "guest", "outsider", "oidc-cluster-admin", "oidc-cluster-user"] {
        assert!(ended.stdout.contains(word), "the tour does not speak of {word}:\n{}", ended.stdout);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_of_provider_and_cluster_can_be_asked() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let (base, _) = kubesso.ready.issuer.split_once("/oauth2/").context("an issuer is <base>/oauth2/<id>")?;
    let provider = Cluster::new("provider", base, &kubesso.ca_pem()?)?;
    assert_eq!(provider.call(&Call::get("/healthz")).await?.status, 200);
    let sandbox = Cluster::new("sandbox", &kubesso.ready.cluster, &kubesso.ca_pem()?)?;
    assert_eq!(sandbox.call(&Call::get("/readyz")).await?.body, "ok");
    Ok(())
}
