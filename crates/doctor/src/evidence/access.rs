//! Questions about rights, and what an API server answers to them.

use kubesso_k8s_types::UserInfo;

use super::{Evidence, HopKind, Question, Said};

/// A question, and the API server's own answer.
#[derive(Clone, Debug)]
pub struct AccessEvidence {
    /// What is asked.
    pub question: Question,
    /// What the API server says; none if nobody asked it.
    pub server: Option<Result<ServerAnswer, String>>,
}

/// What an API server says of a question (`authorization.k8s.io/v1`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerAnswer {
    /// Whether it allows it.
    pub allowed: bool,
    /// Which binding, or which authorizer; may be empty.
    pub reason: String,
    /// What went wrong while it judged.
    pub error: String,
}

/// Who somebody is to the cluster, and how much of it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Name and groups.
    pub user: UserInfo,
    /// How that is known.
    pub from: PersonFrom,
}

/// How it is known who somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonFrom {
    /// Somebody named them.
    Named,
    /// The API server said so (`SelfSubjectReview`).
    Cluster,
    /// The token, mapped by the API server's settings.
    Token,
    /// A refusal names the user; the groups are not known.
    Refusal,
}

impl PersonFrom {
    /// As a reader says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Named => "as somebody named them",
            Self::Cluster => "as the API server says",
            Self::Token => "by the token and the API server's settings",
            Self::Refusal => "by the refusal; the groups are not known",
        }
    }
}

/// Everybody who is somebody is in it.
const AUTHENTICATED: &str = "system:authenticated";

impl Person {
    /// Somebody by name, with the groups that every such user has.
    pub fn named(name: &str, groups: &[String], from: PersonFrom) -> Self {
        let mut user = UserInfo { username: name.to_owned(), groups: groups.to_vec(), ..UserInfo::default() };
        if let Some((namespace, _)) =
            name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'))
        {
            user.groups.push("system:serviceaccounts".to_owned());
            user.groups.push(format!("system:serviceaccounts:{namespace}"));
        }
        let this = Self { user, from };
        if name == "system:anonymous" { this } else { this.authenticated() }
    }

    fn authenticated(mut self) -> Self {
        if !self.user.groups.iter().any(|group| group == AUTHENTICATED) {
            self.user.groups.push(AUTHENTICATED.to_owned());
        }
        self
    }

    /// How kubectl is told to speak for them, where it has to be.
    pub(crate) fn flags(&self) -> String {
        if self.from != PersonFrom::Named {
            return String::new();
        }
        let groups = self.own_groups().map(|group| format!(" --as-group={group}"));
        format!(" --as={}{}", self.user.username, groups.collect::<String>())
    }

    /// Groups but those that Kubernetes gives.
    pub(crate) fn own_groups(&self) -> impl Iterator<Item = &str> {
        self.user.groups.iter().map(String::as_str).filter(|group| !group.starts_with("system:"))
    }
}

impl Evidence {
    /// Who the person is to the cluster: as somebody named them, as the cluster says, as the settings make it of the token;
    /// at last as a refusal says.
    pub fn person(&self) -> Option<Person> {
        if let Some(named) = &self.named_person {
            return Some(named.clone());
        }
        let live = self.live.as_ref();
        let hops = live.into_iter().flat_map(|live| &live.hops);
        let front = hops.filter(|hop| hop.kind == HopKind::Kubeconfig).flat_map(|hop| &hop.person);
        let by_hop = front.into_iter().find_map(|said| match said {
            Said::User(user) => Some((**user).clone()),
            _ => None,
        });
        if let Some(user) = by_hop.or_else(|| live.and_then(|live| live.caller.clone())) {
            return Some(Person { user, from: PersonFrom::Cluster });
        }
        if let Some(user) = self.identity() {
            return Some(Person { user, from: PersonFrom::Token }.authenticated());
        }
        // A token that is refused is nobody.
        if self.token().is_some() {
            return None;
        }
        let refused = self.access.iter().find_map(|access| access.question.refused.as_deref());
        refused.map(|name| Person::named(name, &[], PersonFrom::Refusal))
    }
}
