//! Golden files: what each target is told for the tutorial, for all that can be said, and by flags.

use kubesso_clusters::{Form, KubernetesVersion, Request, Target};

use crate::house::{EVERYTHING, FLAGS, ONE, SEVERAL, TUTORIAL, access, shown};

fn golden(name: &str, text: &str, form: Option<Form>, kubernetes: KubernetesVersion) {
    let access = access(text);
    for target in Target::ALL {
        let request = Request { form, ..Request::new(&access, kubernetes) };
        let made = target.instructions(&request);
        insta::assert_snapshot!(format!("{name}-{}", target.name()), shown(&made));
    }
}

#[test]
fn the_tutorials_access() {
    golden("tutorial", TUTORIAL, None, KubernetesVersion::new(1, 34));
}

#[test]
fn all_that_can_be_said() {
    golden("everything", EVERYTHING, None, KubernetesVersion::new(1, 33));
}

#[test]
fn by_flags() {
    golden("flags", FLAGS, Some(Form::Flags), KubernetesVersion::new(1, 29));
}

#[test]
fn by_fields_of_their_own_in_place_of_flags() {
    // Not every one of them has a field for required claims and algorithms.
    let plain: Vec<_> = FLAGS
        .lines()
        .filter(|line| !line.contains("requiredClaims") && !line.contains("Algorithms"))
        .collect();
    let access = access(&plain.join("\n"));
    for target in [Target::Kops, Target::Kubespray] {
        let request =
            Request { form: Some(Form::Flags), ..Request::new(&access, KubernetesVersion::new(1, 29)) };
        insta::assert_snapshot!(
            format!("plain-flags-{}", target.name()),
            shown(&target.instructions(&request))
        );
    }
}

#[test]
fn all_that_clouds_with_settings_of_their_own_can_say() {
    for (target, text) in [(Target::Aks, SEVERAL), (Target::OpenShift, ONE)] {
        let access = access(text);
        let request = Request::new(&access, KubernetesVersion::new(1, 34));
        insta::assert_snapshot!(format!("own-{}", target.name()), shown(&target.instructions(&request)));
    }
}

#[test]
fn talos_has_a_document_of_its_own_from_1_14_on() {
    let access = access(TUTORIAL);
    let request = Request {
        target_version: Some(KubernetesVersion::new(1, 14)),
        ..Request::new(&access, KubernetesVersion::new(1, 36))
    };
    insta::assert_snapshot!("talos-1.14", shown(&Target::Talos.instructions(&request)));
}

#[test]
fn cluster_api_keeps_arguments_in_a_map_before_1_11() {
    let access = access(TUTORIAL);
    let request = Request {
        target_version: Some(KubernetesVersion::new(1, 10)),
        cluster: Some("prod"),
        scope: Some("clusters"),
        ..Request::new(&access, KubernetesVersion::new(1, 34))
    };
    insta::assert_snapshot!("cluster-api-1.10", shown(&Target::ClusterApi.instructions(&request)));
}
