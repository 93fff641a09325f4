//! May the person do that? By the roles and bindings, by the API server's own answer, and why not.

use kubesso_authz::{
    Attributes, Authorizer, BindingName, Grant, Likeness, Miss, NearMiss, PRIVILEGED_GROUP, Rbac, Target,
};
use kubesso_k8s_types::rbac::{GROUP_KIND, PolicyRule, RoleRef, SERVICE_ACCOUNT_KIND, Subject, USER_KIND};

use crate::evidence::{AccessEvidence, Evidence, Person, Question, RbacEvidence, ServerAnswer};
use crate::facts::FilledMend;
use crate::place::Place;

/// What is known of one question.
#[derive(Debug)]
pub(crate) struct Judgement<'a> {
    pub(crate) question: &'a Question,
    pub(crate) person: Person,
    /// By the roles and bindings, if there are any.
    pub(crate) rbac: Option<Ruling>,
    /// What the API server says, or why it does not.
    pub(crate) server: Option<&'a Result<ServerAnswer, String>>,
}

/// What roles and bindings say.
#[derive(Debug)]
pub(crate) enum Ruling {
    /// Allowed, and by what.
    Allowed(String),
    /// Nothing allows it.
    Refused(Refused),
}

/// Why nothing allows it.
#[derive(Debug)]
pub(crate) struct Refused {
    /// What nearly would, the likeliest mistake first.
    pub(crate) near: Vec<Near>,
    /// Who may.
    pub(crate) others: Vec<String>,
    /// Whether only one of the two verbs that an upgraded connection needs is there: that one.
    pub(crate) only: Option<&'static str>,
}

/// Something that would allow it if one thing were otherwise.
#[derive(Debug)]
pub(crate) struct Near {
    /// The row of the catalogue that it is.
    pub(crate) row: u8,
    /// In words.
    pub(crate) said: String,
    /// What the row compares.
    pub(crate) pair: Option<(String, String)>,
    /// The exact line.
    pub(crate) mend: FilledMend,
}

impl Judgement<'_> {
    /// The answer: the API server's own, else that of the roles and bindings.
    pub(crate) fn is_allowed(&self) -> Option<bool> {
        let by_rbac = self.rbac.as_ref().map(|ruling| matches!(ruling, Ruling::Allowed(_)));
        self.answer().map(|answer| answer.allowed).or(by_rbac)
    }

    /// What the API server answered.
    pub(crate) fn answer(&self) -> Option<&ServerAnswer> {
        self.server.and_then(|answer| answer.as_ref().ok())
    }

    /// Whether the API server says another thing than the roles and bindings.
    pub(crate) fn differs(&self) -> bool {
        match (&self.rbac, self.answer()) {
            (Some(ruling), Some(answer)) => matches!(ruling, Ruling::Allowed(_)) != answer.allowed,
            _ => false,
        }
    }

    /// Why not, if roles and bindings refuse it.
    pub(crate) fn refused(&self) -> Option<&Refused> {
        match &self.rbac {
            Some(Ruling::Refused(refused)) => Some(refused),
            _ => None,
        }
    }
}

/// Judges each question; none if it is not known who the person is.
pub(crate) fn judgements(evidence: &Evidence) -> Vec<Judgement<'_>> {
    let Some(person) = evidence.person() else { return Vec::new() };
    evidence.access.iter().map(|access| judge(access, &person, evidence.rbac.as_ref())).collect()
}

fn judge<'a>(access: &'a AccessEvidence, person: &Person, rbac: Option<&RbacEvidence>) -> Judgement<'a> {
    let question = &access.question;
    let attributes = Attributes {
        user: person.user.clone(),
        verb: question.verb.clone(),
        target: question.target.clone(),
    };
    Judgement {
        question,
        person: person.clone(),
        rbac: rbac.map(|rbac| ruling(question, &attributes, rbac)),
        server: access.server.as_ref(),
    }
}

fn ruling(question: &Question, attributes: &Attributes, evidence: &RbacEvidence) -> Ruling {
    if attributes.user.groups.iter().any(|group| group == PRIVILEGED_GROUP) {
        return Ruling::Allowed(format!(
            "the group {PRIVILEGED_GROUP} may do everything, whatever roles say"
        ));
    }
    let rbac = evidence.snapshot();
    if let Some(grant) = rbac.explain(attributes) {
        return Ruling::Allowed(words(&grant));
    }
    let near = rbac.near_misses(attributes);
    let near = near.iter().map(|near| {
        let is_built_in = evidence.lacks_built_in(near.role);
        described(near, question, attributes, is_built_in)
    });
    let mut others = rbac.who_can(&question.verb, &question.target);
    // People before what Kubernetes itself is.
    others.sort_by_key(|grant| {
        grant.subject.name.starts_with("system:") || grant.subject.namespace == "kube-system"
    });
    Ruling::Refused(Refused {
        near: near.collect(),
        others: others.iter().map(words).collect(),
        only: only_one(question, attributes, rbac),
    })
}

/// `create` or `get` on exec and its like, where only the other is asked and refused.
fn only_one(question: &Question, attributes: &Attributes, rbac: &Rbac) -> Option<&'static str> {
    if !question.is_upgraded() {
        return None;
    }
    let other = match question.verb.as_str() {
        "get" => "create",
        "create" => "get",
        _ => return None,
    };
    let other_attributes = Attributes { verb: other.to_owned(), ..attributes.clone() };
    rbac.authorize(&other_attributes).is_allowed().then_some(other)
}

fn words(grant: &Grant<'_>) -> String {
    format!(
        "{} gives {} to {}",
        binding_name(grant.binding),
        role_name(grant.role, grant.binding),
        whom(grant.subject, grant.binding)
    )
}

fn namespace_of(binding: &BindingName) -> Option<&str> {
    match binding {
        BindingName::Cluster { .. } => None,
        BindingName::Namespaced { namespace, .. } => Some(namespace),
    }
}

fn plain_name(binding: &BindingName) -> &str {
    match binding {
        BindingName::Cluster { name } | BindingName::Namespaced { name, .. } => name,
    }
}

/// `RoleBinding shop/devs`
fn binding_name(binding: &BindingName) -> String {
    match binding {
        BindingName::Cluster { name } => format!("ClusterRoleBinding {name}"),
        BindingName::Namespaced { namespace, name } => format!("RoleBinding {namespace}/{name}"),
    }
}

/// `Role shop/dev` or `ClusterRole edit`
fn role_name(role: &RoleRef, binding: &BindingName) -> String {
    match (role.kind.as_str(), namespace_of(binding)) {
        ("Role", Some(namespace)) => format!("Role {namespace}/{}", role.name),
        (kind, _) => format!("{kind} {}", role.name),
    }
}

/// `Group k8s-devs`
fn whom(subject: &Subject, binding: &BindingName) -> String {
    match subject.kind.as_str() {
        SERVICE_ACCOUNT_KIND => {
            let own = Some(subject.namespace.as_str()).filter(|it| !it.is_empty());
            let namespace = own.or_else(|| namespace_of(binding)).unwrap_or_default();
            format!("ServiceAccount {namespace}/{}", subject.name)
        }
        kind => format!("{kind} {}", subject.name),
    }
}

/// As kubectl's commands take a subject.
fn flag_of(kind: &str, name: &str) -> String {
    let flag = match kind {
        GROUP_KIND => "group",
        SERVICE_ACCOUNT_KIND => "serviceaccount",
        _ => "user",
    };
    format!("--{flag}={}", quoted(name))
}

fn flag_of_subject(subject: &Subject, binding: &BindingName) -> String {
    match subject.kind.as_str() {
        SERVICE_ACCOUNT_KIND => {
            let own = Some(subject.namespace.as_str()).filter(|it| !it.is_empty());
            let namespace = own.or_else(|| namespace_of(binding)).unwrap_or_default();
            flag_of(SERVICE_ACCOUNT_KIND, &format!("{namespace}:{}", subject.name))
        }
        kind => flag_of(kind, &subject.name),
    }
}

/// For a shell, where it has to be.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@=,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn at_rbac(line: String) -> FilledMend {
    FilledMend { at: Place::Rbac.name().to_owned(), line }
}

fn list(values: &[String]) -> String {
    format!("[{}]", values.iter().map(|value| format!("\"{value}\"")).collect::<Vec<_>>().join(", "))
}

fn rule_line(rule: &PolicyRule) -> String {
    let names = match rule.resource_names.as_slice() {
        [] => String::new(),
        names => format!(", resourceNames: {}", list(names)),
    };
    if rule.resources.is_empty() {
        return format!(
            "rules: [{{nonResourceURLs: {}, verbs: {}}}]",
            list(&rule.non_resource_urls),
            list(&rule.verbs)
        );
    }
    let (groups, resources, verbs) = (list(&rule.api_groups), list(&rule.resources), list(&rule.verbs));
    format!("rules: [{{apiGroups: {groups}, resources: {resources}{names}, verbs: {verbs}}}]")
}

/// Lines that allow exactly what is asked, and nothing else.
pub(crate) fn new_role(question: &Question, whom: &str) -> FilledMend {
    let verb = &question.verb;
    let Target::Resource(target) = &question.target else {
        let path = question.resource();
        let line = format!(
            "kubectl create clusterrole NAME --verb={verb} --non-resource-url={path} && kubectl create clusterrolebinding NAME \
             --clusterrole=NAME {whom}"
        );
        return at_rbac(line);
    };
    let resource = resource_of_command(question);
    let named =
        if target.name.is_empty() { String::new() } else { format!(" --resource-name={}", target.name) };
    at_rbac(match target.namespace.as_str() {
        namespace if !namespace.is_empty() && question.is_namespaced != Some(false) => format!(
            "kubectl -n {namespace} create role NAME --verb={verb} --resource={resource}{named} && kubectl -n {namespace} create \
             rolebinding NAME --role=NAME {whom}"
        ),
        _ => format!(
            "kubectl create clusterrole NAME --verb={verb} --resource={resource}{named} && kubectl create clusterrolebinding NAME \
             --clusterrole=NAME {whom}"
        ),
    })
}

fn described(
    near: &NearMiss<'_>,
    question: &Question,
    attributes: &Attributes,
    lacks_built_in: bool,
) -> Near {
    let (binding, role) = (binding_name(near.binding), role_name(near.role, near.binding));
    let subject = whom(near.subject, near.binding);
    let place = namespace_of(near.binding).map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
    let gives = format!("{binding} gives {role} to {subject}");
    let plain = |said: String, mend: FilledMend| Near { row: 30, said, pair: None, mend };
    // Kubernetes writes its own roles back.
    let is_its_own = ["cluster-admin", "admin", "edit", "view"].contains(&near.role.name.as_str())
        || near.role.name.starts_with("system:");
    let own_role = || new_role(question, &flag_of_subject(near.subject, near.binding));
    let changed = |rule: &PolicyRule, change: &dyn Fn(&mut PolicyRule)| {
        if is_its_own {
            return own_role();
        }
        let mut rule = rule.clone();
        change(&mut rule);
        at_rbac(format!("{} in {role}", rule_line(&rule)))
    };
    let verb = question.verb.as_str();
    match &near.miss {
        Miss::RoleIsMissing(_) if lacks_built_in => plain(
            format!(
                "{gives}, which every cluster has and the files do not: what it allows is not known here"
            ),
            at_rbac("kubectl get clusterroles -o yaml > roles.yaml, and --rbac roles.yaml too".to_owned()),
        ),
        Miss::RoleIsMissing(error) => plain(
            format!("{binding} names a role that is not there ({error}), so it gives nothing to {subject}"),
            {
                let (kind, name) = (near.role.kind.to_lowercase(), &near.role.name);
                let is_path = matches!(question.target, Target::NonResource { .. });
                let resource = if is_path { "--non-resource-url" } else { "--resource" };
                let place = if kind == "role" { place.as_str() } else { "" };
                at_rbac(format!(
                    "kubectl create {kind} {name} --verb={verb} {resource}={}{place}",
                    resource_of_command(question)
                ))
            },
        ),
        Miss::Subject { own, likeness } => {
            let kind = if *own == attributes.user.username { USER_KIND } else { GROUP_KIND };
            let row = match (likeness, kind) {
                (Likeness::Prefix, USER_KIND) => 27,
                (Likeness::Prefix, _) => 28,
                (Likeness::Spelling, GROUP_KIND) => 29,
                _ => 30,
            };
            let how = match likeness {
                Likeness::Prefix => "with another prefix",
                Likeness::Spelling => "with other letters",
                Likeness::Kind => "as the wrong kind",
            };
            let command = near.binding.kind().to_lowercase();
            let line = format!(
                "kubectl set subject {command} {} {}{place}",
                plain_name(near.binding),
                flag_of(kind, own)
            );
            Near {
                row,
                said: format!(
                    "{gives}, which would allow it; the API server knows {kind} {own}: it is named {how}"
                ),
                pair: Some(((*own).to_owned(), near.subject.name.clone())),
                mend: at_rbac(line),
            }
        }
        Miss::Verb(rule) => {
            let is_half = question.is_upgraded()
                && rule.verbs.iter().any(|own| ["get", "create"].contains(&own.as_str()) && own != verb);
            let has = rule.verbs.join(", ");
            Near {
                row: if is_half { 31 } else { 30 },
                said: format!("{gives}, which allows {has} there and not {verb}"),
                pair: is_half.then(|| ("get and create".to_owned(), verb.to_owned())),
                mend: changed(rule, &|rule| rule.verbs.push(verb.to_owned())),
            }
        }
        Miss::Name(rule) => {
            let Target::Resource(target) = &question.target else { return plain(gives, own_role()) };
            let names = rule.resource_names.join(", ");
            if target.name.is_empty() {
                let said = format!(
                    "{gives}, which is for the objects named {names} only: {verb} names no object, so resourceNames never allow it"
                );
                return plain(
                    said,
                    changed(rule, &|rule| {
                        // The others keep their names.
                        rule.resource_names.clear();
                        rule.verbs = vec![verb.to_owned()];
                        rule.resources.retain(|own| own == &target.resource || own == "*");
                    }),
                );
            }
            plain(
                format!("{gives}, which is for the objects named {names} only"),
                changed(rule, &|rule| rule.resource_names.push(target.name.clone())),
            )
        }
        Miss::ApiGroup(rule) => {
            let Target::Resource(target) = &question.target else { return plain(gives, own_role()) };
            let shown = |group: &str| {
                if group.is_empty() { "\"\" (the core group)".to_owned() } else { group.to_owned() }
            };
            let has: Vec<_> = rule.api_groups.iter().map(|group| shown(group)).collect();
            let (resource, group) = (&target.resource, shown(&target.api_group));
            plain(
                format!(
                    "{gives}, which allows it in the API group {}; {resource} are in {group}",
                    has.join(", ")
                ),
                changed(rule, &|rule| rule.api_groups = vec![target.api_group.clone()]),
            )
        }
        Miss::Resource(rule) => {
            let Target::Resource(target) = &question.target else { return plain(gives, own_role()) };
            let full = if target.subresource.is_empty() {
                target.resource.clone()
            } else {
                format!("{}/{}", target.resource, target.subresource)
            };
            let has = rule.resources.join(", ");
            plain(
                format!("{gives}, which allows it on {has}; a rule has to name {full}"),
                changed(rule, &|rule| rule.resources.push(full.clone())),
            )
        }
        Miss::Namespace => {
            let (namespace, wanted) =
                (namespace_of(near.binding).unwrap_or_default(), attributes.namespace());
            let flag = flag_of_subject(near.subject, near.binding);
            let name = plain_name(near.binding);
            let line = match near.role.kind.as_str() {
                "ClusterRole" => format!(
                    "kubectl -n {wanted} create rolebinding {name} --clusterrole={} {flag}",
                    near.role.name
                ),
                _ => {
                    return plain(
                        format!("{gives}, which allows it in the namespace {namespace}, and not in {wanted}"),
                        own_role(),
                    );
                }
            };
            plain(
                format!("{gives}, which allows it in the namespace {namespace}, and not in {wanted}"),
                at_rbac(line),
            )
        }
        Miss::Scope => {
            let namespace = namespace_of(near.binding).unwrap_or_default();
            let flag = flag_of_subject(near.subject, near.binding);
            let why = if question.is_namespaced == Some(false) {
                format!("{} are in no namespace", question.resource())
            } else {
                "the question is about all of them".to_owned()
            };
            let mend = match near.role.kind.as_str() {
                "ClusterRole" => at_rbac(format!(
                    "kubectl create clusterrolebinding {} --clusterrole={} {flag}",
                    plain_name(near.binding),
                    near.role.name
                )),
                _ => own_role(),
            };
            plain(format!("{gives}, which counts in the namespace {namespace} only; {why}"), mend)
        }
    }
}

/// `pods/exec`, `deployments.apps/scale` as kubectl's `create role` takes it.
fn resource_of_command(question: &Question) -> String {
    match &question.target {
        Target::NonResource { path } => path.clone(),
        Target::Resource(target) => {
            let mut resource = target.resource.clone();
            if !target.api_group.is_empty() {
                resource.extend([".", &target.api_group]);
            }
            if !target.subresource.is_empty() {
                resource.extend(["/", &target.subresource]);
            }
            resource
        }
    }
}

#[cfg(test)]
mod tests;
