//! `kubesso keys`: rotation, revocation, and keys that move.

use serde_json::Value;

use crate::served::Site;
use crate::text;

/// Kid, algorithm and state of the keys of the one authorization server that people made.
fn listed(site: &Site) -> Vec<(String, String, String)> {
    let keys: Value = serde_json::from_slice(&site.run(&["keys", "list", "-o=json"]).stdout).unwrap();
    let word = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
    let keys = keys
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| word(key, "authorization_server") != "kubesso management");
    keys.map(|key| (word(key, "kid"), word(key, "algorithm"), word(key, "state"))).collect()
}

fn states(site: &Site) -> Vec<(String, String)> {
    listed(site).into_iter().map(|(_, algorithm, state)| (algorithm, state)).collect()
}

fn pair(algorithm: &str, state: &str) -> (String, String) {
    (algorithm.to_owned(), state.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_change_their_algorithm_are_revoked_and_move_to_another_installation() {
    let site = Site::new("");
    drop(site.serve().await);
    assert_eq!(states(&site), [pair("RS256", "active")]);
    let published = site.run(&["keys", "rotate", "--algorithm=ES256", "--publish-only"]);
    let said = text(&published.stderr);
    assert!(published.status.success() && said.contains("--oidc-signing-algs=RS256,ES256"), "{said}");
    assert_eq!(states(&site), [pair("RS256", "active"), pair("ES256", "pending")]);
    let at_once = site.run(&["keys", "rotate", "--danger-at-once"]);
    assert!(at_once.status.success(), "{}", text(&at_once.stderr));
    assert_eq!(states(&site), [pair("RS256", "retiring"), pair("ES256", "active")]);

    let path = |name: &str| site.home.path().join(name).display().to_string();
    std::fs::write(path("phrase"), "correct horse battery\n").unwrap();
    let phrase = format!("--passphrase-file={}", path("phrase"));
    let out = format!("--out={}", path("keys.sealed"));
    let exported = site.run(&["keys", "export", &out, &phrase]);
    assert!(exported.status.success(), "{}", text(&exported.stderr));
    let public = text(&site.run(&["keys", "export", "--public"]).stdout);
    let public: Value = serde_json::from_str(&public).unwrap();
    assert_eq!(public["keys"].as_array().unwrap().len(), 2);
    assert!(!public.to_string().contains("\"d\""));
    let (active, ..) = listed(&site).into_iter().find(|(_, _, state)| state == "active").unwrap();

    let other = Site::new("");
    drop(other.serve().await);
    let imported = other.run(&["keys", "import", &path("keys.sealed"), &phrase]);
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    let pending = (active.clone(), "ES256".to_owned(), "pending".to_owned());
    assert!(listed(&other).contains(&pending), "{:?}", listed(&other));
    let again = other.run(&["keys", "import", &path("keys.sealed"), &phrase]);
    assert!(text(&again.stderr).contains("is here already"), "{}", text(&again.stderr));

    let asked = site.run(&["keys", "revoke", &active]);
    let said = text(&asked.stderr);
    assert!(
        !asked.status.success() && said.contains("is refused, here at once") && said.contains("--yes"),
        "{said}"
    );
    assert!(
        listed(&site).iter().any(|(kid, _, state)| *kid == active && state == "active"),
        "nothing was changed"
    );
    assert!(site.run(&["keys", "revoke", &active, "--yes"]).status.success());
    let keys = listed(&site);
    assert!(keys.iter().any(|(kid, _, state)| *kid == active && state == "revoked"), "{keys:?}");
    assert_eq!(keys.iter().filter(|(_, _, state)| state == "active").count(), 1);
    for (arguments, expected) in [
        (&["keys", "revoke", "nokey", "--yes"][..], "there is no signing key nokey"),
        (&["keys", "revoke", &active, "--yes"], "is revoked since"),
        (&["keys", "import", &path("phrase")], "holds no usable key"),
        (&["keys", "import", &path("keys.sealed"), &phrase], "revoked"),
        (&["keys", "rotate", "--algorithm=HS256"], "HS256"),
        (
            &["keys", "export", "--public", "--authorization-server=none"],
            "there is no authorization server none",
        ),
    ] {
        let refused = site.run(arguments);
        let said = text(&refused.stderr);
        assert!(!refused.status.success() && said.contains(expected), "{arguments:?}: {said}");
    }
    let trail = text(&site.run(&["audit", "list"]).stdout);
    for event in ["oauth2.as.key.algorithm", "oauth2.as.key.export", "oauth2.as.key.revoke"] {
        assert!(trail.contains(event), "{event}: {trail}");
    }
}
