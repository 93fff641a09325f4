//! A whole apply of the tutorial's ten resources: the requests that Terraform with Okta's provider 6.12.0 really sent
//! (`tests/data/terraform.jsonl`), one after the other, with our ids in the place of the recording's.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::house::House;
use crate::times::Times;

/// A request of the recording. Equal answers stand there once.
#[derive(Debug, Deserialize)]
struct Recorded {
    step: String,
    method: String,
    path: String,
    #[serde(default)]
    query: BTreeMap<String, String>,
    body: Option<Value>,
    status: u16,
    answer: Option<Value>,
    answer_of_line: Option<usize>,
}

/// What came out.
pub(crate) struct Applied {
    requests: usize,
    /// The server's part, all requests together.
    pub(crate) times: Times,
}

impl Applied {
    pub(crate) fn name(&self) -> String {
        format!("an apply of ten resources, its {} requests together", self.requests)
    }
}

/// Applies and destroys, again and again; only the applies count.
pub(crate) async fn measure(house: &House, rounds: usize) -> Result<Applied> {
    let recording = recording()?;
    let apply: Vec<_> = recording.iter().filter(|recorded| recorded.step == "6.12.0 apply").collect();
    let destroy: Vec<_> = recording
        .iter()
        .filter(|recorded| recorded.step == "6.12.0 destroy" && recorded.method != "GET")
        .collect();
    let mut times = Vec::with_capacity(rounds);
    for round in 0..=rounds {
        house.keys.make()?;
        let mut names = Names::default();
        let time = replay(house, &apply, &mut names).await?;
        replay(house, &destroy, &mut names).await?;
        // The first prepares statements.
        if round > 0 {
            times.push(time);
        }
    }
    Ok(Applied { requests: apply.len(), times: Times::new(times) })
}

fn recording() -> Result<Vec<Recorded>> {
    let text = include_str!("../../tests/data/terraform.jsonl");
    let mut all: Vec<Recorded> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    for at in 0..all.len() {
        if let Some(line) = all[at].answer_of_line {
            all[at].answer = line.checked_sub(1).and_then(|line| all.get(line)?.answer.clone());
        }
    }
    Ok(all)
}

async fn replay(house: &House, requests: &[&Recorded], names: &mut Names) -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for recorded in requests {
        let mut path = names.ours(&recorded.path);
        if !recorded.query.is_empty() {
            let pairs = recorded.query.iter().map(|(name, value)| (name, names.ours(value)));
            let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            path = format!("{path}?{query}");
        }
        let body = recorded.body.as_ref().map(|body| names.ours(&body.to_string()));
        let body: Option<Value> = body.map(|body| serde_json::from_str(&body)).transpose()?;
        let answer = house.call(&recorded.method, &path, body.as_ref()).await?;
        sum += answer.time;
        let answer = answer.expect(recorded.status).with_context(|| format!("{} {path}", recorded.method))?;
        if let Some(expected) = &recorded.answer {
            names.learn(expected, &answer.body);
        }
    }
    ensure!(!requests.is_empty(), "the recording has no such step");
    Ok(sum)
}

/// What the recording's ids are here.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    /// A text of the recording with our ids.
    fn ours(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (recorded, ours)| text.replace(recorded.as_str(), ours))
    }

    /// Learns which of our ids stands for which of the recording's, by their places.
    fn learn(&mut self, recorded: &Value, ours: &Value) {
        match (recorded, ours) {
            (Value::Object(recorded), Value::Object(ours)) => {
                for (name, recorded) in recorded {
                    ours.get(name).into_iter().for_each(|ours| self.learn(recorded, ours));
                }
            }
            (Value::Array(recorded), Value::Array(ours)) => {
                recorded.iter().zip(ours).for_each(|(recorded, ours)| self.learn(recorded, ours));
            }
            (Value::String(recorded), Value::String(ours)) if is_id(recorded) && is_id(ours) => {
                self.0.entry(recorded.clone()).or_insert_with(|| ours.clone());
            }
            _ => {}
        }
    }
}

/// Twenty letters and digits with a prefix of Okta's.
fn is_id(text: &str) -> bool {
    let prefixes = ["00u", "00g", "0oa", "aus", "ocl", "00p", "0pr", "rst"];
    text.len() == 20
        && prefixes.iter().any(|prefix| text.starts_with(prefix))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
