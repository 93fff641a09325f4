//! `kubesso up --tour`: everybody signs in through the real pages and the real plugin, calls the cluster, and what
//! they may do is compared with what they should.
//!
//! Passwords are known at the first start only. At a later one the tour signs in stand-ins: people of its own, in the
//! same groups and with the same assignment, who are taken away afterwards.

mod expectation;
mod form_browser;
mod people;
mod sign_in;

use std::process::ExitCode;

use kubesso_https::{Timeouts, Trust, client};
use serde::Serialize;

use crate::args::OutputFormat;
use crate::environment;
use crate::error::CommandError;
use crate::output;
use crate::tour::expectation::{Answer, Expectation, QUESTIONS, expectation};
use crate::tour::people::Traveller;
use crate::tour::sign_in::SignIn;
use crate::up::{Colour, Running};

/// What one person met on the tour.
#[derive(Debug, Serialize)]
struct Journey {
    person: String,
    /// The plugin's one-line refusal; none when it gave a token.
    refused: Option<String>,
    /// One for each question, in order; empty without a token.
    answers: Vec<Answered>,
    differences: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Answered {
    question: &'static str,
    allowed: bool,
    /// The binding that says so, in the cluster's words; empty when none does.
    reason: String,
}

/// Walks the tour and prints it. The exit code says whether all is as it should be.
pub(crate) async fn run(running: &Running, format: OutputFormat) -> Result<ExitCode, CommandError> {
    let travellers = people::travellers(running).await?;
    let mut journeys = Vec::new();
    let mut failed = None;
    for traveller in travellers.all() {
        match walk(running, traveller).await {
            Ok(journey) => journeys.push(journey),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    travellers.leave().await?;
    if let Some(error) = failed {
        return Err(error);
    }
    output::print(format, &journeys, || screen(running, &journeys, environment::colour()))?;
    let is_as_it_should_be = journeys.iter().all(|journey| journey.differences.is_empty());
    Ok(if is_as_it_should_be { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn walk(running: &Running, traveller: &Traveller) -> Result<Journey, CommandError> {
    let expected = expectation(traveller.role);
    let mut journey = Journey {
        person: traveller.email.clone(),
        refused: None,
        answers: Vec::new(),
        differences: Vec::new(),
    };
    let token = match sign_in::through_the_plugin(running, &traveller.credentials).await? {
        SignIn::Token(token) => token,
        SignIn::Refused(message) => {
            journey.differences.extend(expected.difference_when_refused(&message));
            journey.refused = Some(message);
            return Ok(journey);
        }
    };
    if expected == Expectation::Refused {
        journey.differences.push("signed in, but should be refused".to_owned());
    }
    let trust = Trust::Only(running.authority_pem().to_owned());
    let http =
        client(&trust, Timeouts::default()).map_err(|e| CommandError::because("the tour cannot call", &e))?;
    for question in &QUESTIONS {
        let Answer { allowed, reason } = question.ask(&http, &running.facts().cluster, &token).await?;
        journey.differences.extend(expected.difference(question, allowed));
        journey.answers.push(Answered { question: question.name, allowed, reason });
    }
    Ok(journey)
}

fn screen(running: &Running, journeys: &[Journey], colour: Colour) -> String {
    let mut lines = vec![String::new(), format!("  {}", colour.bold("kubesso tour")), String::new()];
    let headings: Vec<&str> =
        ["PERSON", "SIGNS IN"].into_iter().chain(QUESTIONS.iter().map(|question| question.heading)).collect();
    let rows = journeys.iter().map(|journey| {
        let answers = journey.answers.iter().map(|answer| said(answer.allowed).to_owned());
        let nothing = (journey.answers.len()..QUESTIONS.len()).map(|_| "–".to_owned());
        [journey.person.clone(), said(journey.refused.is_none()).to_owned()]
            .into_iter()
            .chain(answers)
            .chain(nothing)
            .collect()
    });
    lines.extend(output::table(&headings, rows).lines().map(|line| format!("  {line}")));
    lines.push(format!("\n  {}\n", colour.bold("Because")));
    for journey in journeys {
        lines.push(format!("  {}", journey.person));
        if let Some(refused) = &journey.refused {
            lines.push(format!("    {refused}"));
            continue;
        }
        let mut reasons: Vec<&str> = journey
            .answers
            .iter()
            .map(|answer| answer.reason.as_str())
            .filter(|reason| !reason.is_empty())
            .collect();
        reasons.sort_unstable();
        reasons.dedup();
        match reasons.as_slice() {
            [] => lines.push("    no binding allows any of it".to_owned()),
            reasons => lines.extend(reasons.iter().map(|reason| format!("    {reason}"))),
        }
    }
    let differences: Vec<String> = journeys
        .iter()
        .flat_map(|journey| {
            journey.differences.iter().map(move |text| format!("  {}: {text}", journey.person))
        })
        .collect();
    lines.push(String::new());
    if differences.is_empty() {
        let checks = journeys.iter().map(|journey| 1 + journey.answers.len()).sum::<usize>();
        let verdict = format!("all {checks} as they should be");
        let issuer = running.facts().registration.as_ref().map_or("", |one| one.issuer.as_str());
        lines.push(format!("  {}  {}", colour.good(&verdict), colour.faint(issuer)));
    } else {
        lines.push(format!("  {}", colour.bad("not as it should be")));
        lines.extend(differences);
    }
    lines.join("\n")
}

fn said(allowed: bool) -> &'static str {
    if allowed { "yes" } else { "no" }
}
