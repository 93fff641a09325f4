//! Google GKE: neither flags nor a file. Google's own federation takes an issuer and makes its people principals of IAM.
//! Source: Google's documentation, "Workforce Identity Federation".

use crate::access::Mapping;
use crate::instructions::{Form, Impossible, Instructions, Restriction, Step, shell_word};
use crate::request::Request;
use crate::target::Target;

const SOURCE: &str = "Google GKE, Workforce Identity Federation";
const GATEWAY: &str = "use a gateway in front of the cluster that takes these tokens and impersonates";
const POOL: &str = "people";

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::Gke;
    let access = request.access;
    let mut restrictions = Vec::new();
    let mut refuse = |is_so: bool, what: String| {
        if is_so {
            restrictions.push(Restriction::new(what, SOURCE, GATEWAY));
        }
    };
    refuse(access.issuers.len() > 1, "this writes one provider of a pool".to_owned());
    refuse(access.anonymous.is_some(), "`anonymous` cannot be said".to_owned());
    refuse(
        request.form.is_some_and(|form| form != Form::Native),
        "the API server takes neither flags nor a file".to_owned(),
    );
    for issuer in &access.issuers {
        refuse(!issuer.url.is_public(), format!("{} must be reachable from the public internet", issuer.url));
        refuse(
            issuer.certificate_authority.is_some(),
            "no certificate authority of one's own can be given".to_owned(),
        );
        refuse(
            !(issuer.required_claims.is_empty()
                && issuer.claim_rules.is_empty()
                && issuer.user_rules.is_empty()),
            "this writes no condition for claims or people".to_owned(),
        );
        let has_prefix =
            |mapping: &Mapping| matches!(mapping, Mapping::Claim { prefix, .. } if !prefix.is_empty());
        refuse(
            has_prefix(&issuer.username) || issuer.groups.as_ref().is_some_and(has_prefix),
            "names and groups have no prefix there: role bindings name the pool".to_owned(),
        );
        refuse(issuer.audiences.len() > 1, "it takes one client id".to_owned());
        refuse(
            !issuer.extra.is_empty() || issuer.uid.is_some(),
            "only the subject and the groups reach role bindings".to_owned(),
        );
    }
    let Some(issuer) = access.issuers.first().filter(|_| restrictions.is_empty()) else {
        return Err(Impossible { target, restrictions });
    };
    let attribute = |mapping: &Mapping| match mapping {
        Mapping::Claim { claim, .. } => format!("assertion.{claim}"),
        Mapping::Expression(expression) => expression.replace("claims.", "assertion."),
    };
    let mut mapping = vec![format!("google.subject={}", attribute(&issuer.username))];
    mapping.extend(issuer.groups.as_ref().map(|groups| format!("google.groups={}", attribute(groups))));
    let organization = request.scope("ORGANIZATION");
    let provider = format!(
        "gcloud iam workforce-pools providers create-oidc oidc --workforce-pool={POOL} --location=global \
         --issuer-uri={} --client-id={} --web-sso-response-type=id-token \
         --web-sso-assertion-claims-behavior=only-id-token-claims --attribute-mapping={}",
        shell_word(issuer.url.as_str()),
        shell_word(issuer.audiences.first().map(String::as_str).unwrap_or_default()),
        shell_word(&mapping.join(",")),
    );
    let principals = format!("iam.googleapis.com/locations/global/workforcePools/{POOL}");
    Ok(Instructions {
        target,
        form: Form::Native,
        files: Vec::new(),
        apply: vec![
            Step::run(
                "Make a pool of people in the organization.",
                format!("gcloud iam workforce-pools create {POOL} --organization={organization} --location=global"),
            ),
            Step::run("Give it the issuer.", provider),
            Step::say(format!(
                "Name its people in role bindings as principal://{principals}/subject/NAME, its groups as \
                 principalSet://{principals}/group/GROUP."
            )),
        ],
        verify: vec![Step::run(
            "Somebody signs in by gcloud in a browser, and asks who that is.",
            "gcloud auth login --login-config=login.json && kubectl auth whoami",
        )],
        rollback: vec![Step::run(
            "Take the issuer away.",
            format!("gcloud iam workforce-pools providers delete oidc --workforce-pool={POOL} --location=global"),
        )],
        warnings: vec![
            "This is Google's way, not Kubernetes': people sign in by gcloud in a browser, not by kubectl oidc-login, and no \
             other claims reach role bindings. For kubectl as everywhere else use a gateway in front of the cluster."
                .to_owned(),
            "Autopilot refuses system: names to whoever impersonates: map administrators to a group of your own.".to_owned(),
        ],
    })
}
