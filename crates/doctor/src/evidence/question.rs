//! May somebody do that? As `kubectl auth can-i` is asked, or as the sentence of a refusal says it.

use std::sync::LazyLock;

use kubesso_authz::{ResourceTarget, Target};
use regex::Regex;

use super::resources;

/// Something that somebody wants to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The verb: `delete`, or an HTTP method in small letters for a path.
    pub verb: String,
    /// What with.
    pub target: Target,
    /// Whom the refusal names, if the question is one.
    pub refused: Option<String>,
    /// Whether the resource is one that every cluster has; of others the cluster says the names.
    pub(crate) is_known: bool,
    /// Whether it has objects in namespaces; not known of what is not known.
    pub(crate) is_namespaced: Option<bool>,
}

/// Why a text is no question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no question: {problem}; write it as for kubectl auth can-i, 'delete pods/web -n shop', or paste the refusal"
)]
pub struct NoQuestion {
    text: String,
    problem: String,
}

/// What a resource may have below it. `kubectl auth can-i get pods/log` asks for a pod that is called `log`; nobody means that.
const SUBRESOURCES: &[&str] = &[
    "approval",
    "attach",
    "binding",
    "ephemeralcontainers",
    "eviction",
    "exec",
    "finalize",
    "log",
    "portforward",
    "proxy",
    "resize",
    "scale",
    "status",
    "token",
];

/// The subresources that are upgraded: exec, attach and port-forward.
pub(crate) const UPGRADED: [&str; 3] = ["exec", "attach", "portforward"];

impl Question {
    /// Reads a question; `namespace` is where it is about if it says nothing else.
    ///
    /// # Errors
    /// It has no verb, or nothing to do it with, or a flag that is not known.
    pub fn parse(text: &str, namespace: &str) -> Result<Self, NoQuestion> {
        if let Some(refusal) = of_refusal(text) {
            return Ok(refusal);
        }
        let no = |problem: String| NoQuestion { text: shortened(text), problem };
        let mut plain = Vec::new();
        let (mut namespace, mut subresource) = (namespace.to_owned(), None);
        let mut words = text.split_whitespace();
        while let Some(word) = words.next() {
            let (flag, mut value) = match word.split_once('=') {
                Some((flag, value)) if flag.starts_with('-') => (flag, Some(value.to_owned())),
                _ => (word, None),
            };
            let mut value = |flag: &str| {
                let value = value.take().or_else(|| words.next().map(str::to_owned));
                value.ok_or_else(|| no(format!("{flag} says nothing")))
            };
            match flag {
                "-n" | "--namespace" => namespace = value(flag)?,
                "-A" | "--all-namespaces" => namespace.clear(),
                "--subresource" => subresource = Some(value(flag)?),
                // People copy the whole command.
                "kubectl" | "auth" | "can-i" if plain.is_empty() => {}
                flag if flag.starts_with('-') => return Err(no(format!("{flag} is not known here"))),
                _ => plain.push(word),
            }
        }
        let [verb, what] = plain.as_slice() else {
            return Err(no("it is not a verb and one thing".to_owned()));
        };
        let verb = verb.to_lowercase();
        if what.starts_with('/') {
            let target = Target::NonResource { path: (*what).to_owned() };
            return Ok(Self { verb, target, refused: None, is_known: true, is_namespaced: None });
        }
        let mut parts = what.splitn(3, '/');
        let (kind, second, third) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        let (name, below) = match (second, third) {
            (Some(below), None) if subresource.is_none() && SUBRESOURCES.contains(&below) => {
                ("", Some(below))
            }
            (name, below) => (name.unwrap_or_default(), below),
        };
        let subresource = subresource.or_else(|| below.map(str::to_owned)).unwrap_or_default();
        Ok(Self::about(verb, kind, &subresource, name, namespace))
    }

    /// About a resource as people write it: `pods`, `deploy`, `deployments.apps`, `widgets.v1.example.com`.
    fn about(verb: String, kind: &str, subresource: &str, name: &str, namespace: String) -> Self {
        let (plain, group) = match kind.split_once('.') {
            Some((plain, group)) => (plain, Some(group)),
            None => (kind, None),
        };
        let known = resources::known(plain, group);
        let resource = known.map_or_else(|| plain.to_lowercase(), |known| known.plural.to_owned());
        let api_group = match known {
            Some(known) => known.group.to_owned(),
            None => group.unwrap_or_default().to_owned(),
        };
        let is_namespaced = known.map(|known| known.is_namespaced);
        let mut target = ResourceTarget {
            api_group,
            api_version: "*".to_owned(),
            resource,
            subresource: subresource.to_owned(),
            name: name.to_owned(),
            ..ResourceTarget::default()
        };
        target.namespace = match is_namespaced {
            // A Namespace is asked about in itself (`request_info`).
            Some(false) if target.resource == "namespaces" => name.to_owned(),
            Some(false) => String::new(),
            _ => namespace,
        };
        Self {
            verb,
            target: Target::Resource(target),
            refused: None,
            is_known: known.is_some(),
            is_namespaced,
        }
    }

    /// What the cluster says of a resource that not every cluster has.
    pub(crate) fn resolve(&mut self, plural: &str, group: &str, is_namespaced: bool) {
        if let Target::Resource(target) = &mut self.target {
            plural.clone_into(&mut target.resource);
            group.clone_into(&mut target.api_group);
            if !is_namespaced {
                target.namespace.clear();
            }
        }
        self.is_known = true;
        self.is_namespaced = Some(is_namespaced);
    }

    /// What exactly is asked, for readers.
    pub fn shown(&self) -> String {
        let verb = &self.verb;
        match &self.target {
            Target::NonResource { path } => format!("{verb} {path}"),
            Target::Resource(target) => {
                let name =
                    if target.name.is_empty() { String::new() } else { format!(" \"{}\"", target.name) };
                let place = match (target.namespace.as_str(), self.is_namespaced) {
                    _ if target.resource == "namespaces" => String::new(),
                    ("", Some(false)) => " of the cluster".to_owned(),
                    ("", _) => " in all namespaces".to_owned(),
                    (namespace, _) => format!(" in the namespace {namespace}"),
                };
                format!("{verb} {}{name}{place}", self.resource())
            }
        }
    }

    /// `pods/log`, `deployments.apps`, or a path.
    pub(crate) fn resource(&self) -> String {
        match &self.target {
            Target::NonResource { path } => path.clone(),
            Target::Resource(target) => {
                let below = Some(&target.subresource).filter(|it| !it.is_empty());
                let group = Some(&target.api_group).filter(|it| !it.is_empty());
                let mut written = target.resource.clone();
                written.extend(below.map(|below| format!("/{below}")));
                written.extend(group.map(|group| format!(".{group}")));
                written
            }
        }
    }

    /// The command that asks the same.
    pub(crate) fn command(&self) -> String {
        let verb = &self.verb;
        match &self.target {
            Target::NonResource { path } => format!("kubectl auth can-i {verb} {path}"),
            Target::Resource(target) => {
                let mut command = format!("kubectl auth can-i {verb} {}", target.resource);
                if !target.api_group.is_empty() {
                    command.extend([".", &target.api_group]);
                }
                if !target.name.is_empty() {
                    command.extend(["/", &target.name]);
                }
                if !target.subresource.is_empty() {
                    command.extend([" --subresource=", &target.subresource]);
                }
                match (target.namespace.as_str(), self.is_namespaced) {
                    (_, Some(false)) => {}
                    ("", _) => command.push_str(" -A"),
                    (namespace, _) => command.extend([" -n ", namespace]),
                }
                command
            }
        }
    }

    /// Whether it is about what needs both `get` and `create`.
    pub(crate) fn is_upgraded(&self) -> bool {
        matches!(&self.target, Target::Resource(target)
            if target.resource == "pods" && UPGRADED.contains(&target.subresource.as_str()))
    }
}

/// `pods "web" is forbidden: User "jo" cannot delete resource "pods" in API group "" in the namespace "shop"`
/// (`authz/src/forbidden.rs` writes it), wherever it stands in a text.
fn of_refusal(text: &str) -> Option<Question> {
    static RESOURCE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let quoted = r#""((?:[^"\\]|\\.)*)""#;
        Regex::new(&format!(
            r"(?:[a-z0-9.-]+ {quoted} is |is |)forbidden: User {quoted} cannot (\S+) resource {quoted} in API group {quoted} (?:in the namespace {quoted}|at the cluster scope)"
        ))
        .ok()
    });
    static PATH: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let quoted = r#""((?:[^"\\]|\\.)*)""#;
        Regex::new(&format!(r"forbidden: User {quoted} cannot (\S+) path {quoted}")).ok()
    });
    // A terminal, or a chat, breaks long lines.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(found) = RESOURCE.as_ref()?.captures(&text) {
        let part = |number| found.get(number).map(|it| unquoted(it.as_str())).unwrap_or_default();
        let (resource, subresource) = match part(4).split_once('/') {
            Some((resource, subresource)) => (resource.to_owned(), subresource.to_owned()),
            None => (part(4), String::new()),
        };
        let known = resources::known(&resource, Some(&part(5)));
        let target = ResourceTarget {
            namespace: part(6),
            api_group: part(5),
            api_version: "*".to_owned(),
            resource,
            subresource,
            name: part(1),
            ..ResourceTarget::default()
        };
        return Some(Question {
            verb: part(3),
            // The API server has resolved the names.
            is_known: true,
            is_namespaced: known.map(|known| known.is_namespaced),
            target: Target::Resource(target),
            refused: Some(part(2)),
        });
    }
    let found = PATH.as_ref()?.captures(&text)?;
    let part = |number| found.get(number).map(|it| unquoted(it.as_str())).unwrap_or_default();
    let target = Target::NonResource { path: part(3) };
    Some(Question { verb: part(2), target, refused: Some(part(1)), is_known: true, is_namespaced: None })
}

/// Go's quotes and HTML's, of what names may have in them.
fn unquoted(text: &str) -> String {
    let text = text.replace("\\\"", "\"").replace("\\\\", "\\");
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn shortened(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Question::parse(text, "default").map_or_else(|error| error.problem, |question| question.shown())
    }

    #[test]
    fn a_question_is_written_as_for_kubectl() {
        for (text, expected) in [
            ("delete pods/web -n shop", "delete pods \"web\" in the namespace shop"),
            ("list pods", "list pods in the namespace default"),
            ("list po --all-namespaces", "list pods in all namespaces"),
            ("get deploy/x --namespace=shop", "get deployments.apps \"x\" in the namespace shop"),
            ("LIST deployments.apps -nshop", "-nshop is not known here"),
            ("list nodes -n shop", "list nodes of the cluster"),
            ("get namespaces/shop", "get namespaces \"shop\""),
            ("get /healthz", "get /healthz"),
            ("create pods/exec -n shop", "create pods/exec in the namespace shop"),
            ("create pods/web/exec -n shop", "create pods/exec \"web\" in the namespace shop"),
            ("get pods/web --subresource=log", "get pods/log \"web\" in the namespace default"),
            ("get pods/log --subresource status", "get pods/status \"log\" in the namespace default"),
            (
                "kubectl auth can-i list widgets.example.com -n shop",
                "list widgets.example.com in the namespace shop",
            ),
            ("list", "it is not a verb and one thing"),
            ("list pods secrets", "it is not a verb and one thing"),
            ("list pods -n", "-n says nothing"),
            ("", "it is not a verb and one thing"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn a_refusal_is_a_question_with_a_user() {
        for (text, user, expected) in [
            (
                "Error from server (Forbidden): pods is forbidden: User \"jo\" cannot list resource \"pods\" in API group \"\" in the namespace \"shop\"",
                "jo",
                "kubectl auth can-i list pods -n shop",
            ),
            (
                "pods \"web\" is forbidden: User \"https://sso#jo\" cannot create resource\n \"pods/exec\" in API group \"\" in the namespace \"shop\": RBAC: role.rbac.authorization.k8s.io \"x\" not found",
                "https://sso#jo",
                "kubectl auth can-i create pods/web --subresource=exec -n shop",
            ),
            (
                "deployments.apps is forbidden: User \"a\\\"b&amp;c\" cannot list resource \"deployments\" in API group \"apps\" at the cluster scope",
                "a\"b&c",
                "kubectl auth can-i list deployments.apps -A",
            ),
            ("forbidden: User \"jo\" cannot get path \"/metrics\"", "jo", "kubectl auth can-i get /metrics"),
        ] {
            let question = Question::parse(text, "default").unwrap();
            assert_eq!((question.refused.as_deref(), question.command().as_str()), (Some(user), expected));
        }
    }

    #[test]
    fn what_the_command_says_is_read_as_the_same_question() {
        for text in [
            "delete pods/web -n shop",
            "list deploy -A",
            "get /healthz",
            "get pods/log",
            "list nodes",
            "get ns/a",
        ] {
            let question = Question::parse(text, "default").unwrap();
            assert_eq!(Question::parse(&question.command(), "other").unwrap().command(), question.command());
        }
    }
}
