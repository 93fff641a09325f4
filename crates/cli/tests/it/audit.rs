//! `kubesso audit`, and the log that a server appends to.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::served::Site;
use crate::text;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_is_listed_exported_and_appended_once() {
    let site = Site::new("");
    let log = site.home.path().join("audit.jsonl");
    let config = std::fs::read_to_string(site.config()).unwrap();
    std::fs::write(site.config(), format!("{config}audit_log: {}\n", log.display())).unwrap();
    let serving = site.serve().await;
    for person in ["jo@example.com", "lee@example.com"] {
        let made = site.run(&["user", "create", person]);
        assert!(made.status.success(), "{}", text(&made.stderr));
    }
    let listed = site.run(&["audit", "list", "--user=jo@example.com", "--since=1h", "-o=json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let listed = listed.as_array().unwrap();
    assert!(!listed.is_empty() && listed.iter().all(|entry| entry["target"] == listed[0]["target"]));
    let filter = format!("target.id eq {} and outcome.result eq \"SUCCESS\"", listed[0]["target"]);
    let shown = text(&site.run(&["audit", "list", "--filter", &filter]).stdout);
    assert!(shown.starts_with("TIME") && shown.lines().count() == listed.len() + 1, "{shown}");
    assert_eq!(text(&site.run(&["audit", "list", "--until=1h"]).stdout).lines().count(), 1);

    let exported = text(&site.run(&["audit", "export"]).stdout);
    assert!(exported.lines().count() >= 2);
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::fs::read_to_string(&log).unwrap_or_default() != exported {
        assert!(Instant::now() < deadline, "{}", std::fs::read_to_string(&log).unwrap_or_default());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(serving);
    let _again = site.serve().await;
    let made = site.run(&["user", "create", "kim@example.com"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let exported = text(&site.run(&["audit", "export"]).stdout);
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::fs::read_to_string(&log).unwrap() != exported {
        assert!(Instant::now() < deadline, "{}", std::fs::read_to_string(&log).unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    for (arguments, expected) in [
        (&["audit", "list", "--filter=eventType eq"][..], "--filter"),
        (&["audit", "list", "--since=yesterday"], "how long ago"),
        (&["audit", "list", "--user=nobody@example.com"], "there is nobody with the login"),
    ] {
        let refused = site.run(arguments);
        assert!(!refused.status.success() && text(&refused.stderr).contains(expected), "{arguments:?}");
    }
}
