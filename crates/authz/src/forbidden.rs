//! The text of a refusal (`k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go`).

use kubesso_k8s_types::go;
use kubesso_k8s_types::meta::{GroupResource, Status};

use crate::{Attributes, Target};

/// The sentence that says who cannot do what, HTML-escaped as upstream does, with the reason after it
/// if there is one: `User "dev" cannot list resource "pods" in API group "" at the cluster scope`.
pub fn forbidden_message(attributes: &Attributes, reason: &str) -> String {
    let user = go::quote(&attributes.user.username);
    let verb = &attributes.verb;
    let sentence = match &attributes.target {
        Target::NonResource { path } => format!("User {user} cannot {verb} path {}", go::quote(path)),
        Target::Resource(target) => {
            let resource = if target.subresource.is_empty() {
                go::quote(&target.resource)
            } else {
                go::quote(&format!("{}/{}", target.resource, target.subresource))
            };
            let scope = if target.namespace.is_empty() {
                "at the cluster scope".to_owned()
            } else {
                format!("in the namespace {}", go::quote(&target.namespace))
            };
            let group = go::quote(&target.api_group);
            format!("User {user} cannot {verb} resource {resource} in API group {group} {scope}")
        }
    };
    let sentence = sentence.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    if reason.is_empty() { sentence } else { format!("{sentence}: {reason}") }
}

/// The 403 that the API server answers. The reply also carries `X-Content-Type-Options: nosniff`.
///
/// The leading words and `details` name the resource without its subresource.
pub fn forbidden_status(attributes: &Attributes, reason: &str) -> Status {
    let message = forbidden_message(attributes, reason);
    match &attributes.target {
        Target::Resource(target) => Status::forbidden(&target.group_resource(), &target.name, &message),
        Target::NonResource { .. } => Status::forbidden(&GroupResource::default(), "", &message),
    }
}

#[cfg(test)]
mod tests {
    use kubesso_k8s_types::UserInfo;

    use super::*;
    use crate::RequestInfo;

    fn status(user: &str, method: &str, path: &str, reason: &str) -> Status {
        let user = UserInfo { username: user.to_owned(), ..UserInfo::default() };
        forbidden_status(&RequestInfo::resolve(method, path, "").unwrap().attributes(user), reason)
    }

    #[test]
    fn the_sentence_names_user_verb_resource_group_and_scope() {
        for (user, method, path, reason, message) in [
            (
                "u",
                "GET",
                "/api/v1/namespaces/n/pods/p",
                "",
                r#"pods "p" is forbidden: User "u" cannot get resource "pods" in API group "" in the namespace "n""#,
            ),
            (
                "u",
                "GET",
                "/api/v1/nodes",
                "",
                r#"nodes is forbidden: User "u" cannot list resource "nodes" in API group "" at the cluster scope"#,
            ),
            (
                "u",
                "GET",
                "/api/v1/namespaces/n/pods/p/log",
                "",
                r#"pods "p" is forbidden: User "u" cannot get resource "pods/log" in API group "" in the namespace "n""#,
            ),
            (
                "u",
                "DELETE",
                "/apis/apps/v1/namespaces/n/deployments/d",
                "because",
                r#"deployments.apps "d" is forbidden: User "u" cannot delete resource "deployments" in API group "apps" in the namespace "n": because"#,
            ),
            ("u", "GET", "/x", "", r#"forbidden: User "u" cannot get path "/x""#),
            (
                "<a&b>\"",
                "POST",
                "/%3Cx%3E",
                "<why>",
                r#"forbidden: User "&lt;a&amp;b&gt;\"" cannot post path "/&lt;x&gt;": <why>"#,
            ),
        ] {
            assert_eq!(status(user, method, path, reason).message, message);
        }
    }

    #[test]
    fn details_name_the_resource_without_its_subresource() {
        let status = status("u", "GET", "/apis/apps/v1/namespaces/n/deployments/d/scale", "");
        let details = status.details.unwrap();
        assert_eq!(
            (details.name.as_str(), details.group.as_str(), details.kind.as_str()),
            ("d", "apps", "deployments")
        );
        assert_eq!(status.code, 403);
    }
}
