//! May the person do that? In the API server's own words.

use kubesso_authz::Target;
use kubesso_k8s_types::authentication::SelfSubjectReview;
use kubesso_k8s_types::{UserInfo, authorization::SubjectAccessReviewStatus};
use serde_json::{Value, json};

use super::call::{Caller, Failure};
use crate::evidence::{Evidence, PersonFrom, Question, ServerAnswer};

/// Resolves the questions' names, and asks the API server each of them: as the person where it has the person's credentials, and
/// about the person otherwise.
pub(super) async fn ask(evidence: &mut Evidence, person: Option<&Caller>, reader: &Caller) {
    if evidence.access.is_empty() {
        return;
    }
    let anybody = person.unwrap_or(reader);
    for access in evidence.access.iter_mut().filter(|access| !access.question.is_known) {
        look_up(&mut access.question, anybody).await;
    }
    let about = match evidence.person() {
        Some(who) if person.is_none() || who.from == PersonFrom::Named => Some(who.user),
        Some(_) => None,
        None => return,
    };
    let asked = evidence.access.iter().map(|access| match (&about, person) {
        (Some(user), _) => Either::About(&access.question, user),
        (None, Some(person)) => Either::As(&access.question, person),
        (None, None) => Either::Nobody,
    });
    let answers = futures_util::future::join_all(asked.map(|asked| async move {
        match asked {
            Either::As(question, person) => Some(self_review(question, person).await),
            Either::About(question, user) if !reader.is_nobody() => {
                Some(review(question, user, reader).await)
            }
            Either::About(..) | Either::Nobody => None,
        }
    }))
    .await;
    for (access, answer) in evidence.access.iter_mut().zip(answers) {
        access.server = answer;
    }
}

enum Either<'a> {
    As(&'a Question, &'a Caller),
    About(&'a Question, &'a UserInfo),
    Nobody,
}

/// Who a caller is.
pub(super) async fn who(caller: &Caller) -> Option<UserInfo> {
    let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    match caller.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", &body).await {
        Ok((201, review)) => Some(serde_json::from_value::<SelfSubjectReview>(review).ok()?.status.user_info),
        _ => None,
    }
}

async fn self_review(question: &Question, person: &Caller) -> Result<ServerAnswer, String> {
    send(person, "SelfSubjectAccessReview", attributes(question)).await
}

async fn review(question: &Question, user: &UserInfo, reader: &Caller) -> Result<ServerAnswer, String> {
    let mut spec = attributes(question);
    spec["user"] = user.username.as_str().into();
    spec["groups"] = json!(user.groups);
    spec["uid"] = user.uid.as_str().into();
    spec["extra"] = json!(user.extra);
    send(reader, "SubjectAccessReview", spec).await
}

async fn send(caller: &Caller, kind: &str, spec: Value) -> Result<ServerAnswer, String> {
    let path = format!("/apis/authorization.k8s.io/v1/{}s", kind.to_lowercase());
    let body = json!({"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec});
    let (status, answer) = caller.post(&path, &body).await.map_err(|failure| failure.words())?;
    if status != 201 {
        return Err(format!("{kind}: {}", Failure::Status(status).words()));
    }
    let status = serde_json::from_value::<SubjectAccessReviewStatus>(answer["status"].clone());
    let status = status.map_err(|error| format!("{kind}: {error}"))?;
    Ok(ServerAnswer { allowed: status.allowed, reason: status.reason, error: status.evaluation_error })
}

fn attributes(question: &Question) -> Value {
    match &question.target {
        Target::NonResource { path } => {
            json!({"nonResourceAttributes": {"path": path, "verb": question.verb}})
        }
        Target::Resource(target) => json!({"resourceAttributes": {
            "verb": question.verb, "namespace": target.namespace, "group": target.api_group, "version": target.api_version,
            "resource": target.resource, "subresource": target.subresource, "name": target.name,
        }}),
    }
}

/// Finds a resource by its plural, its singular, its short names or its kind in the cluster's discovery (KEP-3352), which anybody
/// who is somebody may read.
async fn look_up(question: &mut Question, caller: &Caller) {
    let Target::Resource(target) = &question.target else { return };
    let (name, group) = (target.resource.clone(), target.api_group.clone());
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let request = caller.request(reqwest::Method::GET, "/apis").header(reqwest::header::ACCEPT, accept);
    let Ok(answer) = caller.send(request).await else { return };
    let Ok(text) = answer.text().await else { return };
    let Ok(list) = serde_json::from_str::<Value>(&text) else { return };
    let array = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let found = array(&list, "items").iter().find_map(|item| {
        let own = item["metadata"]["name"].as_str()?.to_owned();
        // `widgets.v1.example.com` is a way to write it too.
        let is_group = group.is_empty() || own == group || group.ends_with(&format!(".{own}"));
        let versions = array(item, "versions");
        let mut resources = versions.iter().flat_map(|version| array(version, "resources"));
        let found = resources.find(|resource| {
            let names =
                ["resource", "singularResource"].map(|key| resource[key].as_str().unwrap_or_default());
            let kind = resource["responseKind"]["kind"].as_str().unwrap_or_default().to_lowercase();
            let short = array(resource, "shortNames");
            names.contains(&name.as_str())
                || kind == name
                || short.iter().any(|short| *short == name.as_str())
        })?;
        is_group.then_some((found["resource"].as_str()?.to_owned(), own, found["scope"] == "Namespaced"))
    });
    if let Some((plural, group, is_namespaced)) = found {
        question.resolve(&plural, &group, is_namespaced);
    }
}
