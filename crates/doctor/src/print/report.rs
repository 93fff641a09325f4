//! The report of the checks, for people.

use std::fmt::Write as _;

use super::{INDENT, Paint, field, heading, paragraph, write_pair};
use crate::examination::{Access, Checked, Diagnosis, Outcome, Report};
use crate::verdict::Severity;

/// What the checks said: the verdict, each finding, and what was not looked at. `all` shows what passed too.
pub fn report(report: &Report, all: bool, paint: Paint) -> String {
    let colour = |text: &str| if report.well { paint.green(text) } else { paint.red(text) };
    let mut page = format!("{}\n", paint.bold(&colour(&report.verdict)));
    if let Some(identity) = &report.identity {
        let groups = if identity.groups.is_empty() { "none".to_owned() } else { identity.groups.join(", ") };
        let how =
            if identity.verified { "checked as the API server checks it" } else { "by the claims alone" };
        page.push('\n');
        field(&mut page, "user", &identity.username, paint);
        field(&mut page, "groups", &groups, paint);
        field(&mut page, "token", how, paint);
    }
    if let Some(sentence) = &report.log {
        page.push('\n');
        field(&mut page, "log", sentence, paint);
    }
    if !report.hops.is_empty() {
        page.push('\n');
        for hop in &report.hops {
            field(&mut page, "hop", &format!("{}  {}", hop.url, hop.said), paint);
        }
        for hop in &report.echo {
            field(&mut page, "echo", &format!("{}  {}", hop.url, hop.said), paint);
        }
        if let Some(sentence) = report.no_echo {
            field(&mut page, "echo", sentence, paint);
        }
    }
    for (name, lines) in [("settings", &report.looked), ("may", &report.may)] {
        for line in lines {
            field(&mut page, name, line, paint);
        }
    }
    for access in &report.access {
        write_access(&mut page, access, paint);
    }
    for checked in &report.checks {
        if let Outcome::Finding(diagnosis) = &checked.outcome {
            write_diagnosis(&mut page, checked, diagnosis, paint);
        }
    }
    if let Some(sentence) = &report.next_sign_in {
        let _ = write!(page, "\n{}\n", paint.bold("When the person signs in again"));
        paragraph(&mut page, INDENT, sentence);
    }
    if !report.expressions.is_empty() {
        let _ = write!(page, "\n{}\n", paint.bold("Not looked at"));
        paragraph(
            &mut page,
            INDENT,
            &format!(
                "What these expressions of CEL say, the doctor does not evaluate yet: {}",
                report.expressions.join(", ")
            ),
        );
    }
    if all {
        write_all(&mut page, report, paint);
    } else {
        write_rest(&mut page, report, paint);
    }
    page
}

/// What is listed of a long list.
const SHOWN: usize = 5;

fn write_access(page: &mut String, access: &Access, paint: Paint) {
    page.push('\n');
    field(page, "question", &format!("may {} {}?", access.user, access.question), paint);
    let groups = if access.groups.is_empty() { "none".to_owned() } else { access.groups.join(", ") };
    field(page, "groups", &format!("{groups} ({})", access.known), paint);
    let answer = match access.allowed {
        Some(true) => "yes",
        Some(false) => "no",
        None => {
            "not known; give roles and bindings (--rbac), or a context that may read them (--admin-context)"
        }
    };
    field(page, "answer", answer, paint);
    if let Some(by) = &access.by {
        field(page, "by", by, paint);
    }
    if let Some(said) = &access.api_server {
        field(page, "API server", said, paint);
    }
    for (name, lines) in [("near", &access.near), ("who may", &access.others)] {
        for line in lines.iter().take(SHOWN) {
            field(page, name, line, paint);
        }
        if lines.len() > SHOWN {
            field(page, name, &format!("and {} more (-o json shows all)", lines.len() - SHOWN), paint);
        }
    }
}

fn write_diagnosis(page: &mut String, checked: &Checked, diagnosis: &Diagnosis, paint: Paint) {
    heading(page, &checked.id.to_string(), checked.title, paint);
    field(page, diagnosis.severity.name(), &diagnosis.said, paint);
    write_pair(page, diagnosis.pair.as_ref(), paint);
    if let Some(words) = &diagnosis.upstream {
        field(page, "log", words, paint);
    }
    if diagnosis.severity == Severity::Note {
        return;
    }
    field(page, "cause", diagnosis.cause, paint);
    field(page, "why", diagnosis.why, paint);
    for mend in &diagnosis.mend {
        field(page, "mend", &format!("{}: {}", mend.at, mend.line), paint);
    }
    field(page, "retest", &diagnosis.retest, paint);
}

fn write_all(page: &mut String, report: &Report, paint: Paint) {
    let _ = write!(page, "\n{}\n", paint.bold("All checks"));
    for checked in &report.checks {
        let (mark, said) = match &checked.outcome {
            Outcome::Pass { compared } => (paint.green("pass"), compared.clone()),
            Outcome::NotLookedAt { missing } => (paint.dim("-   "), format!("needs {missing}")),
            Outcome::Finding(_) => continue,
        };
        let _ = writeln!(page, "{INDENT}{}  {mark}  {said}", checked.id);
    }
}

/// How many passed, and what was missing for the others, the most wanted first.
fn write_rest(page: &mut String, report: &Report, paint: Paint) {
    let passed = report.checks.iter().filter(|it| matches!(it.outcome, Outcome::Pass { .. })).count();
    let mut missing: Vec<(&str, usize)> = Vec::new();
    for checked in &report.checks {
        if let Outcome::NotLookedAt { missing: what } = checked.outcome {
            match missing.iter_mut().find(|(known, _)| *known == what) {
                Some((_, times)) => *times += 1,
                None => missing.push((what, 1)),
            }
        }
    }
    missing.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    let not = missing.iter().map(|(_, times)| times).sum::<usize>();
    let _ = write!(
        page,
        "\n{}\n",
        paint.dim(&format!("{passed} checks passed, {not} were not made (--all shows them)."))
    );
    for (what, times) in missing.iter().filter(|(what, _)| what.contains("--")) {
        let _ = writeln!(page, "{INDENT}{}", paint.dim(&format!("{times} more with {what}")));
    }
}
