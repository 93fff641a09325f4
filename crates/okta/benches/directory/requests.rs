//! The requests that are measured, each round about somebody else.

use std::time::Duration;

use anyhow::{Result, ensure};
use kubesso_directory::{Group, User};
use serde_json::{Value, json};

use crate::house::House;
use crate::population::Population;
use crate::times::Times;

/// Rounds that are not counted: the first of them read pages of the file and prepare statements.
const WARM_UP: usize = 5;

/// A kind of request.
pub(crate) struct Measured<'p> {
    pub(crate) name: &'static str,
    method: &'static str,
    /// The path of a round, with its query.
    path: Box<dyn Fn(usize) -> String + 'p>,
    body: Option<Value>,
    status: u16,
    /// How many elements the answer has at least.
    elements: usize,
    /// Whether it is held to the budget of a request.
    pub(crate) has_budget: bool,
}

/// Sends it again and again.
pub(crate) async fn measure(house: &House, request: &Measured<'_>, rounds: usize) -> Result<Times> {
    let mut times: Vec<Duration> = Vec::with_capacity(rounds);
    for round in 0..rounds + WARM_UP {
        let path = (request.path)(round);
        let answer =
            house.call(request.method, &path, request.body.as_ref()).await?.expect(request.status)?;
        let elements = answer.body.as_array().map_or(0, Vec::len);
        ensure!(elements >= request.elements, "{path} has {elements} elements");
        if round >= WARM_UP {
            times.push(answer.time);
        }
    }
    Ok(Times::new(times))
}

/// What is measured.
pub(crate) fn all(people: &Population) -> Vec<Measured<'_>> {
    let user = |round| nth(&people.users, round);
    let group = |round| nth(people.groups.get(1..).unwrap_or_default(), round);
    let crowd = people.groups.first();
    let crowd = move || crowd.map_or("", |group| group.id.as_str());
    // In the middle, each round a little further.
    let middle = move |round: usize| {
        let place = people.users.len() / 2 + round;
        people.users.get(place).map_or("", |user| user.id.as_str())
    };
    let membership =
        move |round| format!("/api/v1/groups/{}/users/{}", group_id(group(round)), user_id(user(round)));
    let prefixes = ["ann", "mar", "jo", "kow", "schm", "zoe", "x", "a"];
    let prefix = move |round: usize| prefixes.get(round % prefixes.len()).copied().unwrap_or_default();
    let groups = ["plat", "sec", "eng", "r"];
    let group_prefix = move |round: usize| groups.get(round % groups.len()).copied().unwrap_or_default();
    vec![
        get("GET /users?limit=200, the first page", 200, |_| "/api/v1/users?limit=200".to_owned()),
        get("GET /users?limit=200, in the middle", 200, move |round| {
            format!("/api/v1/users?limit=200&after={}", middle(round))
        }),
        get("GET /users?search=profile.email eq \"…\"", 1, move |round| {
            search(&format!("profile.email eq \"{}\"", login(user(round))))
        }),
        get("GET /users?search=profile.login sw \"…\"", 1, move |round| {
            search(&format!(
                "profile.login sw \"{}\"",
                login(user(round)).split('@').next().unwrap_or_default()
            ))
        }),
        get("GET /users?search=profile.lastName eq \"…\"", 1, move |round| {
            let name = user(round).and_then(|user| user.profile.last_name.as_deref()).unwrap_or_default();
            search(&format!("profile.lastName eq \"{name}\""))
        }),
        get("GET /users?search=status eq \"SUSPENDED\"", 1, |_| search("status eq \"SUSPENDED\"")),
        get("GET /users?search=status eq \"LOCKED_OUT\", nobody", 0, |_| search("status eq \"LOCKED_OUT\"")),
        get("GET /users?filter=lastUpdated gt \"…\", nobody", 0, |_| {
            "/api/v1/users?filter=lastUpdated+gt+%222099-01-01T00:00:00.000Z%22".to_owned()
        }),
        get("GET /users?search=…&sortBy=profile.lastName", 200, |_| {
            format!("{}&sortBy=profile.lastName", search("status eq \"ACTIVE\""))
        }),
        // An attribute of one's own has no index: everybody is read.
        Measured {
            has_budget: false,
            ..get("GET /users?search=profile.employeeNumber eq \"…\"", 1, |round| {
                search(&format!("profile.employeeNumber eq \"E{round:06}\""))
            })
        },
        get("GET /users?q=…", 1, move |round| format!("/api/v1/users?q={}", prefix(round))),
        get("GET /users/{login}", 0, move |round| format!("/api/v1/users/{}", login(user(round)))),
        get("GET /users/{id}/groups", 1, move |round| {
            format!("/api/v1/users/{}/groups", user_id(user(round)))
        }),
        get("GET /groups?limit=200", 200, |_| "/api/v1/groups?limit=200".to_owned()),
        get("GET /groups?q=…", 1, move |round| format!("/api/v1/groups?q={}", group_prefix(round))),
        get("GET /groups?search=profile.name eq \"…\"", 1, move |round| {
            let name = group(round).map_or("", |group| group.name.as_str());
            format!("/api/v1/groups?search=profile.name+eq+%22{name}%22")
        }),
        get("GET /groups/{id}/users?limit=200, of the large group", 200, move |round| {
            let after = if round % 2 == 0 { String::new() } else { format!("&after={}", middle(round)) };
            format!("/api/v1/groups/{}/users?limit=200{after}", crowd())
        }),
        get("GET /groups/{id}/users?limit=200, of Everyone", 200, move |round| {
            let after = if round % 2 == 0 { String::new() } else { format!("&after={}", middle(round)) };
            format!("/api/v1/groups/{}/users?limit=200{after}", people.everyone)
        }),
        Measured { status: 204, method: "PUT", ..get("PUT /groups/{id}/users/{id}", 0, membership) },
        Measured { status: 204, method: "DELETE", ..get("DELETE /groups/{id}/users/{id}", 0, membership) },
        Measured {
            method: "POST",
            body: Some(json!({ "profile": { "title": "Engineer" } })),
            ..get("POST /users/{id}, the title", 0, move |round| {
                format!("/api/v1/users/{}", user_id(user(round)))
            })
        },
    ]
}

fn get<'p>(name: &'static str, elements: usize, path: impl Fn(usize) -> String + 'p) -> Measured<'p> {
    Measured {
        name,
        method: "GET",
        path: Box::new(path),
        body: None,
        status: 200,
        elements,
        has_budget: true,
    }
}

fn search(filter: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("search", filter).finish();
    format!("/api/v1/users?{query}")
}

/// One of many, far from that of the round before.
fn nth<T>(all: &[T], round: usize) -> Option<&T> {
    all.get(round.wrapping_mul(7919) % all.len().max(1))
}

fn login(user: Option<&User>) -> &str {
    user.map_or("", |user| user.profile.login.as_str())
}

fn user_id(user: Option<&User>) -> &str {
    user.map_or("", |user| user.id.as_str())
}

fn group_id(group: Option<&Group>) -> &str {
    group.map_or("", |group| group.id.as_str())
}
