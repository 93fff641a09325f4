//! `kubesso kubeconfig check`: what is wrong with the kubeconfig, by the doctor's checks and the file's own rules.

use std::fmt::Write as _;
use std::process::ExitCode;

use kubesso_ambient::{Clock as _, SystemClock};
use kubesso_doctor::evidence::{Evidence, KubeconfigEvidence};
use kubesso_doctor::{Outcome, Severity, examine};
use kubesso_kubeconfig::Kubeconfig;
use serde::Serialize;

use super::edited;
use crate::args::KubeconfigCheck;
use crate::environment;
use crate::error::CommandError;
use crate::output;

/// Something to say.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Finding {
    /// `KS049`, where it is a failure that the doctor knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    severity: Severity,
    /// What it is about: `context "prod"`.
    at: String,
    said: String,
    mend: String,
}

pub(super) fn run(command: &KubeconfigCheck) -> Result<ExitCode, CommandError> {
    let locations = environment::kubeconfig_locations(command.kubeconfig.as_deref());
    let kubeconfig = Kubeconfig::load(&locations).map_err(edited)?;
    if kubeconfig.files().is_empty() {
        return Err(CommandError::new("there is no kubeconfig").mend("name one with --kubeconfig"));
    }
    let mut findings = Vec::new();
    if let Some(name) = &command.context {
        kubeconfig.select_context(Some(name)).map_err(edited)?;
        check_context(&kubeconfig, name, &mut findings);
    } else {
        check_files(&kubeconfig, &mut findings);
        for context in kubeconfig.contexts() {
            check_context(&kubeconfig, &context.name, &mut findings);
        }
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    output::print(command.output.format, &findings, || screen(&findings, &kubeconfig))?;
    let is_wrong = findings.iter().any(|finding| finding.severity == Severity::Error);
    Ok(if is_wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn check_context(kubeconfig: &Kubeconfig, name: &str, findings: &mut Vec<Finding>) {
    let at = format!("context {name:?}");
    let Some(context) = kubeconfig.context(name) else { return };
    if kubeconfig.cluster(&context.value.cluster).is_none() {
        findings.push(Finding {
            id: None,
            severity: Severity::Error,
            at: at.clone(),
            said: format!("there is no cluster {:?}", context.value.cluster),
            mend: format!("kubectl config set-context {name:?} --cluster=NAME"),
        });
    }
    let Ok(mut evidence) = KubeconfigEvidence::read(kubeconfig, Some(name)) else { return };
    evidence.look_for_programs(environment::is_a_program);
    let mut all = Evidence::new(SystemClock.now());
    all.kubeconfig = Some(evidence);
    for checked in examine(&all).checks {
        let Outcome::Finding(diagnosis) = checked.outcome else { continue };
        let mend = diagnosis
            .mend
            .first()
            .map_or_else(|| diagnosis.retest.clone(), |mend| format!("{}: {}", mend.at, mend.line));
        let (id, severity, said) = (Some(checked.id.to_string()), diagnosis.severity, diagnosis.said);
        findings.push(Finding { id, severity, at: at.clone(), said, mend });
    }
}

fn check_files(kubeconfig: &Kubeconfig, findings: &mut Vec<Finding>) {
    let warning = |at: String, said: String, mend: String| Finding {
        id: None,
        severity: Severity::Warning,
        at,
        said,
        mend,
    };
    match kubeconfig.current_context() {
        Some(name) if kubeconfig.context(name).is_none() => findings.push(Finding {
            id: None,
            severity: Severity::Error,
            at: "current-context".to_owned(),
            said: format!("there is no context {name:?}"),
            mend: "kubectl config use-context NAME".to_owned(),
        }),
        _ => {}
    }
    let has_secret = kubeconfig.users().iter().filter(|entry| holds_secret(&entry.value));
    let mut files: Vec<_> = has_secret.map(|entry| entry.file.clone()).collect();
    files.sort();
    files.dedup();
    for file in files {
        if kubesso_kubeconfig::is_readable_by_others(&file) {
            let shown = file.display();
            findings.push(warning(
                shown.to_string(),
                "it holds secrets, and others on this machine can read it".to_owned(),
                format!("chmod 600 {shown}"),
            ));
        }
    }
    for user in kubeconfig.users() {
        if let Some(flag) = secret_flag(&user.value) {
            findings.push(warning(
                format!("user {:?}", user.name),
                format!("a secret stands in the file, behind {flag}"),
                "kubesso kubeconfig migrate".to_owned(),
            ));
        }
    }
}

fn secret_flag(user: &kubesso_k8s_types::kubeconfig::User) -> Option<&str> {
    let words = user.exec.iter().flat_map(|exec| &exec.args);
    words
        .map(|word| word.split_once('=').map_or(word.as_str(), |(flag, _)| flag))
        .find(|flag| kubesso_kubeconfig::is_secret_flag(flag))
}

fn holds_secret(user: &kubesso_k8s_types::kubeconfig::User) -> bool {
    !user.token.is_empty()
        || !user.password.is_empty()
        || !user.client_key_data.is_empty()
        || secret_flag(user).is_some()
        || user.auth_provider.as_ref().is_some_and(|provider| {
            ["client-secret", "id-token", "refresh-token", "access-token"]
                .iter()
                .any(|name| provider.setting(name).is_some())
        })
}

fn screen(findings: &[Finding], kubeconfig: &Kubeconfig) -> String {
    let mut text = String::new();
    for Finding { id, severity, at, said, mend } in findings {
        // Writing to a String cannot fail.
        let id = id.as_ref().map_or_else(String::new, |id| format!(" {id}"));
        let _ = writeln!(text, "{}{id}  {at}: {said}\n  mend: {mend}", severity.name());
    }
    if findings.is_empty() {
        let files: Vec<_> = kubeconfig.files().iter().map(|file| file.display().to_string()).collect();
        let _ = writeln!(
            text,
            "Nothing is wrong with {} ({} contexts). What the server says to it: kubesso doctor --kubeconfig",
            files.join(", "),
            kubeconfig.contexts().len()
        );
    }
    text
}
