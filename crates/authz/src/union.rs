//! Several authorizers, one after the other (`k8s.io/apiserver/pkg/authorization/union`).

use std::sync::Arc;

use kubesso_k8s_types::go;

use crate::{Attributes, Authorizer, Decision, Verdict};

/// The group whose members may do everything, before any other authorizer is asked.
pub const PRIVILEGED_GROUP: &str = "system:masters";

/// Allows [`PRIVILEGED_GROUP`], without a reason (`authorizerfactory.NewPrivilegedGroups`).
#[derive(Clone, Copy, Debug, Default)]
pub struct PrivilegedGroup;

impl Authorizer for PrivilegedGroup {
    fn authorize(&self, attributes: &Attributes) -> Verdict {
        let member = attributes.user.groups.iter().any(|group| group == PRIVILEGED_GROUP);
        Verdict::new(if member { Decision::Allow } else { Decision::NoOpinion }, "")
    }
}

/// Asks [`PrivilegedGroup`] first and then each authorizer in order, until one allows or denies.
#[derive(Clone)]
pub struct Union {
    authorizers: Vec<Arc<dyn Authorizer>>,
}

impl Union {
    /// The chain after [`PrivilegedGroup`], which is always there, whatever the mode.
    pub fn new(authorizers: Vec<Arc<dyn Authorizer>>) -> Self {
        Self { authorizers }
    }
}

impl Authorizer for Union {
    /// With no opinion from anybody, the reasons are joined by line feeds and the errors aggregated.
    fn authorize(&self, attributes: &Attributes) -> Verdict {
        let privileged = PrivilegedGroup.authorize(attributes);
        if privileged.is_allowed() {
            return privileged;
        }
        let mut reasons = Vec::new();
        let mut errors = Vec::new();
        for authorizer in &self.authorizers {
            let verdict = authorizer.authorize(attributes);
            if verdict.decision != Decision::NoOpinion {
                return verdict;
            }
            if !verdict.reason.is_empty() {
                reasons.push(verdict.reason);
            }
            errors.extend(verdict.error);
        }
        Verdict { decision: Decision::NoOpinion, reason: reasons.join("\n"), error: go::aggregate(errors) }
    }
}

#[cfg(test)]
mod tests {
    use kubesso_k8s_types::UserInfo;

    use super::*;
    use crate::Target;

    struct Always(Verdict);

    impl Authorizer for Always {
        fn authorize(&self, _: &Attributes) -> Verdict {
            self.0.clone()
        }
    }

    fn ask(groups: &[&str], chain: &[(Decision, &str, Option<&str>)]) -> (Decision, String, Option<String>) {
        let union = Union::new(
            chain
                .iter()
                .map(|(decision, reason, error)| -> Arc<dyn Authorizer> {
                    let verdict = Verdict::new(*decision, *reason);
                    Arc::new(Always(Verdict { error: error.map(ToOwned::to_owned), ..verdict }))
                })
                .collect(),
        );
        let verdict = union.authorize(&Attributes {
            user: UserInfo {
                groups: groups.iter().map(ToString::to_string).collect(),
                ..UserInfo::default()
            },
            verb: "get".to_owned(),
            target: Target::NonResource { path: "/".to_owned() },
        });
        (verdict.decision, verdict.reason, verdict.error)
    }

    #[test]
    fn the_first_opinion_counts_and_masters_come_before_all() {
        use Decision::{Allow, Deny, NoOpinion};
        for (groups, chain, decision, reason, error) in [
            (&["system:masters"][..], &[(Deny, "no", None)][..], Allow, "", None),
            (&["masters"], &[(Deny, "no", None), (Allow, "yes", None)], Deny, "no", None),
            (&[], &[(NoOpinion, "a", Some("x")), (Allow, "yes", None)], Allow, "yes", None),
            (
                &[],
                &[(NoOpinion, "a", None), (NoOpinion, "", None), (NoOpinion, "b", None)],
                NoOpinion,
                "a\nb",
                None,
            ),
            (&[], &[(NoOpinion, "", Some("x")), (NoOpinion, "", Some("y"))], NoOpinion, "", Some("[x, y]")),
            (&[], &[], NoOpinion, "", None),
        ] {
            let expected = (decision, reason.to_owned(), error.map(ToOwned::to_owned));
            assert_eq!(ask(groups, chain), expected, "{chain:?}");
        }
    }
}
