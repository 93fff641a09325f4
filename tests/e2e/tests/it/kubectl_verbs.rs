//! Real kubectl on both clusters: what it prints must be the same wherever it can be compared.

use std::fs;

use anyhow::{Context, Result};
use kubesso_e2e::kubectl::{Done, Kubectl};
use kubesso_e2e::reply::Differences;
use kubesso_e2e::world::{self, World};
use serde_json::Value;

use crate::normalise;

/// The same person in front of both clusters.
struct Both {
    sandbox: Kubectl,
    real: Kubectl,
    differences: Differences,
}

impl Both {
    fn new(world: &World, who: &str) -> Result<Self> {
        let token = &world.tokens(who)?.id_token;
        let (sandbox, real) = (Kubectl::new()?, Kubectl::new()?);
        sandbox.use_token(&world.kubesso.ready.cluster, &world.kubesso.ca_pem()?, token)?;
        real.use_token(&world.real.url, &world.real.ca_pem, token)?;
        Ok(Self { sandbox, real, differences: Differences::default() })
    }

    /// Writes a file for `-f` into both homes (which are kubectl's working directories).
    fn write(&self, name: &str, text: &str) -> Result<()> {
        for kubectl in [&self.sandbox, &self.real] {
            fs::write(kubectl.home().join(name), text)?;
        }
        Ok(())
    }

    /// Runs the words on both and notes a difference in exit code or output. The sandbox's answer is returned.
    async fn same(&mut self, line: &str) -> Result<Done> {
        self.same_with(line, &[]).await
    }

    async fn same_with(&mut self, line: &str, variables: &[(&str, &str)]) -> Result<Done> {
        let (ours, theirs) = self.run(line, variables).await?;
        let visible = |done: &Done| {
            format!(
                "exit {}\n{}\n{}",
                done.code,
                normalise::text(&done.stdout),
                normalise::text(&done.stderr)
            )
        };
        if visible(&ours) != visible(&theirs) {
            self.differences.note("kubectl", line, &visible(&ours), &visible(&theirs));
        }
        Ok(ours)
    }

    /// As [`same`](Self::same) for output that is JSON.
    async fn same_json(&mut self, line: &str) -> Result<()> {
        let (ours, theirs) = self.run(line, &[]).await?;
        let object = |done: &Done| -> Result<Value> {
            let parsed = serde_json::from_str(&done.stdout);
            Ok(normalise::object(parsed.with_context(|| format!("{line}: {}{}", done.stdout, done.stderr))?))
        };
        let (ours, theirs) = (object(&ours)?, object(&theirs)?);
        if ours != theirs {
            self.differences.note("kubectl", line, &ours.to_string(), &theirs.to_string());
        }
        Ok(())
    }

    async fn run(&self, line: &str, variables: &[(&str, &str)]) -> Result<(Done, Done)> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (ours, theirs) = tokio::join!(
            self.sandbox.run_with(&words, "", variables),
            self.real.run_with(&words, "", variables)
        );
        Ok((ours?, theirs?))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn get_prints_the_same() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let mut both = Both::new(world, "admin")?;
    for line in [
        "get pods",
        "get pods -A",
        "get pods -o wide",
        "get pods -o name",
        "get pods --show-labels",
        "get pods -l app=storefront",
        "get pods -l app!=storefront",
        "get pods -l app=nothing",
        "get pods --field-selector metadata.name=catalog",
        "get pods --no-headers",
        "get pod storefront -o jsonpath={.spec.containers[0].image}",
        "get pod storefront -o custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[*].image",
        "get pods,services",
        "get pod nobody",
        "get unicorns",
        "get services",
        "get services -o wide",
        "get configmaps -n default",
        "get secrets",
        "get nodes",
        "get namespaces payments default",
        "get serviceaccounts -n default",
        "get roles,rolebindings",
        "get clusterrolebindings oidc-cluster-admin",
        "get clusterroles cluster-admin edit view admin",
        "get deployments",
        "get events -n payments",
        "get --raw /healthz",
    ] {
        both.same(line).await?;
    }
    both.differences.none()
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_objects_are_the_same() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let mut both = Both::new(world, "admin")?;
    for line in [
        "get pod storefront -o json",
        "get service catalog -o json",
        "get secret catalog-database -o json",
        "get configmap storefront -o json",
        "get namespace payments -o json",
        "get role restricted-user -o json",
        "get rolebinding oidc-cluster-user -o json",
        "get clusterrolebinding oidc-cluster-admin -o json",
        "get clusterroles -l kubernetes.io/bootstrapping=rbac-defaults -o json",
        "get clusterrolebindings -l kubernetes.io/bootstrapping=rbac-defaults -o json",
        "get roles -A -l kubernetes.io/bootstrapping=rbac-defaults -o json",
        "get rolebindings -A -l kubernetes.io/bootstrapping=rbac-defaults -o json",
    ] {
        both.same_json(line).await?;
    }
    both.same("get secret catalog-database -o yaml").await?;
    both.differences.none()
}

#[tokio::test(flavor = "multi_thread")]
async fn describe_prints_the_same() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let mut both = Both::new(world, "admin")?;
    for line in [
        "describe pod storefront",
        "describe service storefront",
        // One key only: kubectl prints several in random order.
        "describe secret card-processor -n payments",
        "describe configmap storefront",
        "describe namespace payments",
        "describe role restricted-user",
        "describe rolebinding oidc-cluster-user",
        "describe clusterrole system:aggregate-to-view",
        "describe clusterrolebinding oidc-cluster-admin",
        "describe pod nobody",
    ] {
        both.same(line).await?;
    }
    both.differences.none()
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_created_changed_and_deleted_with_the_same_words() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let mut both = Both::new(world, "admin")?;
    // EDITOR is a program, with the file to edit as its last argument.
    let editor = "sed -i s/colour:.*/colour:\\ green/";
    for line in [
        "create configmap palette --from-literal=colour=red --from-literal=size=1",
        "create configmap palette --from-literal=colour=red",
        "label configmap palette tier=front",
        "label configmap palette tier=back",
        "label configmap palette tier=back --overwrite",
        "label configmap palette tier-",
        "annotate configmap palette note=seen",
        "patch configmap palette -p {\"data\":{\"size\":\"2\"}}",
        "patch configmap palette --type merge -p {\"data\":{\"size\":null}}",
        "patch configmap palette --type json -p [{\"op\":\"add\",\"path\":\"/data/shape\",\"value\":\"round\"}]",
        "patch configmap palette --type json -p [{\"op\":\"remove\",\"path\":\"/data/nothing\"}]",
    ] {
        both.same(line).await?;
    }
    both.same_json("get configmap palette -o json").await?;
    both.same_with("edit configmap palette", &[("EDITOR", editor)]).await?;
    both.same("get configmap palette -o jsonpath={.data.colour}").await?;
    for line in [
        "create namespace trial",
        "create serviceaccount builder",
        "create secret generic key --from-literal=a=b",
        "create role reader --verb=get,list --resource=pods,services",
        "create rolebinding readers --role=reader --user=somebody --serviceaccount=default:builder",
        "create clusterrole url-reader --verb=get --non-resource-url=/metrics",
        "create clusterrolebinding url-readers --clusterrole=url-reader --group=readers",
        "create service clusterip shop --tcp=80:8080 --clusterip=10.0.0.99",
        "get role reader -o wide",
        "get rolebinding readers -o wide",
        "get service shop",
        "delete configmap palette",
        "delete configmap palette",
        "delete configmap palette --ignore-not-found",
        "delete serviceaccount builder",
        "delete secret key",
        "delete role/reader rolebinding/readers",
        "delete clusterrole url-reader",
        "delete clusterrolebinding url-readers",
        "delete service shop",
        "delete namespace trial --wait=false",
    ] {
        both.same(line).await?;
    }
    both.differences.none()
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_creates_changes_and_keeps_with_the_same_words() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let mut both = Both::new(world, "admin")?;
    let manifest = |image: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: shelf}}\ndata: {{image: \"{image}\"}}\n---\n\
             apiVersion: v1\nkind: Pod\nmetadata: {{name: shelf, labels: {{app: shelf}}}}\n\
             spec:\n  containers:\n  - {{name: web, image: \"{image}\"}}\n  - {{name: log, image: \"log:1\"}}\n"
        )
    };
    both.write("shelf.yaml", &manifest("registry.example/shelf:1"))?;
    both.write("shelf2.yaml", &manifest("registry.example/shelf:2"))?;
    for line in [
        "apply -f shelf.yaml",
        "apply -f shelf.yaml",
        "diff -f shelf.yaml",
        "apply -f shelf2.yaml",
        "get pod shelf -o jsonpath={.spec.containers[*].image}",
        "get configmap shelf -o jsonpath={.metadata.annotations}",
        "replace -f shelf.yaml",
        "apply -f shelf2.yaml --dry-run=server",
        "get pod shelf -o jsonpath={.spec.containers[*].image}",
        "delete -f shelf.yaml --now",
        "apply -f shelf.yaml --dry-run=server",
    ] {
        both.same(line).await?;
    }
    both.differences.none()
}

#[tokio::test(flavor = "multi_thread")]
async fn access_is_explained_with_the_same_words() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    for who in world::PEOPLE {
        let mut both = Both::new(world, who)?;
        for line in [
            "auth whoami",
            "auth whoami -o json",
            "auth can-i get pods",
            "auth can-i get pods -n payments",
            "auth can-i get pods -A",
            "auth can-i get pods/log",
            "auth can-i delete secrets -q",
            "auth can-i get secrets/catalog-database",
            "auth can-i * *",
            "auth can-i get /healthz",
            "auth can-i get /metrics",
            "auth can-i get unicorns",
            "auth can-i --list",
            "auth can-i --list -n payments",
            "get pods",
            "get secrets",
            "get nodes",
            "get pods -A",
            "create configmap a --from-literal=a=b",
            "delete pod storefront",
        ] {
            if who == "admin" && (line.starts_with("create") || line.starts_with("delete")) {
                continue;
            }
            both.same(line).await?;
        }
        both.differences.none().with_context(|| who.to_owned())?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn acting_as_another_is_the_same() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let mut both = Both::new(world, "admin")?;
    for line in [
        "get pods --as=dev@example.com",
        "get pods --as=somebody --as-group=k8s-restricted-users",
        "get secrets --as=somebody --as-group=k8s-restricted-users",
        "auth can-i list pods --as=somebody --as-group=k8s-restricted-users",
        "auth can-i --list --as=somebody --as-group=k8s-restricted-users",
        "auth whoami --as=somebody --as-group=k8s-restricted-users",
    ] {
        both.same(line).await?;
    }
    both.differences.none()?;
    let mut both = Both::new(world, "dev")?;
    both.same("get pods --as=admin@example.com").await?;
    both.differences.none()
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_reconciled_with_the_same_words() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let mut both = Both::new(world, "admin")?;
    let manifest = |verbs: &str| {
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: clerk, namespace: default}}\n\
             rules: [{{apiGroups: [\"\"], resources: [pods], verbs: [{verbs}]}}]\n---\n\
             apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {{name: clerks, namespace: default}}\n\
             subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: Group, name: clerks}}]\n\
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: clerk}}\n"
        )
    };
    both.write("one.yaml", &manifest("get"))?;
    both.write("two.yaml", &manifest("get, list"))?;
    for line in ["auth reconcile -f one.yaml", "auth reconcile -f two.yaml", "auth reconcile -f one.yaml"] {
        both.same(line).await?;
    }
    both.same_json("get role clerk -o json").await?;
    both.same("delete -f one.yaml").await?;
    both.differences.none()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_shows_what_is_there_and_what_comes() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let mut both = Both::new(world, "admin")?;
    both.same("create configmap first --from-literal=a=b").await?;
    // The watch ends by itself after two seconds; meanwhile another one is created and deleted.
    let watch = "get configmaps -l !nothing --watch --output-watch-events --request-timeout=2s";
    let words: Vec<&str> = watch.split_whitespace().collect();
    let change = async |kubectl: &Kubectl| {
        kubectl.run(&["create", "configmap", "second", "--from-literal=a=b"]).await?.succeeded()?;
        kubectl.run(&["label", "configmap", "second", "seen=yes"]).await?.succeeded()?;
        kubectl.run(&["delete", "configmap", "second"]).await?.succeeded()
    };
    let (ours, theirs, one, two) = tokio::join!(
        both.sandbox.run(&words),
        both.real.run(&words),
        change(&both.sandbox),
        change(&both.real)
    );
    one?;
    two?;
    let (ours, theirs) = (normalise::text(&ours?.stdout), normalise::text(&theirs?.stdout));
    for event in ["ADDED first", "ADDED second", "MODIFIED second", "DELETED second"] {
        assert!(ours.contains(event), "no {event} in:\n{ours}");
        assert!(theirs.contains(event), "no {event} in the real one's:\n{theirs}");
    }
    both.same("delete configmap first").await?;
    both.differences.none()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_sandbox_serves_is_named_as_in_the_real_one() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let mut both = Both::new(world, "admin")?;
    for line in ["api-resources -o wide --no-headers", "api-versions"] {
        let (ours, theirs) = both.run(line, &[]).await?;
        let (ours, theirs) = (normalise::text(&ours.succeeded()?), normalise::text(&theirs.succeeded()?));
        let real: Vec<&str> = theirs.lines().collect();
        for served in ours.lines().filter(|served| !real.contains(served)) {
            let name = served.split(' ').next().unwrap_or_default();
            let like = real.iter().find(|line| line.split(' ').next() == Some(name)).unwrap_or(&"nothing");
            both.differences.note("kubectl", line, served, like);
        }
        assert!(ours.lines().count() > 5 || line != "api-resources", "{ours}");
    }
    for kind in ["pods", "deployments.apps", "clusterroles.rbac.authorization.k8s.io"] {
        let (ours, theirs) = both.run(&format!("explain {kind}"), &[]).await?;
        let head = |done: Done| -> Result<Vec<String>> {
            Ok(done
                .succeeded()?
                .lines()
                .take_while(|line| !line.starts_with("DESCRIPTION"))
                .map(str::to_owned)
                .collect())
        };
        assert_eq!(head(ours)?, head(theirs)?, "explain {kind}");
    }
    both.same("explain unicorns").await?;
    both.differences.none()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sandbox_cannot_do_it_says_in_one_sentence() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let both = Both::new(world, "admin")?;
    for line in ["logs storefront", "exec storefront -- ls", "attach storefront"] {
        let words: Vec<&str> = line.split(' ').collect();
        let said = both.sandbox.run(&words).await?.failed()?;
        assert!(said.contains("sandbox") && said.contains("no containers"), "{line}: {said}");
        let kubectls_own = ["Defaulted container", "If you don't see a command prompt"];
        let sentences =
            said.lines().filter(|line| !kubectls_own.iter().any(|own| line.starts_with(own))).count();
        assert_eq!(sentences, 1, "{line}: {said}");
    }
    let version = both.sandbox.run(&["version"]).await?.succeeded()?;
    assert!(version.contains("sandbox"), "the server version does not say what it is: {version}");
    Ok(())
}
