//! The rules about what claims come to: mappings and rules.

use std::collections::HashSet;

use kubesso_k8s_types::authentication_configuration::{
    ClaimMappings, ClaimValidationRule, ExtraMapping, JwtAuthenticator, PrefixedClaimOrExpression,
    UserValidationRule,
};

use super::{Advice, FORM, Found};
use crate::lint::cel_scan::selects;

/// The row of mappings whose prefix is missing or too much.
const PREFIX: u8 = 36;

/// In the API server's words.
const EMAIL_VERIFIED: &str = "claims.email_verified must be used in claimMappings.username.expression or \
                              claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used \
                              in claimMappings.username.expression";

const BOTH: &str = "claim and expression can't both be set";
const NEITHER: &str = "claim or expression is required";

fn form<'a>(what: &'a str, instead: &str) -> Advice<'a> {
    Advice { row: FORM, what, instead: instead.to_owned() }
}

impl Found {
    pub(super) fn claims(&mut self, jwt: &JwtAuthenticator, path: &str) {
        // Whether the address was verified is asked in any of these.
        let mut asked =
            self.claim_rules(&jwt.claim_validation_rules, &format!("{path}.claimValidationRules"));
        let mappings = format!("{path}.claimMappings");
        let ClaimMappings { username, groups, uid, extra } = &jwt.claim_mappings;
        let is_right = self.prefixed(username, &format!("{mappings}.username"), true);
        self.prefixed(groups, &format!("{mappings}.groups"), false);
        let field = format!("{mappings}.uid");
        if !uid.claim.is_empty() && !uid.expression.is_empty() {
            self.invalid(&field, "", BOTH, form("there are a claim and an expression", "one of the two"));
        } else if !uid.expression.is_empty() {
            self.expressions.push(format!("{field}.expression"));
        }
        asked |= self.extra(extra, &mappings);
        asked |= is_right && selects(&username.expression, "email_verified");
        if is_right && selects(&username.expression, "email") && !asked {
            let advice = form(
                "the name is made of an address that nobody has to have verified",
                "claimValidationRules: [{expression: \"claims.?email_verified.orValue(true) == true\", message: \"the e-mail \
                 address is not verified\"}]",
            );
            self.invalid(
                &format!("{mappings}.username.expression"),
                &username.expression,
                EMAIL_VERIFIED,
                advice,
            );
        }
        self.user_rules(&jwt.user_validation_rules, &format!("{path}.userValidationRules"));
    }

    /// Whether a rule asks for `email_verified`.
    fn claim_rules(&mut self, rules: &[ClaimValidationRule], path: &str) -> bool {
        let (mut claims, mut expressions) = (HashSet::new(), HashSet::new());
        let mut asked = false;
        for (index, rule) in rules.iter().enumerate() {
            let path = format!("{path}[{index}]");
            match (rule.claim.is_empty(), rule.expression.is_empty()) {
                (false, false) => {
                    let advice = form("there are a claim and an expression", "two rules, one of each");
                    self.invalid(&path, &rule.claim, BOTH, advice);
                }
                (true, true) => {
                    let instead =
                        "{claim: NAME, requiredValue: TEXT}, or {expression: \"…\", message: \"…\"}";
                    self.required(&path, NEITHER, form("the rule is empty", instead));
                }
                (false, true) => {
                    if !rule.message.is_empty() {
                        let advice = form(
                            "a rule about a claim has no message",
                            "leave `message` out (requiredValue: what the claim must say)",
                        );
                        let detail = "may not be specified when claim is set";
                        self.invalid(&format!("{path}.message"), &rule.message, detail, advice);
                    }
                    if !claims.insert(&rule.claim) {
                        let instead = "one rule for each claim; an expression for one of several values";
                        self.duplicate(&format!("{path}.claim"), &rule.claim, instead);
                    }
                }
                (true, false) => {
                    if !rule.required_value.is_empty() {
                        let advice =
                            form("an expression has no value beside it", "put the value into the expression");
                        let detail = "may not be specified when expression is set";
                        self.invalid(&format!("{path}.requiredValue"), &rule.required_value, detail, advice);
                    }
                    let field = format!("{path}.expression");
                    if expressions.insert(&rule.expression) {
                        asked |= selects(&rule.expression, "email_verified");
                        self.expressions.push(field);
                    } else {
                        self.duplicate(&field, &rule.expression, "each expression once");
                    }
                }
            }
        }
        asked
    }

    /// Whether nothing is wrong with it.
    fn prefixed(&mut self, mapping: &PrefixedClaimOrExpression, path: &str, is_required: bool) -> bool {
        let before = self.problems.len();
        match (mapping.claim.is_empty(), mapping.expression.is_empty()) {
            (false, false) => {
                self.invalid(path, "", BOTH, form("there are a claim and an expression", "one of the two"));
            }
            (true, true) if is_required => {
                let instead = "username: {claim: sub, prefix: \"\"}";
                self.required(path, NEITHER, form("nothing says what the name is made of", instead));
            }
            (true, false) => {
                if let Some(prefix) = &mapping.prefix {
                    let advice = Advice {
                        row: PREFIX,
                        what: "an expression has no prefix",
                        instead: format!("expression: \"'{prefix}' + ({})\"", mapping.expression),
                    };
                    let detail = "may not be specified when expression is set";
                    self.invalid(&format!("{path}.prefix"), prefix, detail, advice);
                }
                self.expressions.push(format!("{path}.expression"));
            }
            (false, true) if mapping.prefix.is_none() => {
                let advice = Advice {
                    row: PREFIX,
                    what: "the mapping of a claim has no prefix",
                    instead: "prefix: \"\"   # or what is to stand before every name, such as \"oidc:\""
                        .to_owned(),
                };
                let detail = "prefix is required when claim is set. It can be set to an empty string to disable prefixing";
                self.required(&format!("{path}.prefix"), detail, advice);
            }
            (_, true) => {}
        }
        self.problems.len() == before
    }

    /// Whether one of them asks for `email_verified`.
    fn extra(&mut self, extra: &[ExtraMapping], path: &str) -> bool {
        let mut seen = HashSet::new();
        let mut asked = false;
        for (index, mapping) in extra.iter().enumerate() {
            let path = format!("{path}.extra[{index}]");
            let field = format!("{path}.key");
            self.extra_key(&mapping.key, &field);
            if !seen.insert(&mapping.key) {
                self.duplicate(&field, &mapping.key, "each key once; its value may be a list");
                continue;
            }
            let field = format!("{path}.valueExpression");
            if mapping.value_expression.is_empty() {
                self.required(&field, "", form("there is no value", "valueExpression: \"claims.NAME\""));
                continue;
            }
            asked |= selects(&mapping.value_expression, "email_verified");
            self.expressions.push(field);
        }
        asked
    }

    /// `IsDomainPrefixedPath`, lower case, and none of Kubernetes' own domains.
    fn extra_key(&mut self, key: &str, field: &str) {
        let advice = |what| form(what, "key: example.com/name");
        match key.split_once('/') {
            _ if key.is_empty() => self.required(field, "", advice("there is no key")),
            Some((domain, path)) if !domain.is_empty() && !path.is_empty() => {
                if domain.len() > 253 {
                    self.invalid(
                        field,
                        domain,
                        "must be no more than 253 characters",
                        advice("its domain is too long"),
                    );
                }
                if !is_subdomain(domain) {
                    self.invalid(
                        field,
                        domain,
                        NO_SUBDOMAIN,
                        advice("what stands before the slash is no domain"),
                    );
                }
                if !path
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte))
                {
                    self.invalid(field, path, NO_PATH, advice("what stands behind the slash is no path"));
                }
            }
            _ => {
                let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
                self.invalid(field, key, detail, advice("it has no domain before a slash"));
            }
        }
        let lower = key.to_lowercase();
        if key != lower {
            self.invalid(
                field,
                key,
                "must be lowercase",
                form("it is not in lower case", &format!("key: {lower}")),
            );
        }
        let domain = key.split_once('/').map(|(domain, _)| domain).unwrap_or_default();
        let is_theirs =
            |own: &str| domain == own || domain.strip_suffix(own).is_some_and(|before| before.ends_with('.'));
        if is_theirs("kubernetes.io") || is_theirs("k8s.io") {
            let detail = "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use";
            self.invalid(field, key, detail, advice("its domain is Kubernetes' own"));
        }
    }

    fn user_rules(&mut self, rules: &[UserValidationRule], path: &str) {
        let mut seen = HashSet::new();
        for (index, rule) in rules.iter().enumerate() {
            let field = format!("{path}[{index}].expression");
            if rule.expression.is_empty() {
                let instead = "expression: \"!user.username.startsWith('system:')\"";
                self.required(&field, "", form("the rule is empty", instead));
            } else if seen.insert(&rule.expression) {
                self.expressions.push(field);
            } else {
                self.duplicate(&field, &rule.expression, "each expression once");
            }
        }
    }
}

const NO_SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
                            start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
                            '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const NO_PATH: &str = r"Invalid path (regex used for validation is '[A-Za-z0-9/\-._~%!$&'()*+,;=:]+')";

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(|label| {
        let inside =
            label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        inside && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    })
}
