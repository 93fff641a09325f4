//! What is asked for, and what all targets with an API server of their own have in common.

use crate::access::Access;
use crate::authentication_configuration::{as_file, authentication_configuration};
use crate::instructions::{ConfigFile, Form, Impossible, Instructions, Restriction, Step, shell_word};
use crate::kubernetes_version::KubernetesVersion;
use crate::oidc_flags::{self, Argument, against, oidc_flags};
use crate::target::Target;

/// The file of `--authentication-config`, wherever its folder is.
pub(crate) const CONFIG_FILE: &str = "authentication-config.yaml";
/// The issuer's certificate authority, beside flags.
pub(crate) const CA_FILE: &str = "issuer-ca.crt";

/// Who says what kube-apiserver refuses.
const KUBERNETES: &str = "Kubernetes, apiserver.config.k8s.io";

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who may sign in.
    pub access: &'a Access,
    /// The cluster's version.
    pub kubernetes: KubernetesVersion,
    /// The distribution's own version, where what it takes depends on it.
    pub target_version: Option<KubernetesVersion>,
    /// By a file or by flags; nothing: by a file, where that can be.
    pub form: Option<Form>,
    /// The cluster's name, for commands.
    pub cluster: Option<&'a str>,
    /// The namespace, resource group or project that it is in, for commands.
    pub scope: Option<&'a str>,
}

/// Arguments of the API server, and the file beside them, if there is one.
pub(crate) struct Material {
    pub(crate) form: Form,
    pub(crate) arguments: Vec<Argument>,
    /// Name and text; its path is the folder that was asked for.
    pub(crate) file: Option<(&'static str, String)>,
    /// What the API server shows once it has loaded the file.
    pub(crate) hash: Option<String>,
    pub(crate) warnings: Vec<String>,
}

impl<'a> Request<'a> {
    /// A request for that version, by what fits it best.
    pub fn new(access: &'a Access, kubernetes: KubernetesVersion) -> Self {
        Self { access, kubernetes, target_version: None, form: None, cluster: None, scope: None }
    }

    /// The cluster's name, or a word to replace.
    pub(crate) fn cluster(&self) -> String {
        shell_word(self.cluster.unwrap_or("CLUSTER"))
    }

    /// The namespace, resource group or project, or a word to replace.
    pub(crate) fn scope(&self, placeholder: &str) -> String {
        shell_word(self.scope.unwrap_or(placeholder))
    }

    /// By a file, if the version has it and nobody wants flags.
    pub(crate) fn wants_config(&self) -> bool {
        match self.form {
            Some(Form::Flags) => false,
            Some(Form::Config | Form::Native) => true,
            None => self.kubernetes.has_structured_configuration(),
        }
    }

    /// What an API server shows once it has loaded the file that is written for this; none by flags.
    pub fn file_hash(&self) -> Option<String> {
        let file = || as_file(&authentication_configuration(self.access, self.kubernetes));
        self.wants_config().then(|| file().1)
    }

    /// What goes to an API server that finds its files in `folder`.
    pub(crate) fn material(&self, target: Target, folder: &str) -> Result<Material, Impossible> {
        if self.wants_config() { self.config(target, folder) } else { self.flags(target, folder) }
    }

    fn config(&self, target: Target, folder: &str) -> Result<Material, Impossible> {
        if !self.kubernetes.has_structured_configuration() {
            return Err(Impossible {
                target,
                restrictions: vec![Restriction::new(
                    format!("Kubernetes {} has no --authentication-config", self.kubernetes),
                    "Kubernetes 1.30, StructuredAuthenticationConfiguration",
                    "use flags (--form flags), or a newer Kubernetes",
                )],
            });
        }
        let (text, hash) = as_file(&authentication_configuration(self.access, self.kubernetes));
        Ok(Material {
            form: Form::Config,
            arguments: vec![("authentication-config".to_owned(), format!("{folder}/{CONFIG_FILE}"))],
            file: Some((CONFIG_FILE, text)),
            hash: Some(hash),
            warnings: Vec::new(),
        })
    }

    fn flags(&self, target: Target, folder: &str) -> Result<Material, Impossible> {
        let arguments = oidc_flags(self.access, &format!("{folder}/{CA_FILE}")).map_err(|not| {
            let instead = if self.kubernetes.has_structured_configuration() {
                "use a configuration file (--form config)"
            } else {
                "use Kubernetes 1.30 or newer, which takes a configuration file"
            };
            let restrict = |what: &String| {
                Restriction::new(format!("flags cannot say {what}"), "kube-apiserver, --oidc-*", instead)
            };
            Impossible { target, restrictions: not.0.iter().map(restrict).collect() }
        })?;
        let authority = self.access.issuers.first().and_then(|issuer| issuer.certificate_authority.as_ref());
        Ok(Material {
            form: Form::Flags,
            arguments,
            file: authority.map(|authority| (CA_FILE, authority.as_pem().to_owned())),
            hash: None,
            warnings: oidc_flags::warnings(self.access, "flags", ", or use a configuration file"),
        })
    }

    /// An error where `anonymous` is said and the target says it itself already.
    pub(crate) fn no_anonymous(&self, target: Target, why: &str, source: &str) -> Result<(), Impossible> {
        if self.access.anonymous.is_none() {
            return Ok(());
        }
        let what = format!("`anonymous` cannot be said: {why}");
        Err(Impossible {
            target,
            restrictions: vec![Restriction::new(what, source, "leave `anonymous` out")],
        })
    }
}

impl Material {
    /// An error where flags stand there more than once, and the target keeps them by name.
    pub(crate) fn no_repeated_flag(&self, target: Target) -> Result<(), Impossible> {
        let is_repeated = |(index, (name, _)): (usize, &Argument)| {
            self.arguments.iter().take(index).any(|(other, _)| other == name)
        };
        if !self.arguments.iter().enumerate().any(is_repeated) {
            return Ok(());
        }
        let what = "several required claims are one flag several times, which is kept once by its name here";
        Err(Impossible {
            target,
            restrictions: vec![Restriction::new(
                what,
                KUBERNETES,
                "use a configuration file (--form config)",
            )],
        })
    }

    /// `--name=value`, as a process takes it.
    pub(crate) fn words(&self) -> Vec<String> {
        self.arguments.iter().map(|(name, value)| format!("--{name}={value}")).collect()
    }

    /// `name=value`, as distributions write it that add the dashes.
    pub(crate) fn assignments(&self) -> Vec<String> {
        self.arguments.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// The file, as it is to lie in `folder`.
    pub(crate) fn config_file(&self, folder: &str, note: &str) -> Vec<ConfigFile> {
        self.file
            .iter()
            .map(|(name, text)| ConfigFile::whole(name, format!("{folder}/{name}{note}"), text.clone()))
            .collect()
    }

    /// How to see that an API server has it, and takes a person.
    pub(crate) fn verify(&self) -> Vec<Step> {
        let mut steps = vec![Step::run(
            "The API server is ready again; repeat it for each control-plane node.",
            "kubectl get --raw '/readyz?verbose'",
        )];
        if let Some(hash) = &self.hash {
            steps.push(Step::run(
                format!(
                    "It has loaded this very file: last_config_info of each API server says hash=\"{hash}\". (Older releases \
                     only count how often the file was read again.)"
                ),
                "kubectl get --raw /metrics | grep apiserver_authentication_config_controller",
            ));
        }
        steps.push(whoami());
        steps
    }

    /// Instructions with these files and steps.
    pub(crate) fn instructions(
        self,
        target: Target,
        files: Vec<ConfigFile>,
        apply: Vec<Step>,
        rollback: Vec<Step>,
    ) -> Instructions {
        let verify = self.verify();
        Instructions { target, form: self.form, files, apply, verify, rollback, warnings: self.warnings }
    }
}

/// The last proof: somebody signs in.
pub(crate) fn whoami() -> Step {
    Step::run(
        "Somebody signs in, and has the name and the groups that are meant (kubectl 1.28 or newer).",
        "kubectl --user=oidc auth whoami",
    )
}

/// Before anything is changed.
pub(crate) fn keep_a_way_in() -> Step {
    Step::say(
        "Keep a kubeconfig with an administrator's client certificate at hand: with it you get in whatever happens to \
         sign-in by tokens.",
    )
}

/// An error where the target has no field for something that flags could say: left out, it would not be in force.
pub(crate) fn no_field_for(target: Target, missing: &[(bool, &str)]) -> Result<(), Impossible> {
    let missing = missing.iter().filter(|(is_wanted, _)| *is_wanted);
    let restrictions: Vec<_> = missing
        .map(|(_, what)| {
            let what = format!("it has no setting for {what}");
            Restriction::new(what, target.title(), "leave it out, or use a configuration file")
        })
        .collect();
    if restrictions.is_empty() { Ok(()) } else { Err(Impossible { target, restrictions }) }
}

/// Why flags would not do, for targets that only have them.
pub(crate) fn restrictions_of_flags(access: &Access, source: &str, instead: &str) -> Vec<Restriction> {
    against(access)
        .iter()
        .map(|what| Restriction::new(format!("it cannot say {what}"), source, instead))
        .collect()
}
