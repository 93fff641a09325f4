//! On the person's side: rows 32, 47 to 49, 58.

use super::{Check, KUBECONFIG};
use crate::evidence::{Credential, Evidence, KubeconfigEvidence, PersonFrom, PluginCall};
use crate::verdict::{Found, Verdict, error, missing, pass, warning};

pub(super) const CHECKS: &[Check] = &[
    (32, one_credential),
    (47, interactive_mode),
    (48, exec_version),
    (49, program_is_found),
    (50, a_port_is_free),
    (51, client_is_known),
    (58, has_a_user),
];

fn with_kubeconfig(evidence: &Evidence, check: impl FnOnce(&KubeconfigEvidence) -> Verdict) -> Verdict {
    evidence.kubeconfig.as_ref().map_or_else(|| missing(KUBECONFIG), check)
}

fn with_plugin(
    evidence: &Evidence,
    check: impl FnOnce(&KubeconfigEvidence, &PluginCall) -> Verdict,
) -> Verdict {
    with_kubeconfig(evidence, |kubeconfig| match &kubeconfig.plugin {
        Some(plugin) => check(kubeconfig, plugin),
        None => missing("a user with exec in the kubeconfig"),
    })
}

fn names(credentials: &[Credential]) -> String {
    credentials.iter().map(Credential::name).collect::<Vec<_>>().join(", ")
}

fn one_credential(evidence: &Evidence) -> Verdict {
    if let Some(found) = refused_is_another(evidence) {
        return found.into();
    }
    if evidence.named_person.is_some() {
        return missing("the person's own context (without --as)");
    }
    with_kubeconfig(evidence, |kubeconfig| {
        let credentials = &kubeconfig.credentials;
        let has_certificate = credentials.contains(&Credential::ClientCertificate);
        match credentials.len() {
            0 => missing("a credential in the kubeconfig (see KS058)"),
            1 if has_certificate => {
                warning("the context uses a client certificate, not a person's token").pair("exec", names(credentials)).into()
            }
            1 => pass(format!("the context's only credential is {}", names(credentials))),
            _ if has_certificate => {
                error("the user has a certificate beside another credential, and the API server takes the certificate")
                    .pair("exec", names(credentials))
                    .into()
            }
            _ => warning("the user has several credentials; kubectl takes one of them").pair("exec", names(credentials)).into(),
        }
    })
}

/// A refusal names somebody else than the token does.
fn refused_is_another(evidence: &Evidence) -> Option<Found> {
    let person = evidence.person().filter(|person| person.from != PersonFrom::Refusal)?;
    let refused = evidence.access.iter().find_map(|access| access.question.refused.as_ref())?;
    (*refused != person.user.username).then(|| {
        error("the refusal is of another user than the one that was asked about")
            .pair(person.user.username, refused)
    })
}

fn interactive_mode(evidence: &Evidence) -> Verdict {
    with_plugin(evidence, |kubeconfig, plugin| {
        let is_v1 = plugin.api_version == "client.authentication.k8s.io/v1";
        match plugin.interactive_mode.as_deref() {
            None | Some("") if is_v1 => {
                let user = kubeconfig.user.clone().unwrap_or_default();
                error("client.authentication.k8s.io/v1 wants interactiveMode").fact("user", user).into()
            }
            None | Some("" | "Always" | "IfAvailable" | "Never") => pass("kubectl may start the plugin"),
            Some(other) => {
                error("kubectl does not know this interactiveMode").pair("IfAvailable", other).into()
            }
        }
    })
}

fn exec_version(evidence: &Evidence) -> Verdict {
    with_plugin(evidence, |_, plugin| {
        let known = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];
        if known.contains(&plugin.api_version.as_str()) {
            return pass(format!("kubectl knows {}", plugin.api_version));
        }
        error("kubectl does not know this version of exec")
            .pair(known[0], &plugin.api_version)
            .fact("got", known[0])
            .into()
    })
}

fn program_is_found(evidence: &Evidence) -> Verdict {
    with_plugin(evidence, |_, plugin| match plugin.lacking.as_deref() {
        Some([]) => pass(format!("{} is there", plugin.needs.join(" and "))),
        Some([first, ..]) => error(format!("{first} is not there")).fact("command", first.clone()).into(),
        None => missing("a look into PATH for the plugin's program"),
    })
}

fn a_port_is_free(evidence: &Evidence) -> Verdict {
    with_plugin(evidence, |_, plugin| match &plugin.taken {
        None => missing("a look at the plugin's ports on this machine"),
        Some(taken) if !taken.is_empty() && taken.len() == plugin.listens_at.len() => {
            warning(format!("something listens at {} already", taken.join(" and ")))
                .pair("a free port", taken.join(", "))
                .fact("host", taken.join(", "))
                .into()
        }
        Some(_) => pass("the plugin has a free port to listen at"),
    })
}

fn client_is_known(evidence: &Evidence) -> Verdict {
    let Some(tried) = &evidence.authorization else {
        return missing(
            "a context whose plugin's settings are known, and its issuer (--context, and no --offline)",
        );
    };
    match (tried.status, tried.error.as_deref()) {
        (_, Some(error @ ("unauthorized_client" | "invalid_client" | "access_denied"))) => {
            warning(format!("the provider answers {error} to the client {}", tried.client_id))
                .pair("login_required", error)
                .into()
        }
        (400..=499, None) => {
            error(format!("the provider refuses the client {} with this redirect URI", tried.client_id))
                .pair("one that is registered", &tried.redirect_uri)
                .into()
        }
        (_, Some(_)) => pass(format!("the provider sends the client back to {}", tried.redirect_uri)),
        (200..=399, None) => pass(format!("the provider takes the client {}", tried.client_id)),
        _ => missing("a provider that answers authorization requests"),
    }
}

fn has_a_user(evidence: &Evidence) -> Verdict {
    with_kubeconfig(evidence, |kubeconfig| match &kubeconfig.user {
        Err(problem) => error(problem.clone()).pair("a user with exec", "none").into(),
        Ok(user) => match kubeconfig.credentials.as_slice() {
            [] => error(format!("the user {user} has no credential")).pair("exec", "nothing").into(),
            [Credential::AuthProvider(name)] => {
                error(format!("kubectl no longer knows the auth-provider {name}"))
                    .pair("exec", format!("auth-provider: {name}"))
                    .into()
            }
            credentials => pass(format!("the user {user} has {}", names(credentials))),
        },
    })
}
