//! The system log: found by words and filters, and polled without a gap.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use kubesso_directory::{AuditEvent, AuditEventId, Change, Outcome};
use serde_json::{Map, Value, json};

use crate::house::{ORIGIN, Org};

const LOGS: &str = "/api/v1/logs";

async fn group(org: &Org, name: &str) -> Value {
    org.post("/api/v1/groups", json!({ "profile": { "name": name } })).await.expect(200)
}

async fn failed_sign_in(org: &Org, user: &str) {
    let event = AuditEvent {
        id: AuditEventId::generate(&*org.entropy),
        published: org.now(),
        event_type: "user.session.start".to_owned(),
        actor: user.to_owned(),
        target: None,
        outcome: Outcome::Failure,
        message: "The password is wrong".to_owned(),
        details: Map::from_iter([("address".to_owned(), json!("192.0.2.1"))]),
    };
    org.commit(vec![Change::Audit(event)]).await;
}

fn uuids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|event| event["uuid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_entry_says_who_did_what_to_whom_and_how() {
    let org = Org::new().await;
    let made = group(&org, "k8s").await;
    failed_sign_in(&org, "00uada").await;
    let log = org.get(LOGS).await.expect(200);
    let of =
        |kind: &str| log.as_array().unwrap().iter().find(|event| event["eventType"] == kind).unwrap().clone();
    let create = of("group.lifecycle.create");
    assert_eq!(create["published"], "2026-11-22T12:00:00.000Z");
    assert_eq!((&create["severity"], &create["outcome"]["result"]), (&json!("INFO"), &json!("SUCCESS")));
    assert_eq!(
        (&create["actor"]["type"], &create["actor"]["displayName"]),
        (&json!("ApiToken"), &json!("API token terraform"))
    );
    let target = json!([{ "id": made["id"], "type": "UserGroup", "displayName": "k8s" }]);
    assert_eq!(create["target"], target);
    let failed = of("user.session.start");
    assert_eq!(
        (&failed["severity"], &failed["outcome"]["reason"]),
        (&json!("WARN"), &json!("The password is wrong"))
    );
    assert_eq!(
        (&failed["actor"]["type"], &failed["client"]["ipAddress"]),
        (&json!("User"), &json!("192.0.2.1"))
    );
    assert_eq!(failed["request"]["ipChain"][0]["ip"], "192.0.2.1");
}

#[tokio::test]
async fn entries_are_found_by_time_words_and_filters() {
    let org = Org::new().await;
    group(&org, "Kubernetes admins").await;
    org.clock.advance(SignedDuration::from_hours(1));
    let wiki = group(&org, "wiki").await;
    org.delete(&format!("/api/v1/groups/{}", wiki["id"].as_str().unwrap())).await.expect(204);
    org.clock.advance(SignedDuration::from_hours(1));
    failed_sign_in(&org, "00uada").await;
    let target = format!("filter=target.id eq \"{}\"", wiki["id"].as_str().unwrap());
    let cases = [
        ("", 4),
        ("since=2026-11-22T12:30:00Z", 3),
        ("since=2026-11-22T12:30:00Z&until=2026-11-22T13:30:00Z", 2),
        ("until=2026-11-22T12:00:00Z", 0),
        ("q=kubernetes", 1),
        ("q=ADMINS kubernetes", 1),
        ("q=kubernetes wiki", 0),
        ("filter=eventType eq \"group.lifecycle.create\"", 2),
        ("filter=eventType sw \"group.\" and outcome.result eq \"SUCCESS\"", 3),
        ("filter=outcome.result eq \"FAILURE\"", 1),
        ("filter=actor.id eq \"00uada\"", 1),
        (&target, 2),
    ];
    for (query, number) in cases {
        let query = query.replace(' ', "%20").replace('"', "%22");
        let found = org.get(&format!("{LOGS}?{query}")).await.expect(200);
        assert_eq!(found.as_array().unwrap().len(), number, "{query}: {found}");
    }
    org.clock.advance(SignedDuration::from_hours(24 * 7));
    assert_eq!(org.get(LOGS).await.expect(200), json!([]), "without since, seven days");
    let latest = org.get(&format!("{LOGS}?since=2026-11-22T00:00:00Z&sortOrder=DESCENDING&limit=1")).await;
    assert_eq!(latest.links("next").len(), 1);
    assert_eq!(latest.expect(200)[0]["eventType"], "user.session.start");
    let wrong = [
        "since=yesterday",
        "until=x",
        "since=2026-11-23T00:00:00Z&until=2026-11-22T00:00:00Z",
        "sortOrder=UP",
        "filter=x",
        "limit=0",
        "after=x",
        "after=1_a%20b",
        "q=1%202%203%204%205%206%207%208%209%2010%2011",
    ];
    for wrong in wrong {
        org.get(&format!("{LOGS}?{wrong}")).await.refused(400, "E0000001", "");
    }
}

#[tokio::test]
async fn a_bounded_question_ends_and_has_everything_once() {
    let org = Org::new().await;
    for number in 0..7 {
        group(&org, &format!("group{number}")).await;
    }
    for order in ["ASCENDING", "DESCENDING"] {
        let mut found = Vec::new();
        let mut next = Some(format!("{LOGS}?until=2026-11-22T13:00:00Z&limit=3&sortOrder={order}"));
        while let Some(path) = next {
            let answer = org.get(path.trim_start_matches(ORIGIN)).await;
            next = answer.links("next").pop();
            found.extend(uuids(&answer.expect(200)));
        }
        assert_eq!((found.len(), found.into_iter().collect::<BTreeSet<_>>().len()), (7, 7), "{order}");
    }
}

#[tokio::test]
async fn whoever_polls_by_the_next_link_sees_everything_once() {
    let org = Org::new().await;
    let (mut found, mut number) = (Vec::new(), 0);
    let mut next = format!("{LOGS}?limit=4");
    for round in 0..40 {
        // More than a page in some rounds, nothing in others; most in one and the same moment.
        for _ in 0..(round * 7) % 6 {
            group(&org, &format!("group{number}")).await;
            number += 1;
        }
        if round % 5 == 0 {
            org.clock.advance(SignedDuration::from_millis(700));
        }
        let answer = org.get(next.trim_start_matches(ORIGIN)).await;
        next = answer.links("next").pop().unwrap();
        found.extend(uuids(&answer.expect(200)));
    }
    org.clock.advance(SignedDuration::from_secs(5));
    for _ in 0..40 {
        let answer = org.get(next.trim_start_matches(ORIGIN)).await;
        next = answer.links("next").pop().unwrap();
        found.extend(uuids(&answer.expect(200)));
    }
    assert_eq!(found.len(), number);
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>().len(), number);
    assert!(next.len() < 200, "nothing is remembered that has settled: {next}");
}

#[tokio::test]
async fn an_entry_that_is_written_late_is_not_missed() {
    let org = Org::new().await;
    let before = org.now();
    org.clock.advance(SignedDuration::from_millis(500));
    group(&org, "first").await;
    let first = org.get(LOGS).await;
    let next = first.links("next").pop().unwrap();
    assert_eq!(uuids(&first.expect(200)).len(), 1);
    let late = AuditEvent {
        id: AuditEventId::generate(&*org.entropy),
        published: before,
        event_type: "late".to_owned(),
        actor: "somebody".to_owned(),
        target: None,
        outcome: Outcome::Success,
        message: "Written late".to_owned(),
        details: Map::new(),
    };
    org.commit(vec![Change::Audit(late)]).await;
    let second = org.get(next.trim_start_matches(ORIGIN)).await.expect(200);
    assert_eq!(second.as_array().unwrap().len(), 1);
    assert_eq!(second[0]["eventType"], "late");
}
