//! One plan a target, where its files are a machine's.

use crate::authentication_configuration::loaded_hash;
use crate::found::{LookError, Manifest, OnHost, rancher_arguments, rancher_files};
use crate::host::Host;
use crate::instructions::Form;
use crate::plan::{Change, HostCommand, InForce, Plan, PlanError, Word, edit};
use crate::request::{Material, Request};
use crate::target::Target;
use crate::targets::{k0s, k3s, kubeadm, microk8s, rke2};

/// What has to be changed for `target`. `manifest` is where a static pod's manifest is.
///
/// # Errors
/// The target cannot do it, what is there cannot be read or changed, or it is not done by files.
pub fn plan(
    request: &Request<'_>,
    target: Target,
    host: &dyn Host,
    manifest: &str,
) -> Result<Plan, PlanError> {
    match target {
        Target::StaticPod | Target::Kubeadm | Target::Kind => static_pod(request, target, host, manifest),
        Target::K3s | Target::K3d => {
            let restart = match target {
                Target::K3s => Some(HostCommand::of("Restart k3s.", &["systemctl", "restart", "k3s"])),
                _ => None,
            };
            rancher(
                request,
                target,
                host,
                Rancher { folder: k3s::CONFIGURATION, authn: k3s::FOLDER, part: k3s::PART, restart },
            )
        }
        Target::Rke2 => {
            let restart = HostCommand::of("Restart RKE2.", &["systemctl", "restart", "rke2-server"]);
            let of = Rancher {
                folder: rke2::CONFIGURATION,
                authn: rke2::FOLDER,
                part: rke2::PART,
                restart: Some(restart),
            };
            rancher(request, target, host, of)
        }
        Target::K0s => on_k0s(request, host),
        Target::MicroK8s => on_microk8s(request, host),
        _ => Err(PlanError::NotHere(target)),
    }
}

/// What kubeadm keeps in the cluster (`ClusterConfiguration`) with what is asked for.
///
/// # Errors
/// It cannot be said there, or the text cannot be changed.
pub fn kubeadm_configuration(request: &Request<'_>, text: &str) -> Result<String, PlanError> {
    let material = request.material(Target::Kubeadm, kubeadm::FOLDER)?;
    material.no_repeated_flag(Target::Kubeadm)?;
    let folder = material.file.as_ref().map(|_| kubeadm::FOLDER);
    edit::kubeadm(text, &material.arguments, folder)
        .map_err(|why| PlanError::Edit { path: "ClusterConfiguration".to_owned(), why })
}

/// Where k3s or RKE2 has its files.
struct Rancher {
    folder: &'static str,
    authn: &'static str,
    part: &'static str,
    restart: Option<HostCommand>,
}

/// The files in order: first what is named, then what names it.
struct Draft<'a> {
    host: &'a dyn Host,
    changes: Vec<Change>,
    restarts: bool,
}

impl<'a> Draft<'a> {
    fn new(host: &'a dyn Host) -> Self {
        Self { host, changes: Vec::new(), restarts: false }
    }

    fn read(&self, path: &str) -> Result<Option<String>, PlanError> {
        let unusable = |what| LookError::Unusable { path: path.to_owned(), what };
        Ok(self.host.read(path).map_err(unusable)?)
    }

    fn read_there(&self, path: &str) -> Result<String, PlanError> {
        Ok(self.read(path)?.ok_or_else(|| LookError::Missing { path: path.to_owned() })?)
    }

    /// A file that the API server reads by itself.
    fn named(&mut self, material: &Material, folder: &str) -> Result<(), PlanError> {
        if let Some((name, text)) = &material.file {
            let is_read_once = material.form == Form::Flags;
            self.put(format!("{folder}/{name}"), text.clone(), is_read_once)?;
        }
        Ok(())
    }

    fn put(&mut self, path: String, after: String, restarts: bool) -> Result<(), PlanError> {
        let before = self.read(&path)?;
        if before.as_ref() != Some(&after) {
            self.restarts |= restarts;
            self.changes.push(Change { path, before, after });
        }
        Ok(())
    }

    fn plan(
        self,
        target: Target,
        material: Material,
        commands: Vec<HostCommand>,
        warnings: Vec<String>,
    ) -> Plan {
        let by = if self.restarts { InForce::Restart } else { InForce::Reload };
        let hash = material.file.as_ref().filter(|_| material.form == Form::Config);
        let commands = if self.restarts { commands } else { Vec::new() };
        Plan {
            target,
            form: material.form,
            by,
            undo: commands.clone(),
            commands,
            hash: hash.map(|(_, text)| loaded_hash(text.as_bytes())),
            changes: self.changes,
            warnings: material.warnings.into_iter().chain(warnings).collect(),
        }
    }
}

fn static_pod(request: &Request<'_>, target: Target, host: &dyn Host, path: &str) -> Result<Plan, PlanError> {
    let folder = kubeadm::FOLDER;
    let material = request.material(target, folder)?;
    let mut draft = Draft::new(host);
    let text = draft.read_there(path)?;
    let edit_error = |why| PlanError::Edit { path: path.to_owned(), why };
    let mounted = material.file.as_ref().map(|_| folder);
    let changed = edit::manifest(&text, &material.arguments, mounted).map_err(edit_error)?;
    if let Some((name, _)) = &material.file {
        // Where the folder of the container is on the host, should it be mounted from elsewhere.
        let pod = Manifest::parse(&changed).map_err(edit_error)?;
        let OnHost::File(on_host) = pod.on_host(&format!("{folder}/{name}")) else {
            return Err(edit_error(format!("{folder} cannot be mounted")));
        };
        let on_host = on_host.rsplit_once('/').map_or(folder, |(folder, _)| folder).to_owned();
        draft.named(&material, &on_host)?;
    }
    draft.put(path.to_owned(), changed, true)?;
    let mut warnings = Vec::new();
    if target == Target::StaticPod {
        warnings.push(
            "Where a tool writes the manifest (kubeadm, RKE2, Kubespray …), its next run takes the lines away again: change \
             its configuration too."
                .to_owned(),
        );
    }
    Ok(draft.plan(target, material, Vec::new(), warnings))
}

fn rancher(request: &Request<'_>, target: Target, host: &dyn Host, of: Rancher) -> Result<Plan, PlanError> {
    let material = request.material(target, of.authn)?;
    for (path, file) in rancher_files(host, of.folder)? {
        let Some((arguments, _)) = rancher_arguments(&file).filter(|_| path != of.part) else { continue };
        if let Some((name, _)) = arguments.about_issuers().next() {
            return Err(PlanError::SaidElsewhere { path, what: name.to_owned() });
        }
        // A later file that does not add would take ours away.
        let replaces = file.get("kube-apiserver-arg").is_some() && path.as_str() > of.part;
        if replaces {
            let what = "kube-apiserver-arg without a +, which replaces what comes before it, and would";
            return Err(PlanError::SaidElsewhere { path, what: what.to_owned() });
        }
    }
    let made = target_of_part(target).instructions(request)?;
    let part = made.files.into_iter().next_back().map(|file| file.content).unwrap_or_default();
    let mut draft = Draft::new(host);
    draft.named(&material, of.authn)?;
    draft.put(of.part.to_owned(), part, true)?;
    Ok(draft.plan(target, material, of.restart.into_iter().collect(), made.warnings))
}

/// k3d runs k3s, whose files are the same.
fn target_of_part(target: Target) -> Target {
    if target == Target::K3d { Target::K3s } else { target }
}

fn on_k0s(request: &Request<'_>, host: &dyn Host) -> Result<Plan, PlanError> {
    let path = k0s::CONFIGURATION;
    let material = request.material(Target::K0s, k0s::FOLDER)?;
    material.no_repeated_flag(Target::K0s)?;
    let mut draft = Draft::new(host);
    let text = draft.read_there(path)?;
    let raw: serde_json::Value = serde_saphyr::from_str(&text).unwrap_or_default();
    let raw = raw.pointer("/spec/api/rawArgs").and_then(serde_json::Value::as_array);
    let raw = crate::Arguments::of_words(raw.into_iter().flatten().filter_map(serde_json::Value::as_str));
    if let Some((name, _)) = raw.about_issuers().next() {
        let what = format!("{name} in rawArgs");
        return Err(PlanError::SaidElsewhere { path: path.to_owned(), what });
    }
    let changed = edit::k0s(&text, &material.arguments)
        .map_err(|why| PlanError::Edit { path: path.to_owned(), why })?;
    draft.named(&material, k0s::FOLDER)?;
    draft.put(path.to_owned(), changed, true)?;
    let made = Target::K0s.instructions(request)?;
    let text = |word: &str| Word::Text(word.to_owned());
    let mut commands = Vec::new();
    if material.file.is_some() {
        let words =
            vec![text("chown"), text("-R"), text("kube-apiserver"), Word::Path(k0s::FOLDER.to_owned())];
        commands.push(HostCommand { what: "Let the API server's user read the file.".to_owned(), words });
    }
    let words = ["k0s", "config", "validate", "--config"].map(text).into_iter();
    commands.push(HostCommand {
        what: "Have k0s check its configuration.".to_owned(),
        words: words.chain([Word::Path(path.to_owned())]).collect(),
    });
    commands.push(HostCommand::of("Restart the controller.", &["systemctl", "restart", "k0scontroller"]));
    let needs_owner = draft.changes.iter().any(|change| change.path.starts_with(k0s::FOLDER));
    let reload = if needs_owner { commands.first().cloned() } else { None };
    let mut plan = draft.plan(Target::K0s, material, commands, made.warnings);
    if plan.by == InForce::Reload {
        plan.commands.extend(reload);
        plan.undo = plan.commands.clone();
    }
    Ok(plan)
}

fn on_microk8s(request: &Request<'_>, host: &dyn Host) -> Result<Plan, PlanError> {
    let path = microk8s::ARGUMENTS;
    let material = request.material(Target::MicroK8s, microk8s::FOLDER)?;
    let mut draft = Draft::new(host);
    let text = draft.read_there(path)?;
    let changed = edit::lines(&text, &material.arguments);
    draft.named(&material, microk8s::FOLDER)?;
    draft.put(path.to_owned(), changed, true)?;
    let restart = HostCommand::of("Restart MicroK8s.", &["snap", "restart", "microk8s.daemon-kubelite"]);
    Ok(draft.plan(Target::MicroK8s, material, vec![restart], Vec::new()))
}
