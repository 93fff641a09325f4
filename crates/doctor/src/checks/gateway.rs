//! What stands between: rows 53, 54 and 56.

use kubesso_k8s_types::rbac::{PolicyRule, SERVICE_ACCOUNT_KIND};

use super::{Check, RBAC, SETTINGS};
use crate::evidence::{Evidence, RbacEvidence};
use crate::verdict::{Verdict, error, missing, pass, warning};

pub(super) const CHECKS: &[Check] = &[(53, may_hand_on), (54, no_system_groups), (56, uid_is_forwarded)];

/// Every token with a `jti` brings this key with it (KEP-4193).
const CREDENTIAL_ID: &str = "userextras/authentication.kubernetes.io/credential-id";

fn allows(rule: &PolicyRule, resource: &str) -> bool {
    let has = |list: &[String], wanted: &str| list.iter().any(|it| it == wanted || it == "*");
    // Of subresources RBAC takes `*/NAME` besides the name and `*`.
    let by_subresource =
        |it: &String| resource.split_once('/').is_some_and(|(_, name)| *it == format!("*/{name}"));
    has(&rule.verbs, "impersonate")
        && (has(&rule.resources, resource) || rule.resources.iter().any(by_subresource))
}

/// The service accounts that may speak for users, with the role that lets them.
fn gateways(rbac: &RbacEvidence) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (binding, subject) in rbac.subjects.iter().filter(|(_, subject)| subject.kind == SERVICE_ACCOUNT_KIND)
    {
        let Some(role) = rbac.role_of(binding) else { continue };
        // `cluster-admin` and its like may do everything.
        let rules = rbac.rules.iter().filter(|(name, _)| name == role);
        let impersonates = rules.clone().any(|(_, rule)| allows(rule, "users"));
        if impersonates && !rules.clone().any(|(_, rule)| rule.resources.iter().any(|it| it == "*")) {
            found.push((format!("{}/{}", subject.namespace, subject.name), role.to_owned()));
        }
    }
    found
}

fn may_hand_on(evidence: &Evidence) -> Verdict {
    let Some(rbac) = &evidence.rbac else { return missing(RBAC) };
    let gateways = gateways(rbac);
    for (account, role) in &gateways {
        let rules: Vec<_> = rbac.rules.iter().filter(|(name, _)| name == role).collect();
        for resource in ["groups", CREDENTIAL_ID] {
            if !rules.iter().any(|(_, rule)| allows(rule, resource)) {
                return warning(format!("{role} lets {account} impersonate users, and not {resource}"))
                    .pair("users", resource)
                    .fact("user", format!("system:serviceaccount:{}", account.replace('/', ":")))
                    .into();
            }
        }
    }
    pass(if gateways.is_empty() {
        "no service account speaks for people"
    } else {
        "whoever speaks for people may hand on their groups and the token's id"
    })
}

fn no_system_groups(evidence: &Evidence) -> Verdict {
    let Some(live) = &evidence.live else { return missing(super::CLUSTER) };
    let is_gke =
        live.hops.iter().any(|hop| hop.version.as_deref().is_some_and(|version| version.contains("-gke.")));
    if !is_gke {
        return pass("the cluster is not GKE");
    }
    match evidence.identity() {
        None => missing("a token, and settings that say who it is"),
        Some(user) => match user
            .groups
            .iter()
            .find(|group| group.starts_with("system:") && *group != "system:authenticated")
        {
            Some(group) => error(format!("a gateway would speak for {group}, which GKE Autopilot refuses"))
                .pair("a group of your own", group)
                .into(),
            None => pass("no group of the person is Kubernetes' own"),
        },
    }
}

fn uid_is_forwarded(evidence: &Evidence) -> Verdict {
    let Some(settings) = &evidence.settings else { return missing(SETTINGS) };
    let file = settings.authentication.as_ref().and_then(crate::evidence::AuthenticationFile::configuration);
    let maps_uid = file.is_some_and(|file| {
        file.jwt.iter().any(|jwt| {
            !jwt.claim_mappings.uid.claim.is_empty() || !jwt.claim_mappings.uid.expression.is_empty()
        })
    });
    if !maps_uid {
        return pass("no uid is mapped, so none has to be handed on");
    }
    if !settings.has_flags {
        return missing("the API server's flags (--flags)");
    }
    match settings.flag("requestheader-uid-headers") {
        Some(value) if !value.is_empty() => pass(format!("the uid is handed on as {value}")),
        _ => warning("the file maps a uid, and aggregated API servers are not told it")
            .pair("X-Remote-Uid", "not set")
            .into(),
    }
}
