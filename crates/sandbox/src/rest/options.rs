//! The options of a request, from its query (and for a deletion its body): parsed once, refused with upstream's
//! texts.

use serde::Deserialize;
use serde_json::{Value, json};

use kubesso_k8s_types::meta::GroupResource;

use crate::schema::FieldValidation;
use crate::status::ApiError;
use crate::status::field::{self, FieldError};

/// A decoded query string; repeated names are kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses `a=b&c`.
    pub(crate) fn parse(text: &str) -> Self {
        Self(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The first value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Upstream's conversion: absent, `false` and `0` are no, all else is yes.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value != "0" && !value.eq_ignore_ascii_case("false"))
    }

    fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            let why = format!("strconv.ParseInt: parsing {}: invalid syntax", crate::status::quoted(text));
            ApiError::bad_request(why)
        })
    }
}

/// Options of `POST`, `PUT` and `PATCH`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WriteOptions {
    /// Everything is done but the writing.
    pub(crate) dry_run: bool,
    /// What is done about unknown fields.
    pub(crate) field_validation: FieldValidation,
}

impl WriteOptions {
    /// `kind` is upstream's name of the options: `CreateOptions`.
    pub(crate) fn parse(query: &Query, kind: &str) -> Result<Self, ApiError> {
        let mut errors = Vec::new();
        let dry_run = query.all("dryRun");
        check_dry_run(&dry_run, &mut errors);
        if let Some(manager) = query.get("fieldManager") {
            if manager.len() > 128 {
                errors.push(field::too_long("fieldManager", 128));
            }
            if let Some(at) = manager.find(|character: char| character.is_control()) {
                let why = format!("should not contain unprintable character: position {at}");
                errors.push(field::invalid("fieldManager", &json!(manager), &why));
            }
        }
        let asked = query.get("fieldValidation").unwrap_or_default();
        let field_validation = FieldValidation::parse(asked).unwrap_or_else(|| {
            let supported = &["", "Ignore", "Strict", "Warn"];
            errors.push(field::not_supported("fieldValidation", asked, supported));
            FieldValidation::Warn
        });
        refuse(kind, &errors)?;
        Ok(Self { dry_run: !dry_run.is_empty(), field_validation })
    }
}

/// Options of a list or watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListOptions {
    /// Events instead of a list.
    pub(crate) watch: bool,
    /// `BOOKMARK` events are welcome.
    pub(crate) bookmarks: bool,
    /// The watch begins with the present objects and a bookmark.
    pub(crate) send_initial_events: Option<bool>,
    /// Empty, `0` or a number.
    pub(crate) resource_version: String,
    /// Empty, `Exact` or `NotOlderThan`.
    pub(crate) resource_version_match: String,
    /// Seconds after which the watch ends.
    pub(crate) timeout_seconds: Option<u64>,
    /// How many objects a page has; `None` is all.
    pub(crate) limit: Option<usize>,
    /// Where the next page begins.
    pub(crate) continue_token: String,
}

impl ListOptions {
    /// Parses the query.
    pub(crate) fn parse(query: &Query) -> Result<Self, ApiError> {
        let text = |name| query.get(name).unwrap_or_default().to_owned();
        let options = Self {
            watch: query.flag("watch"),
            bookmarks: query.flag("allowWatchBookmarks"),
            send_initial_events: query.get("sendInitialEvents").map(|_| query.flag("sendInitialEvents")),
            resource_version: text("resourceVersion"),
            resource_version_match: text("resourceVersionMatch"),
            timeout_seconds: query.integer("timeoutSeconds")?.and_then(|seconds| u64::try_from(seconds).ok()),
            limit: query
                .integer("limit")?
                .and_then(|limit| usize::try_from(limit).ok())
                .filter(|limit| *limit > 0),
            continue_token: text("continue"),
        };
        options.check()?;
        Ok(options)
    }

    /// apimachinery `pkg/apis/meta/internalversion/validation`.
    fn check(&self) -> Result<(), ApiError> {
        let mut errors = Vec::new();
        let name = "resourceVersionMatch";
        if self.watch && self.send_initial_events.is_some() {
            if self.resource_version_match != "NotOlderThan" {
                let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
                errors.push(field::forbidden(name, why));
            }
            return refuse("ListOptions", &errors);
        }
        if self.send_initial_events.is_some() {
            errors.push(field::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
        }
        if !self.resource_version_match.is_empty() {
            if self.watch {
                errors.push(field::forbidden(name, "resourceVersionMatch is forbidden for watch"));
            }
            if self.resource_version.is_empty() {
                let why = "resourceVersionMatch is forbidden unless resourceVersion is provided";
                errors.push(field::forbidden(name, why));
            }
            if !self.continue_token.is_empty() {
                errors.push(field::forbidden(
                    name,
                    "resourceVersionMatch is forbidden when continue is provided",
                ));
            }
            if !matches!(self.resource_version_match.as_str(), "Exact" | "NotOlderThan") {
                let supported = &["Exact", "NotOlderThan", ""];
                errors.push(field::not_supported(name, &self.resource_version_match, supported));
            }
            if self.resource_version_match == "Exact" && self.resource_version == "0" {
                errors.push(field::forbidden(
                    name,
                    "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
                ));
            }
        }
        refuse("ListOptions", &errors)
    }
}

/// What becomes of the objects that the deleted one owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Propagation {
    /// They are deleted after it.
    Background,
    /// They are deleted before it.
    Foreground,
    /// They stay, without an owner.
    Orphan,
}

/// Options of a deletion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeleteOptions {
    /// Everything is done but the deleting.
    pub(crate) dry_run: bool,
    /// Zero is at once.
    pub(crate) grace_period_seconds: Option<i64>,
    /// The object must have this UID.
    pub(crate) uid: Option<String>,
    /// The object must have this resource version.
    pub(crate) resource_version: Option<String>,
    /// `None` is the kind's default.
    pub(crate) propagation: Option<Propagation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DeleteOptionsBody {
    dry_run: Option<Vec<String>>,
    grace_period_seconds: Option<i64>,
    preconditions: Option<Preconditions>,
    orphan_dependents: Option<bool>,
    propagation_policy: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Preconditions {
    uid: Option<String>,
    resource_version: Option<String>,
}

impl DeleteOptions {
    /// From the body if there is one, else from the query.
    pub(crate) fn parse(query: &Query, body: Option<Value>) -> Result<Self, ApiError> {
        let body = match body {
            Some(body) => {
                check_kind(&body)?;
                serde_json::from_value(body).map_err(|error| {
                    ApiError::bad_request(format!("cannot read the DeleteOptions: {error}"))
                })?
            }
            None => DeleteOptionsBody {
                dry_run: Some(query.all("dryRun").into_iter().map(str::to_owned).collect()),
                grace_period_seconds: query.integer("gracePeriodSeconds")?,
                preconditions: None,
                orphan_dependents: query.get("orphanDependents").map(|_| query.flag("orphanDependents")),
                propagation_policy: query.get("propagationPolicy").map(str::to_owned),
            },
        };
        let mut errors = Vec::new();
        let dry_run = body.dry_run.unwrap_or_default();
        check_dry_run(&dry_run.iter().map(String::as_str).collect::<Vec<_>>(), &mut errors);
        let propagation = match (body.propagation_policy.as_deref(), body.orphan_dependents) {
            (Some(policy), Some(_)) => {
                let why = "orphanDependents and deletionPropagation cannot be both set";
                errors.push(field::invalid("propagationPolicy", &json!(policy), why));
                None
            }
            (None | Some(""), None) => None,
            (None, Some(true)) | (Some("Orphan"), None) => Some(Propagation::Orphan),
            (None, Some(false)) | (Some("Background"), None) => Some(Propagation::Background),
            (Some("Foreground"), None) => Some(Propagation::Foreground),
            (Some(other), None) => {
                let supported = &["Foreground", "Background", "Orphan", "nil"];
                errors.push(field::not_supported("propagationPolicy", other, supported));
                None
            }
        };
        refuse("DeleteOptions", &errors)?;
        let preconditions = body.preconditions.unwrap_or_default();
        Ok(Self {
            dry_run: !dry_run.is_empty(),
            grace_period_seconds: body.grace_period_seconds,
            uid: preconditions.uid,
            resource_version: preconditions.resource_version,
            propagation,
        })
    }
}

fn check_kind(body: &Value) -> Result<(), ApiError> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    match (text("kind"), text("apiVersion")) {
        ("" | "DeleteOptions", _) => Ok(()),
        (kind, version) => {
            let version = if version.is_empty() { "meta.k8s.io/v1" } else { version };
            Err(ApiError::bad_request(format!(
                "no kind {} is registered for version {} in scheme \"pkg/runtime/scheme.go:111\"",
                crate::status::quoted(kind),
                crate::status::quoted(version)
            )))
        }
    }
}

fn check_dry_run(values: &[&str], errors: &mut Vec<FieldError>) {
    if values.iter().any(|value| *value != "All") {
        errors.push(FieldError {
            reason: "FieldValueNotSupported".to_owned(),
            message: format!("Unsupported value: {}: supported values: \"All\"", json!(values)),
            field: "dryRun".to_owned(),
        });
    }
}

fn refuse(kind: &str, errors: &[FieldError]) -> Result<(), ApiError> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(&GroupResource::new("meta.k8s.io", kind), "", errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Messages recorded from kube-apiserver 1.36.3.
    #[test]
    fn wrong_options_are_refused_with_upstream_s_texts() {
        let write = |query| WriteOptions::parse(&Query::parse(query), "CreateOptions").map(drop);
        let list = |query| ListOptions::parse(&Query::parse(query)).map(drop);
        let delete = |body| DeleteOptions::parse(&Query::default(), Some(body)).map(drop);
        for (result, code, message) in [
            (
                write("fieldValidation=Foo"),
                422,
                "CreateOptions.meta.k8s.io \"\" is invalid: fieldValidation: Unsupported value: \"Foo\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"",
            ),
            (
                write("dryRun=foo"),
                422,
                "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"foo\"]: supported values: \"All\"",
            ),
            (list("limit=x"), 400, "strconv.ParseInt: parsing \"x\": invalid syntax"),
            (
                list("resourceVersionMatch=Exact"),
                422,
                "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
            ),
            (
                delete(json!({"propagationPolicy": "Foo"})),
                422,
                "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Foo\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
            ),
            (
                delete(json!({"kind": "Foo"})),
                400,
                "no kind \"Foo\" is registered for version \"meta.k8s.io/v1\" in scheme \"pkg/runtime/scheme.go:111\"",
            ),
        ] {
            let error = result.unwrap_err();
            assert_eq!((error.0.code, error.0.message.as_str()), (code, message));
        }
    }

    #[test]
    fn flags_are_read_as_upstream_reads_them() {
        for (query, expected) in [
            ("", false),
            ("watch", true),
            ("watch=", true),
            ("watch=0", false),
            ("watch=False", false),
            ("watch=no", true),
        ] {
            assert_eq!(Query::parse(query).flag("watch"), expected, "{query}");
        }
    }

    #[test]
    fn deletion_options_come_from_the_body_or_the_query() {
        let body = json!({"preconditions": {"uid": "u"}, "gracePeriodSeconds": 0, "propagationPolicy": "Foreground"});
        let options = DeleteOptions::parse(&Query::default(), Some(body)).unwrap();
        assert_eq!(options.uid.as_deref(), Some("u"));
        assert_eq!(options.propagation, Some(Propagation::Foreground));
        let options =
            DeleteOptions::parse(&Query::parse("dryRun=All&propagationPolicy=Orphan"), None).unwrap();
        assert!(options.dry_run);
        assert_eq!(options.propagation, Some(Propagation::Orphan));
    }
}
