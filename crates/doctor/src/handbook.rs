//! `docs/doctor.md`: the catalogue as a document.

use std::fmt::Write as _;

use crate::catalogue;
use crate::row::{Mend, Row};

const BEGINNING: &str = "\
# What goes wrong, and how to tell

Generated from the catalogue of `kubesso doctor`. Each failure has a number that never changes its meaning.

    $ kubesso doctor list                       # this list
    $ kubesso doctor explain KS009              # one of them
    $ kubesso doctor explain 'error: You must be logged in to the server (Unauthorized)'
    $ kubectl -n kube-system logs -l component=kube-apiserver --tail=5000 | kubesso doctor explain -

## A text

A text may be an error, what somebody sent by chat, or a log of any length. Where it names the cause, the doctor shows
what was expected and what came, side by side, and the line to change; `--target k3s` (kubeadm, RKE2, Talos …) gives
the line as that kind of cluster has it. Where it does not, as a bare Unauthorized, the doctor asks what splits the
causes, the likeliest first. Tokens, codes, passwords and keys in the text are redacted before anything looks at them.
`explain` ends with 0 if it recognised something, and with 1 if not.

## What you have

    $ kubectl oidc-login get-token --oidc-issuer-url=… --oidc-client-id=… | kubesso doctor --token - --flags kube-apiserver.yaml
    $ kubesso doctor --issuer https://sso.example.com --ca ca.crt --audience kubernetes
    $ kubesso doctor --kubeconfig ~/.kube/config --context prod --flags config.yaml --rbac bindings.yaml

Any of these, in any combination; each check says what it compared, what is wrong, or what it would need:

| flag | what |
|---|---|
| `--token -` | a token on standard input (or a file): bare, as a plugin prints it, or a token endpoint's answer |
| `--issuer URL`, `--ca FILE` | ask this issuer, and trust exactly these authorities, as `--oidc-ca-file` does |
| `--audience TEXT` | the audience that the API server accepts, where its settings are not given |
| `--flags FILE` | kube-apiserver's flags: a static pod's manifest, kubeadm's ClusterConfiguration, config.yaml of k3s or RKE2, MicroK8s' args, or a list; the specification of another kind of cluster, or what a cloud answers (below, and [clusters.md](clusters.md) for `--configuration`) |
| `--authentication-config FILE` | the AuthenticationConfiguration |
| `--kubeconfig FILE` | what kubectl sends, and how the plugin is called |
| `--context NAME` | the cluster itself too, each hop: its certificate, its version, who the token is there, and, with the rights to read them, its settings, metrics and bindings |
| `--admin-context NAME` | read settings, metrics and bindings as this context's user |
| `--endpoint URL` | an API server's own address, where the service `kubernetes` may not be read |
| `--echo NAMESPACE/POD` | run `cat` in that container, through each hop, by WebSocket and by SPDY/3.1, and have it say again what it is told |
| `--echo-idle SECONDS` | be silent so long in between, and see whether the connection is still there |
| `--root DIR` | the files of a machine of the control plane (`/` for this one): what its distribution keeps there, and the kubelet's manifests |
| `--refresh` | have the plugin refresh its token once, and compare the claims; without a session nobody is asked to sign in (kubesso's plugin says so at once, another is waited for 10 s) |
| `--rbac FILE` | roles and bindings (`kubectl get clusterroles,clusterrolebindings,roles,rolebindings -A -o yaml`) |
| `--can-i QUESTION` | whether the person may do that, by what, or what nearly allows it: `'delete pods/web -n shop'`, as for `kubectl auth can-i`; or the text of a refusal; or `-` |
| `--as USER`, `--as-group GROUP` | ask that of somebody whose token is not at hand |
| `--offline` | ask nobody |
| `--all` | what passed, and what was not looked at |
| `--bundle FILE` | a redacted file for a support ticket: report, settings, claims without signature |

The issuer is asked for its discovery document, its keys and, where a kubeconfig names the client, an authorization request with
`prompt=none`, of which nothing comes. No token is sent to it. The token goes to the
kubeconfig's server, to the API servers behind it and to what `--endpoint` names, over connections that the kubeconfig trusts, as
kubectl would send it, through its cluster's `proxy-url` (http, https, socks5) and under its `tls-server-name`; a plugin is started by `--refresh` only. A token alone makes the doctor ask nobody: the address in it is its
own claim.

## May they do that?

    $ kubectl oidc-login get-token … | kubesso doctor --token - --context prod --admin-context prod-admin --can-i 'delete pods/web -n shop'
    $ kubectl get pods -n shop 2>&1 | kubesso doctor --context prod-admin --as jo@example.com --as-group k8s-devs --can-i -
    $ kubesso doctor --rbac bindings.yaml --as oidc:jo --as-group k8s-devs --can-i 'create pods/exec -n shop'

The question is decided by the roles and bindings of the cluster, or of the files, for the user and the groups that the API server
sees: as it says itself, or by the token and its settings, or as `--as` names them. A yes says by which binding. A no says what
differs in one thing only from what would allow it (the namespace, the verb, a name, the API group, the subresource, the prefix or
the letters of a group, a role that is not there), each with the line that changes it, and who may. `create pods/exec` is about the
subresource, `pods/web/exec` about that of one pod. A cluster is asked for its own word too (`SelfSubjectAccessReview`, or
`SubjectAccessReview` of somebody else, which needs the right to create those); where it says another thing, another authorizer than
RBAC decides, and the report says so. The exit code is 1 if the answer is no, or not known.

## Does a connection get through?

    $ kubectl oidc-login get-token … | kubesso doctor --token - --context prod --echo shop/web-0 --echo-idle 90

`--echo` is the one flag that starts something in the cluster. `NAMESPACE/POD/CONTAINER` chooses the container; without one it is the
one that `kubectl exec` takes. It runs as the person whose token is given, or else as the context's user, who has to be allowed to
`get` and to `create` pods/exec there. A hundred thousand bytes go there and back, stdin is closed, and the command's end is
awaited, twice through each hop. What breaks is told by hop, protocol and step (TCP, TLS, the request, 101, the first bytes, silence, the
end), with what the answer says of who gave it; the lines to change are those of that proxy, if it names itself. The connection
itself is as kubectl's, TCP keepalive and all, but silence is silence: kubectl's exec pings every 5 seconds, so that it
outlives what cuts `kubectl logs -f`, watches and other clients.

## Where the settings are looked for

The API server's settings are looked for where nobody gives them: in the ConfigMaps of kube-system, in the pods of
`component=kube-apiserver`, in the annotation `k3s.io/node-args` of nodes; and at last, where the doctor runs on the machine of an API
server that it asked (or `--root` names its files), in what the distribution keeps there: the manifest, `config.yaml` with
`config.yaml.d` of k3s and RKE2, `k0s.yaml`, MicroK8s' `args/kube-apiserver`. What k3s was really started with stands in its journal,
and counts. The arguments of each API server's pod are compared with the others' and with what kubeadm, or RKE2, writes them from.
A cloud's own interface is not asked; `--flags` takes what it answers, as JSON or YAML:

| cloud | what it answers |
|---|---|
| EKS | `aws eks describe-identity-provider-config --cluster-name CLUSTER --identity-provider-config type=oidc,name=NAME` |
| AKS | `az aks jwtauthenticator list --resource-group GROUP --cluster-name CLUSTER -o json` |
| GKE | `gcloud iam workforce-pools providers list --workforce-pool=POOL --location=global --format=json`; people and groups get the names of principals |
| OpenShift | `oc get authentication.config/cluster -o yaml`, with `--ca` the authorities that it names |
| Gardener, kOps | the Shoot, the cluster: `kubectl get shoot NAME -o yaml`, `kops get cluster NAME -o yaml` |

What a cloud has given up, or is still at, is told (KS043, KS044). Expressions of an AuthenticationConfiguration are not evaluated
yet, and the report names them. With settings and the issuer's answers the token is decided by the same rules as kube-apiserver's
(CEL rules aside). Exit code: 0 if nothing is wrong (notes aside), 1 if something is, 2 if it was asked wrongly.

## The catalogue

In a line to change, `<…>` is what to put in.
";

const FROM_WHAT: &str = "
## From what each is found

A text is an error or a log, for `explain`. A check looks at what is given (files, a token, the issuer's answers), or at a running
cluster (`--context`) or session (`--refresh`). The last column says where the evidence lies, for looking oneself.

| id | by a text | by a check on | evidence |
|---|---|---|---|
";

/// The whole document.
pub fn handbook() -> String {
    let mut document = BEGINNING.to_owned();
    let _ = write!(document, "\n| id | what is wrong | what is seen |\n|---|---|---|\n");
    for row in catalogue::rows() {
        let _ = writeln!(
            document,
            "| [{0}](#{1}) | {2} | {3} |",
            row.id,
            anchor(row),
            cell(row.title),
            cell(row.symptom)
        );
    }
    document.push_str(FROM_WHAT);
    let checked: Vec<_> = crate::checks::all().into_iter().map(|(number, _)| number).collect();
    for row in catalogue::rows() {
        let number = row.id.number();
        let mark = |is_so: bool| if is_so { "yes" } else { "" };
        let sources: Vec<_> = row.looks_at.iter().map(|source| source.name()).collect();
        let is_live = crate::checks::LIVE.contains(&number);
        let check = match (checked.contains(&number), is_live) {
            (true, true) => "a running cluster or session",
            (true, false) => "what is given",
            (false, _) => "",
        };
        let text = mark(!row.signs.is_empty());
        let _ = writeln!(
            document,
            "| [{}](#{}) | {text} | {check} | {} |",
            row.id,
            anchor(row),
            sources.join(", ")
        );
    }
    for row in catalogue::rows() {
        write_row(&mut document, row);
    }
    document
}

fn anchor(row: &Row) -> String {
    row.id.to_string().to_lowercase()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn write_row(document: &mut String, row: &Row) {
    let _ = write!(document, "\n### {}\n\n**{}.** {} {}\n\n", row.id, row.title, row.cause, row.why);
    let _ = writeln!(document, "- Seen: {}", row.symptom);
    for line in row.log {
        let _ = writeln!(document, "- Log: {line}");
    }
    let sources: Vec<_> = row.looks_at.iter().map(|source| source.name()).collect();
    let _ = writeln!(document, "- Look at: {}", sources.join(", "));
    if let Some(words) = row.compares {
        let _ = writeln!(document, "- Compare: {} with {}", words.expected, words.got);
    }
    let facts = crate::facts::Facts::default();
    for mend in row.mends {
        let (at, line) = match *mend {
            Mend::Flag { name, value } => ("kube-apiserver", format!("--{name}={value}")),
            Mend::Authentication { yaml } => ("AuthenticationConfiguration", yaml.to_owned()),
            Mend::At { place, line } => (place.name(), line.to_owned()),
        };
        let _ = writeln!(document, "- Mend, {at}: `{}`", facts.fill(&line, row.compares).replace('`', "'"));
    }
    let _ = writeln!(document, "- Test again: `{}`", facts.fill(row.retest, row.compares).replace('`', "'"));
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "how a developer asks for the file to be written")]
    fn the_document_says_what_the_catalogue_says() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/doctor.md");
        if std::env::var_os("KUBESSO_WRITE_DOCS").is_some() {
            std::fs::write(&path, super::handbook()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == super::handbook(),
            "docs/doctor.md is not what the catalogue says: write it with KUBESSO_WRITE_DOCS=1 cargo test -p kubesso-doctor \
             handbook"
        );
    }
}
