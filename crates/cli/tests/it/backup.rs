//! `kubesso backup` and `kubesso restore`: what is restored signs people in again.

use kubesso_https::{Timeouts, Trust, client_with_redirects};
use serde_json::Value;

use crate::served::Site;
use crate::{kubesso, text};

/// Between `before` and the next quotation mark.
fn quoted<'a>(page: &'a str, before: &str) -> &'a str {
    page.split_once(before).and_then(|(_, rest)| rest.split_once('"')).unwrap().0
}

/// Whether the sign-in form takes login and password, and gives a code for them.
async fn signs_in(site: &Site, client: &str, server: &str, login: &str, password: &str) -> bool {
    let trust = Trust::Only(site.authority.certificate_pem().to_owned());
    let http = client_with_redirects(&trust, Timeouts::default(), reqwest::redirect::Policy::none()).unwrap();
    let mut url: reqwest::Url = site.url(&format!("/oauth2/{server}/v1/authorize")).parse().unwrap();
    url.query_pairs_mut().extend_pairs([
        ("client_id", client),
        ("response_type", "code"),
        ("scope", "openid"),
        ("redirect_uri", "http://localhost:8000"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ]);
    let shown = http.get(url).send().await.unwrap();
    let cookies: Vec<_> = shown
        .headers()
        .get_all("set-cookie")
        .iter()
        .map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned())
        .collect();
    let page = shown.text().await.unwrap();
    let request = quoted(&page, "name=\"request\" value=\"").to_owned();
    let form = [("request", &*request), ("username", login), ("password", password), ("action", "sign-in")];
    let answered = http
        .post(site.url("/sign-in"))
        .header("cookie", cookies.join("; "))
        .form(&form)
        .send()
        .await
        .unwrap();
    let location = answered.headers().get("location").map(|it| it.to_str().unwrap().to_owned());
    location
        .is_some_and(|location| location.starts_with("http://localhost:8000") && location.contains("code="))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_while_it_runs_is_restored_elsewhere_and_signs_in_again() {
    let site = Site::new("");
    let serving = site.serve().await;
    let made = site.run(&["user", "create", "jo@example.com", "--group=k8s-admins", "-o=json"]);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let password = made["password"].as_str().unwrap();
    let preview =
        || site.run(&["token", "preview", "--user=jo@example.com", "--client=k8s OIDC", "-o=json"]).stdout;
    let before: Value = serde_json::from_slice(&preview()).unwrap();
    let client = before["client"].as_str().unwrap();
    let path = |name: &str| site.home.path().join(name).display().to_string();
    let (file, phrase, other) = (path("kubesso.bak"), path("phrase"), path("other"));
    std::fs::write(&phrase, "correct horse battery\n").unwrap();
    std::fs::write(&other, "another horse battery\n").unwrap();
    let from = format!("--passphrase-file={phrase}");
    let saved = site.run(&["backup", "--out", &file, &from]);
    assert!(saved.status.success(), "{}", text(&saved.stderr));
    assert!(text(&saved.stdout).contains("holds directory.db, master.key"), "{}", text(&saved.stdout));
    let again = site.run(&["backup", "--out", &file, &from]);
    assert!(text(&again.stderr).contains("name another file with --out"), "{}", text(&again.stderr));
    let left: Vec<_> = std::fs::read_dir(site.data()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".backup")), "{left:?}");
    let bytes = std::fs::read(&file).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"SQLite" || window == b"jo@exa"), "it is encrypted");
    drop(serving);

    // Into the place of the old one, which is not empty; by another passphrase; from a damaged file.
    let restore = |file: &str, into: &str, phrase: &str| {
        let from = format!("--passphrase-file={phrase}");
        let ended = kubesso(site.home.path(), &["restore", file, "--data-dir", into, &from]);
        (ended.status.success(), text(&ended.stderr))
    };
    let (into, cut) = (path("restored"), path("cut.bak"));
    std::fs::write(&cut, &bytes[..bytes.len() - 1]).unwrap();
    for (file, into, phrase, expected) in [
        (&file, &site.data().display().to_string(), &phrase, "is not empty"),
        (&file, &into, &other, "the passphrase is not right"),
        (&cut, &into, &phrase, "nothing was put in place"),
        (&phrase, &into, &phrase, "it is not a backup of kubesso"),
        (&file, &into, &into, "the passphrase's file"),
    ] {
        let (is_restored, said) = restore(file, into, phrase);
        assert!(!is_restored && said.contains(expected), "{expected}: {said}");
    }
    let unattended = kubesso(site.home.path(), &["restore", &file, "--data-dir", &into]);
    assert!(text(&unattended.stderr).contains("KUBESSO_BACKUP_PASSPHRASE_FILE"));
    assert!(!std::path::Path::new(&into).exists());

    std::fs::create_dir(&into).unwrap();
    let (is_restored, said) = restore(&file, &into, &phrase);
    assert!(is_restored, "{said}");
    let config = std::fs::read_to_string(site.config()).unwrap();
    let config =
        config.replace(&format!("data_dir: {}", site.data().display()), &format!("data_dir: {into}"));
    std::fs::write(site.config(), config).unwrap();
    std::fs::remove_dir_all(site.data()).unwrap();
    let _serving = site.serve().await;
    let discovered = kubesso(
        site.home.path(),
        &["token", "preview", "--user=jo@example.com", "--client", client, "-o=json", "--data-dir", &into],
    );
    let after: Value = serde_json::from_slice(&discovered.stdout).unwrap();
    assert_eq!(after["id_token"]["sub"], before["id_token"]["sub"]);
    let server = server_id(&site, &into);
    assert!(signs_in(&site, client, &server, "jo@example.com", password).await);
    assert!(!signs_in(&site, client, &server, "jo@example.com", "wrong").await);
}

/// The id of the authorization server, as a preview writes it into the issuer.
fn server_id(site: &Site, data: &str) -> String {
    let base_url = format!("--base-url={}", site.url(""));
    let arguments =
        ["token", "preview", "--user=jo@example.com", "--client=k8s OIDC", "-o=json", "--data-dir"];
    let seen = kubesso(site.home.path(), &[&arguments[..], &[data, &base_url]].concat());
    let seen: Value = serde_json::from_slice(&seen.stdout).unwrap();
    seen["issuer"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}
