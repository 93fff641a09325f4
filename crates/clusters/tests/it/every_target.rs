//! What must hold of all targets.

use std::ffi::OsStr;
use std::path::Path;

use kubesso_clusters::lint::{Lint, Subject};
use kubesso_clusters::{Form, KubernetesVersion, Request, Target, as_file, authentication_configuration};
use kubesso_k8s_types::authentication_configuration::AuthenticationConfiguration;

use crate::house::{EVERYTHING, FLAGS, TUTORIAL, access};

#[test]
fn each_can_do_the_tutorial_and_says_how_to_see_it_and_how_to_take_it_back() {
    let access = access(TUTORIAL);
    for target in Target::ALL {
        let made = target.instructions(&Request::new(&access, KubernetesVersion::new(1, 34))).unwrap();
        assert_eq!(made.target, *target);
        for (name, steps) in [("apply", &made.apply), ("verify", &made.verify), ("rollback", &made.rollback)]
        {
            assert!(steps.iter().any(|step| step.command.is_some()), "{target}: no command to {name}");
        }
    }
}

#[test]
fn a_name_leads_back_to_its_target() {
    for target in Target::ALL {
        assert_eq!(target.name().parse(), Ok(*target));
    }
    assert_eq!("gks".parse::<Target>().unwrap_err().to_string(), "`gks` is not known");
}

#[test]
fn every_yaml_file_is_one_that_a_parser_reads_back() {
    for text in [TUTORIAL, EVERYTHING, FLAGS] {
        let access = access(text);
        for target in Target::ALL {
            let Ok(made) = target.instructions(&Request::new(&access, KubernetesVersion::new(1, 34))) else {
                continue;
            };
            for file in made.files {
                match Path::new(&file.name).extension().and_then(OsStr::to_str) {
                    Some("yaml" | "yml") => {
                        let read = serde_saphyr::from_str::<serde_json::Value>(&file.content);
                        assert!(read.is_ok(), "{target}, {}: {read:?}\n{}", file.name, file.content);
                    }
                    Some("json") => {
                        assert!(serde_json::from_str::<serde_json::Value>(&file.content).is_ok(), "{target}");
                    }
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn the_file_says_what_was_described_and_nothing_else() {
    for text in [TUTORIAL, EVERYTHING] {
        let configuration = authentication_configuration(&access(text), KubernetesVersion::new(1, 34));
        let (written, hash) = as_file(&configuration);
        assert_eq!(serde_saphyr::from_str::<AuthenticationConfiguration>(&written).unwrap(), configuration);
        assert!(hash.starts_with("sha256:") && hash.len() == 71, "{hash}");
    }
}

#[test]
fn what_cannot_be_had_is_refused_with_every_reason_at_once() {
    let access = access(EVERYTHING);
    let refused =
        Target::Eks.instructions(&Request::new(&access, KubernetesVersion::new(1, 34))).unwrap_err();
    let all: Vec<_> = refused.restrictions.iter().map(|one| one.what.as_str()).collect();
    for part in ["several issuers", "several audiences", "expressions", "public authority", "a uid"] {
        assert!(all.iter().any(|what| what.contains(part)), "{part}: {all:?}");
    }
}

#[test]
fn without_a_prefix_flags_warn_of_system_masters_and_a_file_refuses_them() {
    let plain = access(TUTORIAL);
    let request = Request { form: Some(Form::Flags), ..Request::new(&plain, KubernetesVersion::new(1, 34)) };
    let by_flags = Target::K3s.instructions(&request).unwrap();
    assert!(by_flags.warnings.iter().any(|warning| warning.contains("system:masters")));
    let by_file = Target::K3s.instructions(&Request::new(&plain, KubernetesVersion::new(1, 34))).unwrap();
    assert!(by_file.files[0].content.contains("startsWith('system:')"));
    let prefixed = access(FLAGS);
    let request = Request { access: &prefixed, ..request };
    assert!(Target::K3s.instructions(&request).unwrap().warnings.is_empty());
}

#[test]
fn a_required_claim_is_in_force_or_refused_and_never_left_out_in_silence() {
    let text = TUTORIAL.trim_end().to_owned() + "\n  requiredClaims: {tenant: only-this-one}\n";
    let access = access(&text);
    for target in Target::ALL {
        for form in [None, Some(Form::Flags)] {
            let request = Request { form, ..Request::new(&access, KubernetesVersion::new(1, 34)) };
            if let Ok(made) = target.instructions(&request) {
                let made = serde_json::to_string(&made).unwrap();
                assert!(made.contains("only-this-one"), "{target}, {form:?}: {made}");
            }
        }
    }
}

#[test]
fn no_api_server_refuses_what_is_written_for_it() {
    for text in [TUTORIAL, EVERYTHING, FLAGS] {
        let access = access(text);
        for minor in [30, 31, 33, 34, 36, 37] {
            let kubernetes = KubernetesVersion::new(1, minor);
            let (file, _) = as_file(&authentication_configuration(&access, kubernetes));
            // What a version has not is refused before a file is written for it (`Request`).
            let has_it = access.anonymous.is_none() || minor >= 32;
            let lint =
                Lint::of(&Subject { file: Some(&file), kubernetes: Some(kubernetes), ..Subject::default() });
            assert!(!has_it || lint.findings.is_empty(), "1.{minor}: {:?}\n{file}", lint.findings);
        }
        for target in Target::ALL {
            for form in [None, Some(Form::Flags), Some(Form::Config)] {
                let request = Request { form, ..Request::new(&access, KubernetesVersion::new(1, 34)) };
                let Ok(made) = target.instructions(&request) else { continue };
                for file in made
                    .files
                    .iter()
                    .filter(|file| file.content.contains("kind: AuthenticationConfiguration\n"))
                {
                    let subject =
                        Subject { file: Some(&file.content), target: Some(*target), ..Subject::default() };
                    let lint = Lint::of(&subject);
                    let is_whole = file.content.starts_with("apiVersion: apiserver.config.k8s.io/");
                    assert!(
                        !is_whole || lint.is_accepted(),
                        "{target}: {:?}\n{}",
                        lint.findings,
                        file.content
                    );
                }
            }
        }
    }
}
