//! OpenShift: the resource `authentications.config.openshift.io/cluster`, of type `OIDC`. It replaces the built-in OAuth
//! server. Source: Red Hat's documentation, "Enabling direct authentication with an external OIDC identity provider", and the
//! resource's definition in github.com/openshift/api.

use super::kamaji::config_map;
use crate::access::{Mapping, TrustedIssuer};
use crate::instructions::{ConfigFile, Form, Impossible, Instructions, Restriction, Step};
use crate::request::{Request, whoami};
use crate::target::Target;
use crate::yaml::{self, Yaml, map};

const SOURCE: &str = "OpenShift 4.20, authentication.config/cluster";
const CONFIG_MAP: &str = "oidc-issuer-ca";
const NAMESPACE: &str = "openshift-config";

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::OpenShift;
    let access = request.access;
    let mut restrictions = Vec::new();
    let mut refuse = |is_so: bool, what: &str, instead: &str| {
        if is_so {
            restrictions.push(Restriction::new(what, SOURCE, instead));
        }
    };
    refuse(access.issuers.len() > 1, "it has at most one provider", "give one issuer");
    refuse(access.anonymous.is_some(), "`anonymous` cannot be said", "leave it out");
    for issuer in &access.issuers {
        refuse(
            issuer.discovery_url.is_some(),
            "it has no discovery address of its own",
            "leave discoveryURL out",
        );
        let by_expression = |mapping: &Mapping| matches!(mapping, Mapping::Expression(_));
        let mapped = by_expression(&issuer.username) || issuer.groups.as_ref().is_some_and(by_expression);
        refuse(mapped, "name and groups come from claims, not from expressions", "give claims");
        refuse(
            !issuer.claim_rules.is_empty() || !issuer.user_rules.is_empty(),
            "it has required claims, and no rules",
            "use requiredClaims",
        );
        refuse(issuer.audiences.len() > 10, "it has at most ten audiences", "give ten");
        let domains = issuer.extra.keys().filter_map(|key| key.split('/').next());
        let is_reserved = |domain: &str| domain == "openshift.io" || domain.ends_with(".openshift.io");
        refuse(
            domains.into_iter().any(is_reserved),
            "extra keys under openshift.io are OpenShift's own",
            "use a domain of yours",
        );
    }
    let Some(issuer) = access.issuers.first().filter(|_| restrictions.is_empty()) else {
        return Err(Impossible { target, restrictions });
    };
    let resource = map([
        ("apiVersion", "config.openshift.io/v1".into()),
        ("kind", "Authentication".into()),
        ("metadata", map([("name", "cluster".into())])),
        (
            "spec",
            map([
                ("type", "OIDC".into()),
                ("webhookTokenAuthenticator", Yaml::Value(serde_json::Value::Null)),
                ("oidcProviders", Yaml::List(vec![provider(issuer)])),
            ]),
        ),
    ]);
    let mut files = Vec::new();
    if let Some(authority) = &issuer.certificate_authority {
        let content = config_map(CONFIG_MAP, NAMESPACE, "ca-bundle.crt", authority.as_pem());
        files.push(ConfigFile::whole("config-map.yaml", format!("namespace {NAMESPACE}"), content));
    }
    files.push(ConfigFile::part(
        "authentication.yaml",
        "authentication.config/cluster",
        yaml::to_string(&resource),
    ));
    let mut apply = vec![Step::say(
        "Keep the kubeconfig that the installer wrote: with it you get in when nobody can sign in any more.",
    )];
    if issuer.certificate_authority.is_some() {
        apply.push(Step::run("Make the ConfigMap.", "oc apply -f config-map.yaml"));
    }
    apply.extend([
        Step::run(
            "Keep the present resource.",
            "oc get authentication.config/cluster -o yaml > authentication.before.yaml",
        ),
        Step::run(
            "Change it. The API servers are rolled out anew, which takes twenty minutes or more.",
            "oc patch authentication.config/cluster --type=merge --patch-file authentication.yaml",
        ),
        Step::run("Wait until it is done.", "oc adm wait-for-stable-cluster --minimum-stable-period=5m"),
    ]);
    let back = r#"oc patch authentication.config/cluster --type=merge --patch '{"spec":{"type":"","oidcProviders":null}}'"#;
    Ok(Instructions {
        target,
        form: Form::Native,
        files,
        apply,
        verify: vec![
            Step::run("All is well again.", "oc get clusteroperators kube-apiserver authentication"),
            whoami(),
        ],
        rollback: vec![Step::run("The built-in OAuth server comes back; it takes as long again.", back)],
        warnings: vec![
            "It replaces the built-in OAuth server: users, groups and identities of OpenShift count no more, and \
             `oc login` with a password ends. The web console needs a client with a secret of its own (oidcClients)."
                .to_owned(),
            "Names that begin with system: are not refused by it: give groups a prefix.".to_owned(),
        ],
    })
}

fn provider(issuer: &TrustedIssuer) -> Yaml {
    let mut from = vec![
        ("issuerURL".to_owned(), issuer.url.as_str().into()),
        ("audiences".to_owned(), super::list(issuer.audiences.clone())),
    ];
    if issuer.certificate_authority.is_some() {
        from.push(("issuerCertificateAuthority".to_owned(), map([("name", CONFIG_MAP.into())])));
    }
    let mut mappings = vec![("username".to_owned(), username(&issuer.username))];
    if let Some(Mapping::Claim { claim, prefix }) = &issuer.groups {
        let groups = map([("claim", claim.as_str().into()), ("prefix", prefix.as_str().into())]);
        mappings.push(("groups".to_owned(), groups));
    }
    match &issuer.uid {
        Some(Mapping::Claim { claim, .. }) => {
            mappings.push(("uid".to_owned(), map([("claim", claim.as_str().into())])));
        }
        Some(Mapping::Expression(expression)) => {
            mappings.push(("uid".to_owned(), map([("expression", expression.as_str().into())])));
        }
        None => {}
    }
    if !issuer.extra.is_empty() {
        let entry = |(key, expression): (&String, &String)| {
            map([("key", key.as_str().into()), ("valueExpression", expression.as_str().into())])
        };
        mappings.push(("extra".to_owned(), Yaml::List(issuer.extra.iter().map(entry).collect())));
    }
    let mut provider = vec![
        ("name".to_owned(), Yaml::from("oidc")),
        ("issuer".to_owned(), Yaml::Map(from)),
        ("claimMappings".to_owned(), Yaml::Map(mappings)),
    ];
    if !issuer.required_claims.is_empty() {
        let rule = |(claim, value): (&String, &String)| {
            let required = map([("claim", claim.as_str().into()), ("requiredValue", value.as_str().into())]);
            map([("type", "RequiredClaim".into()), ("requiredClaim", required)])
        };
        let rules = issuer.required_claims.iter().map(rule).collect();
        provider.push(("claimValidationRules".to_owned(), Yaml::List(rules)));
    }
    Yaml::Map(provider)
}

fn username(mapping: &Mapping) -> Yaml {
    match mapping {
        Mapping::Claim { claim, prefix } if prefix.is_empty() => {
            map([("claim", claim.as_str().into()), ("prefixPolicy", "NoPrefix".into())])
        }
        Mapping::Claim { claim, prefix } => map([
            ("claim", claim.as_str().into()),
            ("prefixPolicy", "Prefix".into()),
            ("prefix", map([("prefixString", prefix.as_str().into())])),
        ]),
        Mapping::Expression(expression) => map([("expression", expression.as_str().into())]),
    }
}
