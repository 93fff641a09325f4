//! What is asked of the cluster, and what the answer should be.

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::error::{CommandError, chain};
use crate::tour::people::Role;

/// One request, which also tells what Kubernetes calls the same thing in an access review.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) name: &'static str,
    pub(super) heading: &'static str,
    method: Method,
    path: &'static str,
    verb: &'static str,
    resource: &'static str,
    namespace: &'static str,
}

const fn question(
    (name, heading): (&'static str, &'static str),
    method: Method,
    path: &'static str,
    (verb, resource, namespace): (&'static str, &'static str, &'static str),
) -> Question {
    Question { name, heading, method, path, verb, resource, namespace }
}

/// What everybody asks. A deletion is a dry run: the tour leaves the cluster as it was.
pub(super) const QUESTIONS: [Question; 6] = [
    question(
        ("list pods in default", "PODS"),
        Method::GET,
        "/api/v1/namespaces/default/pods",
        ("list", "pods", "default"),
    ),
    question(
        ("list services in default", "SERVICES"),
        Method::GET,
        "/api/v1/namespaces/default/services",
        ("list", "services", "default"),
    ),
    question(
        ("list secrets in default", "SECRETS"),
        Method::GET,
        "/api/v1/namespaces/default/secrets",
        ("list", "secrets", "default"),
    ),
    question(
        ("delete the pods in default", "DELETE PODS"),
        Method::DELETE,
        "/api/v1/namespaces/default/pods?dryRun=All",
        ("deletecollection", "pods", "default"),
    ),
    question(
        ("list pods in payments", "PODS IN PAYMENTS"),
        Method::GET,
        "/api/v1/namespaces/payments/pods",
        ("list", "pods", "payments"),
    ),
    question(("list nodes", "NODES"), Method::GET, "/api/v1/nodes", ("list", "nodes", "")),
];

/// What the cluster said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) allowed: bool,
    pub(super) reason: String,
}

impl Question {
    /// Asks twice: by doing it, and by an access review, which names the binding.
    pub(super) async fn ask(
        &self,
        http: &Client,
        cluster: &str,
        token: &str,
    ) -> Result<Answer, CommandError> {
        let url = format!("{cluster}{}", self.path);
        let done = http.request(self.method.clone(), &url).bearer_auth(token).send().await;
        let status = done.map_err(|e| no_answer(&url, e))?.status();
        let review = self.review(http, cluster, token).await?;
        let allowed_by_review = review["status"]["allowed"] == true;
        match (status, allowed_by_review) {
            (StatusCode::OK, true) | (StatusCode::FORBIDDEN, false) => Ok(Answer {
                allowed: allowed_by_review,
                reason: review["status"]["reason"].as_str().unwrap_or_default().to_owned(),
            }),
            _ => Err(CommandError::new(format!(
                "the cluster answered {status} to {}, but its access review says allowed={allowed_by_review}",
                self.name
            ))),
        }
    }

    async fn review(&self, http: &Client, cluster: &str, token: &str) -> Result<Value, CommandError> {
        let url = format!("{cluster}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
        let attributes = json!({"verb": self.verb, "resource": self.resource, "namespace": self.namespace});
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        });
        let answer =
            http.post(&url).bearer_auth(token).json(&review).send().await.map_err(|e| no_answer(&url, e))?;
        answer.json().await.map_err(|e| no_answer(&url, e))
    }
}

fn no_answer(url: &str, error: reqwest::Error) -> CommandError {
    CommandError::new(format!("the cluster did not answer {url}: {}", chain(&error.without_url())))
}

/// What a person should be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expectation {
    /// The provider gives no token, and says that the person is not assigned.
    Refused,
    /// A token, and of the [`QUESTIONS`] only these are allowed.
    May(&'static [&'static str]),
}

/// What the first world gives to a role.
pub(super) fn expectation(role: Role) -> Expectation {
    match role {
        Role::Admin => Expectation::May(&[
            "list pods in default",
            "list services in default",
            "list secrets in default",
            "delete the pods in default",
            "list pods in payments",
            "list nodes",
        ]),
        Role::Developer => Expectation::May(&["list pods in default", "list services in default"]),
        Role::Guest => Expectation::May(&[]),
        Role::Outsider => Expectation::Refused,
    }
}

impl Expectation {
    /// What is wrong with an answer.
    pub(super) fn difference(self, question: &Question, allowed: bool) -> Option<String> {
        let should = matches!(self, Self::May(names) if names.contains(&question.name));
        match (should, allowed) {
            (true, false) => Some(format!("should be allowed to {}, but is not", question.name)),
            (false, true) => Some(format!("may {}, but should not", question.name)),
            _ => None,
        }
    }

    /// What is wrong with being refused a token.
    pub(super) fn difference_when_refused(self, message: &str) -> Option<String> {
        match self {
            Self::Refused if message.contains("not assigned") => None,
            Self::Refused => Some("is refused, but not for not being assigned".to_owned()),
            Self::May(_) => Some("should be able to sign in, but is refused".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_not_as_it_should_be_is_named() {
        let secrets = &QUESTIONS[2];
        let developer = expectation(Role::Developer);
        assert_eq!(developer.difference(secrets, false), None);
        let named = developer.difference(secrets, true).unwrap();
        assert_eq!(named, "may list secrets in default, but should not");
        assert_eq!(
            expectation(Role::Admin).difference(secrets, false).unwrap(),
            "should be allowed to list secrets in default, but is not"
        );
    }

    #[test]
    fn what_is_expected_is_among_what_is_asked() {
        for role in [Role::Admin, Role::Developer, Role::Guest, Role::Outsider] {
            if let Expectation::May(names) = expectation(role) {
                assert!(names.iter().all(|name| QUESTIONS.iter().any(|question| question.name == *name)));
            }
        }
    }
}
