//! What the interface of a cloud, or OpenShift's, answers about the issuers that a cluster trusts, read as the
//! AuthenticationConfiguration that it comes to.
//!
//! Sources: the AKS API's types and examples (Microsoft.ContainerService/managedClusters/jwtAuthenticators, 2025-09-02-preview and
//! 2026-06-02-preview); `authentications.config.openshift.io` in github.com/openshift/api; Google's IAM API,
//! locations.workforcePools.providers, and "Represent workforce pool users in IAM policies".

use kubesso_clusters::Target;
use serde_json::{Map, Value, json};

use super::settings::{AuthenticationFile, Settings, Unfinished};

impl Settings {
    /// What an answer comes to; none if it is none of those that are known.
    pub(super) fn from_cloud(answer: &Value) -> Option<Self> {
        // A list has the same in it as the single one.
        let all = match answer {
            Value::Array(all) => all.as_slice(),
            one => std::slice::from_ref(one),
        };
        let first = all.first()?;
        if first.pointer("/properties/issuer").is_some() {
            return Some(aks(all));
        }
        if first.get("attributeMapping").is_some() && first.get("oidc").is_some() {
            return Some(gke(all));
        }
        let is_openshift = first["kind"] == "Authentication"
            && first["apiVersion"]
                .as_str()
                .is_some_and(|version| version.starts_with("config.openshift.io/"));
        is_openshift.then(|| openshift(first))
    }
}

fn made(target: Target, jwt: &[Value]) -> Settings {
    let configuration = json!({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration", "jwt": jwt,
    });
    let text = serde_json::to_string_pretty(&configuration).unwrap_or_default();
    Settings {
        target: Some(target),
        authentication: Some(AuthenticationFile { text, is_answer: true }),
        ..Settings::default()
    }
}

/// `az aks jwtauthenticator show` or `list`: the same fields, with the authorities beside the issuer.
fn aks(all: &[Value]) -> Settings {
    let one = |authenticator: &Value| {
        let mut jwt = authenticator["properties"].clone();
        let several = jwt["issuer"]["audiences"].as_array().is_some_and(|audiences| audiences.len() > 1);
        if let Some(fields) = jwt.as_object_mut() {
            fields.remove("provisioningState");
            let bundle = fields.remove("certificateAuthorityBundle").filter(Value::is_string);
            let issuer = fields.get_mut("issuer").and_then(Value::as_object_mut);
            if let Some(issuer) = issuer {
                issuer.extend(bundle.map(|bundle| ("certificateAuthority".to_owned(), bundle)));
                issuer.extend(several.then(|| ("audienceMatchPolicy".to_owned(), "MatchAny".into())));
            }
        }
        without_null(jwt)
    };
    let mut settings = made(Target::Aks, &all.iter().map(one).collect::<Vec<_>>());
    settings.unfinished = all.iter().find_map(|authenticator| {
        let state = authenticator.pointer("/properties/provisioningState")?.as_str()?;
        Unfinished::of(state, &["Succeeded"], &["Failed", "Canceled"])
    });
    settings
}

/// `gcloud iam workforce-pools providers describe` or `list`: people and groups get the names of principals.
fn gke(all: &[Value]) -> Settings {
    let one = |provider: &Value| {
        let name = provider["name"].as_str().unwrap_or_default();
        let pool = name.split_once("/providers/").map_or(name, |(pool, _)| pool);
        let mapped = |attribute: &str, kind: &str, end: &str| {
            let expression = provider["attributeMapping"][attribute].as_str()?;
            let prefix = format!("{kind}://iam.googleapis.com/{pool}/{end}/");
            Some(match claim(expression) {
                Some(claim) => json!({"claim": claim, "prefix": prefix}),
                None => {
                    json!({"expression": format!("'{prefix}' + ({})", expression.replace("assertion", "claims"))})
                }
            })
        };
        let mut mappings = Map::new();
        let username = mapped("google.subject", "principal", "subject");
        mappings.insert("username".to_owned(), username.unwrap_or(Value::Null));
        if let Some(groups) = mapped("google.groups", "principalSet", "group") {
            mappings.insert("groups".to_owned(), groups);
        }
        let mut jwt = json!({
            "issuer": {"url": provider["oidc"]["issuerUri"], "audiences": [provider["oidc"]["clientId"]]},
            "claimMappings": mappings,
        });
        if let Some(condition) = provider["attributeCondition"].as_str().filter(|text| !text.is_empty()) {
            jwt["claimValidationRules"] = json!([{"expression": condition.replace("assertion", "claims")}]);
        }
        without_null(jwt)
    };
    // GKE has no such file, which its own rule says of settings: these are Google's.
    let mut settings = made(Target::Gke, &all.iter().map(one).collect::<Vec<_>>());
    settings.unfinished = all.iter().find_map(|provider| {
        if provider["disabled"] == true {
            return Some(Unfinished { state: "disabled".to_owned(), is_final: true });
        }
        Unfinished::of(provider["state"].as_str()?, &["ACTIVE"], &["DELETED"])
    });
    settings
}

/// `assertion.sub` or `assertion['groups']`: a claim and nothing else.
fn claim(expression: &str) -> Option<&str> {
    let rest = expression.trim().strip_prefix("assertion")?;
    let name = rest
        .strip_prefix('.')
        .or_else(|| rest.strip_prefix("['")?.strip_suffix("']"))
        .or_else(|| rest.strip_prefix("[\"")?.strip_suffix("\"]"))?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':' | b'/');
    (!name.is_empty() && name.bytes().all(is_name)).then_some(name)
}

/// `oc get authentication.config/cluster -o yaml`. Of another type than OIDC it trusts nobody's tokens.
fn openshift(resource: &Value) -> Settings {
    let spec = &resource["spec"];
    let providers = if spec["type"] == "OIDC" {
        spec["oidcProviders"].as_array().map(Vec::as_slice).unwrap_or_default()
    } else {
        &[]
    };
    let one = |provider: &Value| {
        let (issuer, mappings) = (&provider["issuer"], &provider["claimMappings"]);
        let several = issuer["audiences"].as_array().is_some_and(|audiences| audiences.len() > 1);
        let groups = &mappings["groups"];
        let rules = provider["claimValidationRules"].as_array().into_iter().flatten();
        let rules: Vec<_> = rules.map(|rule| rule["requiredClaim"].clone()).collect();
        without_null(json!({
            "issuer": {
                "url": issuer["issuerURL"],
                "audiences": issuer["audiences"],
                "audienceMatchPolicy": several.then_some("MatchAny"),
            },
            "claimMappings": {
                "username": openshift_username(&mappings["username"], issuer["issuerURL"].as_str().unwrap_or_default()),
                "groups": groups.is_object().then(|| json!({
                    "claim": groups["claim"], "prefix": groups["prefix"].as_str().unwrap_or_default(),
                })),
                "uid": mappings["uid"],
                "extra": mappings["extra"],
            },
            "claimValidationRules": (!rules.is_empty()).then_some(rules),
        }))
    };
    let mut settings = made(Target::OpenShift, &providers.iter().map(one).collect::<Vec<_>>());
    let names_authorities = |provider: &Value| {
        let name = provider.pointer("/issuer/issuerCertificateAuthority/name");
        name.and_then(Value::as_str).is_some_and(|name| !name.is_empty())
    };
    settings.lacks_authorities = providers.iter().any(names_authorities);
    settings
}

/// Without a policy the issuer stands before every claim but `email`.
fn openshift_username(username: &Value, issuer: &str) -> Value {
    let claim = username["claim"].as_str().unwrap_or_default();
    let prefix = match username["prefixPolicy"].as_str().unwrap_or_default() {
        "Prefix" => username["prefix"]["prefixString"].as_str().unwrap_or_default().to_owned(),
        "" if claim != "email" => format!("{issuer}#"),
        _ => String::new(),
    };
    json!({"claim": claim, "prefix": prefix})
}

/// Answers have null for what was not given, and a strict decoder does not take that for nothing everywhere.
fn without_null(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, without_null(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_null).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Mapping;
    use super::*;

    /// As `az aks jwtauthenticator list` prints it (the example of the API, JWTAuthenticators_List.json of 2025-09-02-preview, with the
    /// bundle of 2026-06-02-preview).
    const AKS: &str = r#"[{
        "id": "/subscriptions/0/resourcegroups/rg1/providers/Microsoft.ContainerService/managedClusters/c/jwtAuthenticators/jwt1",
        "type": "Microsoft.ContainerService/managedClusters/jwtAuthenticators", "name": "jwt1", "systemData": null,
        "properties": {
            "provisioningState": "Succeeded", "certificateAuthorityBundle": null,
            "issuer": {"url": "https://sso", "audiences": ["k8s", "dashboard"]},
            "claimMappings": {
                "username": {"expression": "'aks:jwt:' + claims.sub"},
                "groups": {"expression": "claims.groups.split(',').map(group, 'aks:jwt:' + group)"},
                "uid": null, "extra": [{"key": "example.com/extrakey", "valueExpression": "claims.customfield"}]
            },
            "claimValidationRules": [{"expression": "has(claims.sub)", "message": "Sub is required"}],
            "userValidationRules": null
        }}]"#;

    /// As `gcloud iam workforce-pools providers describe --format=json` prints a WorkforcePoolProvider (IAM API, v1).
    const GKE: &str = r#"{
        "attributeMapping": {"google.groups": "assertion.groups", "google.subject": "assertion['sub']"},
        "name": "locations/global/workforcePools/people/providers/oidc",
        "oidc": {"clientId": "k8s", "issuerUri": "https://sso",
            "webSsoConfig": {"assertionClaimsBehavior": "ONLY_ID_TOKEN_CLAIMS", "responseType": "ID_TOKEN"}},
        "state": "ACTIVE"}"#;

    /// As `oc get authentication.config/cluster -o yaml` prints it (the resource's definition, and Red Hat's documentation of direct
    /// authentication).
    const OPENSHIFT: &str = "
apiVersion: config.openshift.io/v1
kind: Authentication
metadata: {name: cluster, generation: 4}
spec:
  oauthMetadata: {name: ''}
  oidcProviders:
  - name: keycloak
    issuer: {issuerURL: 'https://sso', audiences: [k8s, console], issuerCertificateAuthority: {name: keycloak-oidc-ca}}
    claimMappings:
      groups: {claim: groups, prefix: 'oidc:'}
      username: {claim: preferred_username, prefixPolicy: Prefix, prefix: {prefixString: 'oidc:'}}
    claimValidationRules: [{type: RequiredClaim, requiredClaim: {claim: hd, requiredValue: example.com}}]
    oidcClients: [{componentName: console, componentNamespace: openshift-console, clientID: console, clientSecret: {name: s}}]
  serviceAccountIssuer: ''
  type: OIDC
  webhookTokenAuthenticator: null
status: {oidcClients: []}
";

    fn read(text: &str) -> Settings {
        Settings::from_flags(text).unwrap()
    }

    fn claim_mapping(claim: &str, prefix: &str) -> Mapping {
        Mapping::Claim { claim: claim.to_owned(), prefix: prefix.to_owned() }
    }

    #[test]
    fn an_answer_comes_to_the_issuers_that_the_cluster_trusts() {
        for (text, target) in [(AKS, Target::Aks), (GKE, Target::Gke), (OPENSHIFT, Target::OpenShift)] {
            let settings = read(text);
            assert_eq!(settings.target, Some(target));
            assert_eq!(settings.unfinished, None);
            let faults = settings.lint(None).findings;
            assert!(faults.is_empty(), "{target}: {faults:?}");
            let [trusted] = <[_; 1]>::try_from(settings.trusted()).unwrap();
            assert_eq!((trusted.url.as_str(), trusted.audiences[0].as_str()), ("https://sso", "k8s"));
        }
    }

    #[test]
    fn names_and_groups_are_those_that_role_bindings_have_to_say() {
        let one = |text: &str| read(text).trusted().remove(0);
        let aks = one(AKS);
        assert_eq!(
            (aks.username, aks.groups, aks.has_rules),
            (Mapping::Expression, Mapping::Expression, true)
        );
        let gke = one(GKE);
        let pool = "iam.googleapis.com/locations/global/workforcePools/people";
        assert_eq!(gke.username, claim_mapping("sub", &format!("principal://{pool}/subject/")));
        assert_eq!(gke.groups, claim_mapping("groups", &format!("principalSet://{pool}/group/")));
        let openshift = one(OPENSHIFT);
        assert_eq!(openshift.username, claim_mapping("preferred_username", "oidc:"));
        assert_eq!(openshift.groups, claim_mapping("groups", "oidc:"));
        assert_eq!(openshift.required, [("hd".to_owned(), "example.com".to_owned())]);

        let prefix = "prefixPolicy: Prefix, prefix: {prefixString: 'oidc:'}";
        for (policy, claim, expected) in [
            ("prefixPolicy: NoPrefix", "preferred_username", ""),
            ("prefixPolicy: ''", "preferred_username", "https://sso#"),
            ("prefixPolicy: ''", "email", ""),
        ] {
            let text = OPENSHIFT.replace(prefix, policy).replace("preferred_username", claim);
            assert_eq!(one(&text).username, claim_mapping(claim, expected), "{policy} {claim}");
        }
        let computed = GKE.replace("assertion.groups", "assertion.roles.map(role, role.name)");
        assert_eq!(one(&computed).groups, Mapping::Expression);
    }

    #[test]
    fn the_built_in_server_of_openshift_trusts_no_tokens_of_others() {
        let built_in = OPENSHIFT.replace("type: OIDC", "type: IntegratedOAuth");
        assert!(read(&built_in).trusted().is_empty());
    }

    #[test]
    fn authorities_stand_beside_the_issuer_or_are_known_to_be_missing() {
        let aks =
            AKS.replace("\"certificateAuthorityBundle\": null", "\"certificateAuthorityBundle\": \"PEM\"");
        assert_eq!(read(&aks).trusted()[0].ca_pem.as_deref(), Some("PEM"));
        let mut openshift = read(OPENSHIFT);
        assert!(openshift.lacks_authorities);
        openshift.ca_pem = Some("PEM".to_owned());
        assert_eq!(openshift.trusted()[0].ca_pem.as_deref(), Some("PEM"));
        assert!(!read(&OPENSHIFT.replace("name: keycloak-oidc-ca", "name: ''")).lacks_authorities);
    }

    #[test]
    fn settings_that_are_not_in_force_are_known() {
        let eks = |status: &str| {
            format!(
                r#"{{"identityProviderConfig": {{"oidc": {{"issuerUrl": "https://sso", "clientId": "k8s", "status": "{status}"}}}}}}"#
            )
        };
        for (text, expected) in [
            (AKS.replace("Succeeded", "Failed"), Some(true)),
            (AKS.replace("Succeeded", "Creating"), Some(false)),
            (GKE.replace("\"state\"", "\"disabled\": true, \"state\""), Some(true)),
            (GKE.replace("ACTIVE", "DELETED"), Some(true)),
            (eks("ACTIVE"), None),
            (eks("CREATING"), Some(false)),
            (eks("DELETING"), Some(false)),
        ] {
            assert_eq!(read(&text).unfinished.map(|it| it.is_final), expected, "{text}");
        }
    }

    #[test]
    fn nothing_else_is_taken_for_an_answer() {
        for text in
            ["[]", "{}", r#"{"properties": {}}"#, "kind: Authentication\napiVersion: example.com/v1\n"]
        {
            assert!(Settings::from_cloud(&serde_saphyr::from_str(text).unwrap()).is_none(), "{text}");
        }
    }
}
