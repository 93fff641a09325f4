//! Settings with which the API server does not start: rows 33 to 42, 61, 62; 55 and 56 beside them.

use serde_json::Value;

use super::{Check, SETTINGS, issuer::host_of};
use crate::evidence::{Evidence, Settings};
use crate::place::Target;
use crate::verdict::{Found, Verdict, error, missing, pass, warning};

pub(super) const CHECKS: &[Check] = &[
    (33, https),
    (34, file_or_flags),
    (35, anonymous),
    (36, prefixes),
    (37, certificate_authority_is_pem),
    (38, fields),
    (39, files_are_mounted),
    (40, feature_gates),
    (41, issuer_and_client),
    (55, cloud_prefixes),
    (61, nothing_twice),
    (62, node_mode),
];

fn with_settings(evidence: &Evidence, check: impl FnOnce(&Settings) -> Verdict) -> Verdict {
    evidence.settings.as_ref().map_or_else(|| missing(SETTINGS), check)
}

/// The AuthenticationConfiguration's content, for checks that speak of it only.
fn with_file(evidence: &Evidence, check: impl FnOnce(&Value) -> Verdict) -> Verdict {
    let file = evidence.settings.as_ref().and_then(|settings| settings.authentication.as_ref());
    match file.map(|file| &file.value) {
        None => missing("an AuthenticationConfiguration (--authentication-config)"),
        Some(Err(_)) => missing("an AuthenticationConfiguration that is YAML (see KS038)"),
        Some(Ok(value)) => check(value),
    }
}

fn with_flags(evidence: &Evidence, check: impl FnOnce(&Settings) -> Verdict) -> Verdict {
    match evidence.settings.as_ref().filter(|settings| settings.has_flags) {
        None => missing("the API server's flags (--flags)"),
        Some(settings) => check(settings),
    }
}

/// The elements of `jwt`, with their path.
fn authenticators(file: &Value) -> impl Iterator<Item = (String, &Value)> {
    let list = file.get("jwt").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().enumerate().map(|(index, jwt)| (format!("jwt[{index}]"), jwt))
}

fn https(evidence: &Evidence) -> Verdict {
    let trusted = evidence.trusted();
    if trusted.is_empty() {
        return missing(SETTINGS);
    }
    let urls = trusted.iter().flat_map(|it| [Some(&it.url), it.discovery_url.as_ref()]).flatten();
    match urls.into_iter().find(|url| !url.to_ascii_lowercase().starts_with("https://")) {
        Some(url) => error("the API server does not start with an issuer that is not https")
            .pair("https://…", url)
            .into(),
        None => pass("every issuer is https"),
    }
}

fn file_or_flags(evidence: &Evidence) -> Verdict {
    with_settings(evidence, |settings| {
        let flags = settings.oidc_flags();
        let has_file = settings.flag("authentication-config").is_some()
            || settings.has_flags && settings.authentication.is_some();
        if has_file && !flags.is_empty() {
            let got = flags.iter().map(|flag| format!("--{flag}")).collect::<Vec<_>>().join(", ");
            return error("--authentication-config and flags for OpenID Connect are both there")
                .pair("one of the two", format!("--authentication-config, {got}"))
                .into();
        }
        pass("issuers come from flags or from a file, not from both")
    })
}

fn anonymous(evidence: &Evidence) -> Verdict {
    with_file(evidence, |file| {
        let flag = evidence.settings.as_ref().and_then(|settings| settings.flag("anonymous-auth"));
        match (flag, file.get("anonymous").filter(|it| !it.is_null())) {
            (Some(value), Some(_)) => error("the file has an `anonymous` block, and the flag is there too")
                .pair("one of the two", format!("--anonymous-auth={value} and anonymous:"))
                .into(),
            (None, Some(_)) if evidence.settings.as_ref().is_some_and(|it| matches!(it.target, Some(Target::Rke2 | Target::Talos))) => {
                warning("this kind of cluster passes --anonymous-auth by itself, beside the file's `anonymous` block").into()
            }
            _ => pass("anonymous requests are set in one place"),
        }
    })
}

fn prefixes(evidence: &Evidence) -> Verdict {
    with_file(evidence, |file| {
        for (path, jwt) in authenticators(file) {
            for name in ["username", "groups"] {
                let mapping = jwt.pointer(&format!("/claimMappings/{name}"));
                let has = |field: &str| mapping.and_then(|it| it.get(field)).is_some_and(|it| !it.is_null());
                let has_claim = mapping
                    .and_then(|it| it.get("claim"))
                    .and_then(Value::as_str)
                    .is_some_and(|it| !it.is_empty());
                if has_claim && !has("prefix") {
                    let field = format!("{path}.claimMappings.{name}");
                    return error(format!("{field} has a claim and no prefix")).fact("field", field).into();
                }
            }
        }
        pass("every mapping of a claim has a prefix")
    })
}

fn certificate_authority_is_pem(evidence: &Evidence) -> Verdict {
    with_file(evidence, |file| {
        for (path, jwt) in authenticators(file) {
            let authority =
                jwt.pointer("/issuer/certificateAuthority").and_then(Value::as_str).unwrap_or_default();
            if !authority.is_empty() && !authority.contains("-----BEGIN CERTIFICATE-----") {
                let field = format!("{path}.issuer.certificateAuthority");
                let got = if authority.starts_with('/') { "a path" } else { "something else" };
                return error(format!("{field} is {got}, not the certificate itself"))
                    .fact("field", field)
                    .into();
            }
        }
        pass("authorities are PEM")
    })
}

/// The fields of `apiserver.config.k8s.io/v1`, by the path that leads to them (`[]` for an element of a list).
const FIELDS: &[(&str, &[&str])] = &[
    ("", &["apiVersion", "kind", "jwt", "anonymous"]),
    ("anonymous", &["enabled", "conditions"]),
    ("anonymous.conditions[]", &["path"]),
    ("jwt[]", &["issuer", "claimValidationRules", "claimMappings", "userValidationRules"]),
    (
        "jwt[].issuer",
        &[
            "url",
            "discoveryURL",
            "certificateAuthority",
            "audiences",
            "audienceMatchPolicy",
            "egressSelectorType",
        ],
    ),
    ("jwt[].claimValidationRules[]", &["claim", "requiredValue", "expression", "message"]),
    ("jwt[].claimMappings", &["username", "groups", "uid", "extra"]),
    ("jwt[].claimMappings.username", &["claim", "prefix", "expression"]),
    ("jwt[].claimMappings.groups", &["claim", "prefix", "expression"]),
    ("jwt[].claimMappings.uid", &["claim", "expression"]),
    ("jwt[].claimMappings.extra[]", &["key", "valueExpression"]),
    ("jwt[].userValidationRules[]", &["expression", "message"]),
];

fn fields(evidence: &Evidence) -> Verdict {
    let file = evidence.settings.as_ref().and_then(|settings| settings.authentication.as_ref());
    let Some(file) = file else { return missing("an AuthenticationConfiguration (--authentication-config)") };
    let value = match &file.value {
        Ok(value) => value,
        Err(problem) => {
            return error(format!("the file cannot be read: {problem}")).fact("field", "the file").into();
        }
    };
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    if kind != "AuthenticationConfiguration" {
        return error("it is another kind of file")
            .pair("AuthenticationConfiguration", kind)
            .fact("field", "kind")
            .into();
    }
    let version = value.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    if !["v1", "v1beta1", "v1alpha1"]
        .iter()
        .any(|known| version == format!("apiserver.config.k8s.io/{known}"))
    {
        return error("the API server does not know this version")
            .pair("apiserver.config.k8s.io/v1", version)
            .fact("field", "apiVersion")
            .into();
    }
    match unknown_field(value, "", "") {
        Some(found) => found.into(),
        None => pass("every field is one that the API server knows"),
    }
}

/// The first field that is not known, or of another shape.
fn unknown_field(value: &Value, pattern: &str, path: &str) -> Option<Found> {
    let known = FIELDS.iter().find(|(place, _)| *place == pattern).map(|(_, fields)| *fields)?;
    let Some(object) = value.as_object() else {
        let found = error(format!("{path} is no mapping")).pair("a mapping", crate::evidence::kind(value));
        return (!value.is_null()).then(|| found.fact("field", path));
    };
    for (name, inner) in object {
        let joined = |place: &str| if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
        let (pattern, path) = (joined(pattern), joined(path));
        if !known.contains(&name.as_str()) {
            return Some(
                error(format!("{path} is not a field")).pair(known.join(", "), name).fact("field", path),
            );
        }
        let elements = format!("{pattern}[]");
        if FIELDS.iter().any(|(place, _)| *place == elements) {
            let Some(list) = inner.as_array() else {
                let found = error(format!("{path} is no list")).pair("a list", crate::evidence::kind(inner));
                if inner.is_null() {
                    continue;
                }
                return Some(found.fact("field", path));
            };
            for (index, element) in list.iter().enumerate() {
                if let Some(found) = unknown_field(element, &elements, &format!("{path}[{index}]")) {
                    return Some(found);
                }
            }
        } else if let Some(found) = unknown_field(inner, &pattern, &path) {
            return Some(found);
        }
    }
    None
}

fn files_are_mounted(evidence: &Evidence) -> Verdict {
    with_settings(evidence, |settings| {
        let Some(pod) = &settings.pod else { return missing("the API server's static pod (--flags FILE)") };
        for name in ["oidc-ca-file", "authentication-config"] {
            let Some(file) = settings.flag(name) else { continue };
            let is_mounted = pod.mounts.iter().any(|mount| {
                file.strip_prefix(mount.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || mount.ends_with('/'))
            });
            if !is_mounted {
                return error(format!("--{name} names {file}, and nothing is mounted there"))
                    .pair(pod.mounts.join(", "), file)
                    .fact("file", file)
                    .into();
            }
            // A single file keeps its old content when it is replaced: row 44 in the making.
            if name == "authentication-config" && pod.mounts.iter().any(|mount| mount == file) {
                return warning(format!(
                    "{file} is mounted as a single file: a replaced file does not reach the pod (KS044)"
                ))
                .pair("the directory mounted", format!("{file} mounted"))
                .fact("file", file)
                .into();
            }
        }
        pass("the files that flags name are mounted")
    })
}

fn feature_gates(evidence: &Evidence) -> Verdict {
    with_flags(evidence, |settings| {
        let gates = settings.all("feature-gates").flat_map(|value| value.split(','));
        let gone = gates.filter_map(|gate| gate.split('=').next()).find(|gate| {
            ["StructuredAuthenticationConfiguration", "AnonymousAuthConfigurableEndpoints"]
                .contains(&gate.trim())
        });
        match gone {
            Some(gate) => warning(format!("{gate} is on by itself, and newer versions do not start with it"))
                .fact("gate", gate)
                .into(),
            None => pass("no feature gate of the past is set"),
        }
    })
}

fn issuer_and_client(evidence: &Evidence) -> Verdict {
    with_flags(evidence, |settings| {
        let filled = |name| settings.flag(name).is_some_and(|value| !value.is_empty());
        let flags = settings.oidc_flags();
        if flags.is_empty() {
            return pass("no flag for OpenID Connect is set");
        }
        let lacking: Vec<_> =
            ["oidc-issuer-url", "oidc-client-id"].into_iter().filter(|name| !filled(name)).collect();
        if lacking.is_empty() {
            return pass("issuer and client are both set");
        }
        error(format!("--{} is missing", lacking.join(" and --")))
            .pair(
                "--oidc-issuer-url and --oidc-client-id",
                flags.iter().map(|flag| format!("--{flag}")).collect::<Vec<_>>().join(", "),
            )
            .into()
    })
}

fn cloud_prefixes(evidence: &Evidence) -> Verdict {
    with_settings(evidence, |settings| {
        if settings.target != Some(Target::Eks) {
            return pass("no managed cloud is named as the target");
        }
        for name in ["oidc-username-prefix", "oidc-groups-prefix"] {
            if let Some(prefix) = settings.flag(name).filter(|value| value.contains("system:")) {
                return error("EKS takes no prefix with system: in it")
                    .pair("a prefix without system:", prefix)
                    .into();
            }
        }
        pass("EKS takes these prefixes")
    })
}

fn nothing_twice(evidence: &Evidence) -> Verdict {
    let trusted = evidence.trusted();
    let Some(settings) = &evidence.settings else { return missing(SETTINGS) };
    for (index, one) in trusted.iter().enumerate() {
        if trusted.iter().take(index).any(|other| other.url == one.url) {
            let field = format!("jwt[{index}].issuer.url");
            return error(format!("the issuer {} is there twice", one.url))
                .pair("once", &one.url)
                .fact("field", field)
                .into();
        }
        if settings.all("service-account-issuer").any(|own| own == one.url) {
            return error(format!("{} is the issuer of service accounts", host_of(&one.url)))
                .pair("another than --service-account-issuer", &one.url)
                .into();
        }
        let twice = one
            .audiences
            .iter()
            .enumerate()
            .find(|(at, audience)| one.audiences.iter().take(*at).any(|it| it == *audience));
        if let Some((_, audience)) = twice {
            let field = format!("jwt[{index}].issuer.audiences");
            return error(format!("the audience {audience} is there twice"))
                .pair("once", audience)
                .fact("field", field)
                .into();
        }
    }
    pass("issuers and audiences are there once")
}

fn node_mode(evidence: &Evidence) -> Verdict {
    with_flags(evidence, |settings| {
        let Some(mode) = settings.flag("authorization-mode") else {
            return missing("--authorization-mode: the file does not set it");
        };
        let modes: Vec<_> = mode.split(',').map(str::trim).collect();
        if !modes.contains(&"RBAC") {
            return error("without RBAC no binding decides anything").pair("Node,RBAC", mode).into();
        }
        if !modes.contains(&"Node") {
            return error("without Node the kubelets are allowed nothing").pair("Node,RBAC", mode).into();
        }
        pass(format!("the authorization mode is {mode}"))
    })
}
