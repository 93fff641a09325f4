//! Every case of the tables is decided here and by kube-apiserver's own code (`tests/peers/kubernetes/oidc-oracle`): user,
//! groups, extra, the text of every error, and how often the provider was asked must be equal.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use kubesso_ambient::ManualClock;
use kubesso_authn::{OidcAuthenticator, OidcConfig, OidcOptions};
use serde_json::{Value, json};

use crate::cases;
use crate::table::{Case, Compared, NOW, Table};

#[tokio::test]
async fn same_decision_as_upstream() {
    let Some(oracle) = oracle() else {
        println!("skipped: no peers (KUBESSO_PEERS_DIR); run cargo xtask test");
        return;
    };
    let cases = cases::all();
    let directory = tempfile::tempdir().unwrap();
    let questions: String = cases
        .iter()
        .enumerate()
        .map(|(number, case)| question(case, &directory.path().join(number.to_string())).to_string() + "\n")
        .collect();
    let theirs = tokio::task::spawn_blocking(move || ask(&oracle, &questions)).await.unwrap();
    assert_eq!(theirs.len(), cases.len());

    let mut differences = Vec::new();
    let mut compared = 0;
    for (case, theirs) in cases.iter().zip(&theirs) {
        let ours = decide(case).await;
        for member in ["startError", "healthError", "fetches"] {
            let matters = match case.compared {
                Compared::Everything => true,
                Compared::AllButFetches => member != "fetches",
                Compared::Start => member == "startError",
            };
            if matters && ours[member] != theirs[member] {
                differences.push(format!(
                    "{}: {member}\n  ours   {}\n  theirs {}",
                    case.name, ours[member], theirs[member]
                ));
            }
        }
        compared += case.tokens.len().max(1);
        for (number, token) in case.tokens.iter().enumerate() {
            let (ours, theirs) = (&ours["results"][number], &theirs["results"][number]);
            let agreed = match token.we_say {
                None => ours == theirs,
                Some(error) => ours["error"] == json!(error) && theirs["kind"] == "user",
            };
            if !agreed {
                differences
                    .push(format!("{}: {}\n  ours   {ours}\n  theirs {theirs}", case.name, token.name));
            }
        }
    }
    println!("{compared} decisions compared with upstream's");
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    assert!(compared >= 3_000, "the tables have shrunk to {compared}");
}

#[expect(clippy::disallowed_methods, reason = "the peers are where the environment says")]
pub(crate) fn oracle() -> Option<PathBuf> {
    let directory = std::env::var_os("KUBESSO_PEERS_DIR")?;
    Some(PathBuf::from(directory).join("oidc-oracle"))
}

/// Runs the oracle once for all questions.
pub(crate) fn ask(oracle: &Path, questions: &str) -> Vec<Value> {
    let mut process = Command::new(oracle)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", oracle.display()));
    let mut input = process.stdin.take().unwrap();
    let questions = questions.to_owned();
    let writer = std::thread::spawn(move || input.write_all(questions.as_bytes()));
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "the oracle failed: {}", output.status);
    let answers = String::from_utf8(output.stdout).unwrap();
    answers.lines().map(|line| normal(serde_json::from_str(line).unwrap())).collect()
}

/// Members that Go leaves out or writes as null, in one form.
fn normal(mut answer: Value) -> Value {
    for result in answer.get_mut("results").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(user) = result.get_mut("user").and_then(Value::as_object_mut) {
            if user["groups"].is_null() {
                user.insert("groups".to_owned(), json!([]));
            }
            if user["extra"].is_null() {
                user.insert("extra".to_owned(), json!({}));
            }
        }
    }
    answer
}

fn question(case: &Case, ca_file: &Path) -> Value {
    let responses: serde_json::Map<String, Value> = case
        .provider
        .iter()
        .map(|(url, response)| {
            let response =
                json!({"status": response.status, "headers": response.headers, "body": response.body});
            (url.clone(), response)
        })
        .collect();
    let tokens: Vec<&str> = case.tokens.iter().map(|token| token.text.as_str()).collect();
    json!({"args": arguments(&case.options, ca_file), "responses": responses, "now": NOW, "tokens": tokens})
}

/// The options as a command line of kube-apiserver.
fn arguments(options: &OidcOptions, ca_file: &Path) -> Vec<String> {
    let mut arguments = vec![
        format!("--oidc-issuer-url={}", options.issuer_url),
        format!("--oidc-client-id={}", options.client_id),
        format!("--oidc-username-claim={}", options.username_claim),
        format!("--oidc-signing-algs={}", options.signing_algs.join(",")),
    ];
    if let Some(pem) = &options.ca_pem {
        std::fs::write(ca_file, pem).unwrap();
        arguments.push(format!("--oidc-ca-file={}", ca_file.display()));
    }
    let optional = [
        ("username-prefix", &options.username_prefix),
        ("groups-claim", &options.groups_claim),
        ("groups-prefix", &options.groups_prefix),
    ];
    for (flag, value) in optional {
        arguments.extend(value.as_ref().map(|value| format!("--oidc-{flag}={value}")));
    }
    for (claim, value) in &options.required_claims {
        arguments.push(format!("--oidc-required-claim={claim}={value}"));
    }
    arguments
}

/// Our answer, in the oracle's form.
async fn decide(case: &Case) -> Value {
    let config = match OidcConfig::new(case.options.clone()) {
        Ok(config) => config,
        Err(error) => return json!({"startError": error.to_string()}),
    };
    let provider = Arc::new(Table::new(case.provider.clone()));
    let clock = Arc::new(ManualClock::at(NOW.parse().unwrap()));
    let authenticator = OidcAuthenticator::start_with(config, clock, Arc::clone(&provider) as _);
    let health = authenticator.first_attempt().await;
    let mut results = Vec::new();
    for token in &case.tokens {
        let mut outcome = authenticator.authenticate(&token.text).await;
        // The verifier of a distributed claim's issuer is set up in the background; nothing here waits for anything else.
        for _ in 0..1_000 {
            if !matches!(&outcome, Err(error) if error.to_string().contains("verifier not initialized")) {
                break;
            }
            tokio::task::yield_now().await;
            outcome = authenticator.authenticate(&token.text).await;
        }
        results.push(match outcome {
            Ok(Some(user)) => json!({"kind": "user", "user": {
                "username": user.username, "uid": user.uid, "groups": user.groups, "extra": user.extra
            }}),
            Ok(None) => json!({"kind": "ignored"}),
            Err(error) => json!({"kind": "error", "error": error.to_string()}),
        });
    }
    let mut answer = json!({"fetches": provider.fetches()});
    if !results.is_empty() {
        answer["results"] = results.into();
    }
    if let Err(error) = health {
        answer["healthError"] = json!(error);
    }
    answer
}
