//! `ValidateAuthenticationConfiguration` of kube-apiserver (`pkg/apis/apiserver/validation`), rule by rule and in its order,
//! without compiling expressions.

mod claims;

use std::collections::HashSet;

use kubesso_k8s_types::authentication_configuration::{
    AuthenticationConfiguration, Issuer, JwtAuthenticator,
};
use kubesso_k8s_types::go::{quote, url};
use kubesso_kubeconfig::Reading;

use super::decoding::ROW as FORM;
use super::{Effect, Finding};
use crate::pem;

/// The rows of the doctor's catalogue.
const SCHEME: u8 = 33;
const CERTIFICATE_AUTHORITY: u8 = 37;
const NO_CLIENT: u8 = 41;
const TWICE: u8 = 61;

/// How many issuers there may be.
const MOST_ISSUERS: usize = 64;

/// What validation says.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) problems: Vec<Problem>,
    /// Fields with an expression that was not looked at.
    pub(super) expressions: Vec<String>,
}

/// One error.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) row: u8,
    pub(super) field: String,
    /// What stands behind the field in the API server's words.
    pub(super) body: String,
    pub(super) what: String,
    pub(super) got: Option<String>,
    pub(super) instead: String,
}

impl Problem {
    /// As it is said of a file.
    pub(super) fn in_file(self, reading: &Reading) -> Finding {
        Finding {
            row: self.row,
            effect: Effect::Refused,
            line: reading.line(&self.field),
            upstream: Some(format!("{}: {}", self.field, self.body)),
            field: self.field,
            what: self.what,
            got: self.got,
            instead: self.instead,
        }
    }
}

/// What to say of an error, besides the API server's words.
struct Advice<'a> {
    row: u8,
    what: &'a str,
    instead: String,
}

impl Found {
    fn required(&mut self, field: &str, detail: &str, advice: Advice<'_>) {
        let body =
            if detail.is_empty() { "Required value".to_owned() } else { format!("Required value: {detail}") };
        self.push(field, body, None, advice);
    }

    fn invalid(&mut self, field: &str, value: &str, detail: &str, advice: Advice<'_>) {
        self.push(field, format!("Invalid value: {}: {detail}", quote(value)), Some(value), advice);
    }

    fn duplicate(&mut self, field: &str, value: &str, instead: &str) {
        let advice = Advice { row: TWICE, what: "it is there already", instead: instead.to_owned() };
        self.push(field, format!("Duplicate value: {}", quote(value)), Some(value), advice);
    }

    fn push(&mut self, field: &str, body: String, got: Option<&str>, advice: Advice<'_>) {
        self.problems.push(Problem {
            row: advice.row,
            field: field.to_owned(),
            body,
            what: format!("{field}: {}", advice.what),
            got: got.filter(|got| !got.is_empty()).map(str::to_owned),
            instead: advice.instead,
        });
    }
}

/// Everything that is wrong with it. No issuer may be one of `disallowed`, those of service accounts.
pub(super) fn validate(configuration: &AuthenticationConfiguration, disallowed: &[String]) -> Found {
    let mut found = Found::default();
    let count = configuration.jwt.len();
    if count > MOST_ISSUERS {
        let advice = Advice {
            row: FORM,
            what: "there are too many issuers",
            instead: format!(
                "at most {MOST_ISSUERS} issuers; several audiences of one issuer belong into one entry"
            ),
        };
        found.push("jwt", format!("Too many: {count}: must have at most {MOST_ISSUERS} items"), None, advice);
        return found;
    }
    let (mut issuers, mut discovery_urls) = (HashSet::new(), HashSet::new());
    for (index, jwt) in configuration.jwt.iter().enumerate() {
        let path = format!("jwt[{index}]");
        found.authenticator(jwt, &path, disallowed);
        if !issuers.insert(&jwt.issuer.url) {
            let instead = "one entry for this issuer, with all its audiences";
            found.duplicate(&format!("{path}.issuer.url"), &jwt.issuer.url, instead);
        }
        if let Some(url) = jwt.issuer.discovery_url.as_ref().filter(|url| !url.is_empty())
            && !discovery_urls.insert(url)
        {
            let instead = "each issuer has a discovery document of its own";
            found.duplicate(&format!("{path}.issuer.discoveryURL"), url, instead);
        }
    }
    if let Some(anonymous) = &configuration.anonymous
        && !anonymous.enabled
        && !anonymous.conditions.is_empty()
    {
        let shown: Vec<_> =
            anonymous.conditions.iter().map(|it| format!("{{\"Path\":{}}}", quote(&it.path))).collect();
        let body = format!(
            "Invalid value: [{}]: enabled should be set to true when conditions are defined",
            shown.join(",")
        );
        let advice = Advice {
            row: FORM,
            what: "paths have a meaning only where requests without credentials are taken",
            instead:
                "anonymous: {enabled: true, conditions: [{path: /livez}, {path: /readyz}, {path: /healthz}]}"
                    .to_owned(),
        };
        found.push("anonymous.conditions", body, None, advice);
    }
    found
}

impl Found {
    fn authenticator(&mut self, jwt: &JwtAuthenticator, path: &str, disallowed: &[String]) {
        self.issuer(&jwt.issuer, &format!("{path}.issuer"), disallowed);
        self.claims(jwt, path);
    }

    fn issuer(&mut self, issuer: &Issuer, path: &str, disallowed: &[String]) {
        let field = |name: &str| format!("{path}.{name}");
        if issuer.url.is_empty() {
            let advice = Advice {
                row: SCHEME,
                what: "the issuer is missing",
                instead: "url: https://…   # as `iss` in the tokens, byte by byte".to_owned(),
            };
            self.required(&field("url"), "", advice);
        } else {
            self.url(&issuer.url, &field("url"), disallowed);
        }
        if let Some(discovery) = issuer.discovery_url.as_ref().filter(|url| !url.is_empty()) {
            let field = field("discoveryURL");
            let same = issuer.url.trim_end_matches('/') == discovery.trim_end_matches('/');
            if !issuer.url.is_empty() && same {
                let advice = Advice {
                    row: TWICE,
                    what: "it is the issuer's own address",
                    instead: "leave discoveryURL out, or give the whole address of the document \
                              (https://…/.well-known/openid-configuration)"
                        .to_owned(),
                };
                self.invalid(&field, discovery, "discoveryURL must be different from URL", advice);
            }
            self.url(discovery, &field, &[]);
        }
        self.audiences(issuer, path);
        if !issuer.certificate_authority.is_empty()
            && let Err(why) = pem::check_certificates(&issuer.certificate_authority)
        {
            let is_path = issuer.certificate_authority.trim_start().starts_with('/');
            let what = if is_path {
                "it is a path, not the certificate itself"
            } else {
                "it is no certificate in PEM"
            };
            let advice = Advice {
                row: CERTIFICATE_AUTHORITY,
                what,
                instead:
                    "certificateAuthority: |\n  -----BEGIN CERTIFICATE-----\n  …\n  -----END CERTIFICATE-----"
                        .to_owned(),
            };
            self.push(
                &field("certificateAuthority"),
                format!("Invalid value: \"<omitted>\": {why}"),
                is_path.then_some(issuer.certificate_authority.trim()),
                advice,
            );
        }
        let selector = issuer.egress_selector_type.as_str();
        if !["", "controlplane", "cluster"].contains(&selector) {
            let advice = Advice {
                row: FORM,
                what: "there is no such egress selector",
                instead: "egressSelectorType: controlplane (or cluster; or leave it out)".to_owned(),
            };
            let detail = "egress selector must be either controlplane or cluster";
            self.invalid(&field("egressSelectorType"), selector, detail, advice);
        }
    }

    /// `validateURL`.
    pub(super) fn url(&mut self, text: &str, field: &str, disallowed: &[String]) {
        if disallowed.iter().any(|other| other == text) {
            let mut listed: Vec<_> = disallowed.iter().map(String::as_str).collect();
            listed.sort_unstable();
            listed.dedup();
            let advice = Advice {
                row: TWICE,
                what: "it is the issuer of service accounts (--service-account-issuer)",
                instead: "the issuer of people; tokens of service accounts are taken without it".to_owned(),
            };
            let detail = format!("URL must not overlap with disallowed issuers: [{}]", listed.join(" "));
            self.invalid(field, text, &detail, advice);
        }
        let advice = |what, instead: &str| Advice { row: SCHEME, what, instead: instead.to_owned() };
        let url = match url::parse(text) {
            Ok(url) => url,
            Err(why) => {
                self.invalid(field, text, &why, advice("it is no address", "https://host/path"));
                return;
            }
        };
        for (is_wrong, detail, what, instead) in [
            (url.scheme != "https", "URL scheme must be https", "it is not https", "https://…"),
            (
                url.has_user,
                "URL must not contain a username or password",
                "there is a user in the address",
                "the address without what stands before the @",
            ),
            (
                url.has_query,
                "URL must not contain a query",
                "there is a query in the address",
                "the address without the ? and what follows it",
            ),
            (
                url.has_fragment,
                "URL must not contain a fragment",
                "there is a fragment in the address",
                "the address without the # and what follows it",
            ),
        ] {
            if is_wrong {
                self.invalid(field, text, detail, advice(what, instead));
            }
        }
    }

    fn audiences(&mut self, issuer: &Issuer, path: &str) {
        let field = format!("{path}.audiences");
        let Issuer { audiences, audience_match_policy: policy, .. } = issuer;
        if audiences.is_empty() {
            let advice = Advice {
                row: NO_CLIENT,
                what: "there is no audience",
                instead: "audiences: [CLIENT-ID]   # one of them must be in `aud` of a token".to_owned(),
            };
            self.required(&field, &format!("at least one {field} is required"), advice);
            return;
        }
        let mut seen = HashSet::new();
        for (index, audience) in audiences.iter().enumerate() {
            let field = format!("{field}[{index}]");
            if audience.is_empty() {
                let advice = Advice {
                    row: NO_CLIENT,
                    what: "an audience is empty",
                    instead: "the client id that the tokens are for".to_owned(),
                };
                self.required(&field, "", advice);
            }
            if !seen.insert(audience) {
                self.duplicate(&field, audience, "each audience once");
            }
        }
        let field = format!("{path}.audienceMatchPolicy");
        let advice = |what| Advice { row: FORM, what, instead: "audienceMatchPolicy: MatchAny".to_owned() };
        if audiences.len() > 1 && policy != "MatchAny" {
            let detail = "audienceMatchPolicy must be MatchAny for multiple audiences";
            self.invalid(
                &field,
                policy,
                detail,
                advice("several audiences need it said that one of them is enough"),
            );
        } else if audiences.len() == 1 && !policy.is_empty() && policy != "MatchAny" {
            let detail = "audienceMatchPolicy must be empty or MatchAny for single audience";
            self.invalid(&field, policy, detail, advice("there is no such policy"));
        }
    }
}
