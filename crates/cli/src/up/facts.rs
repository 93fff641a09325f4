//! What `kubesso up` says when it is ready: as a screen for people, as one object for scripts.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use kubesso_directory::Secret;
use kubesso_signin::shell_quote;
use serde::Serialize;
use serde::ser::SerializeStruct as _;

use crate::error::CommandError;
use crate::up::organization::Organization;
use crate::up::registration::Registration;

/// Where things are, and who can sign in.
#[derive(Debug)]
pub struct Facts {
    /// What a cluster is told, once it is there.
    pub registration: Option<Registration>,
    /// The certificate authority that signed the provider's and the cluster's certificates.
    pub ca: PathBuf,
    /// For people: the user `oidc-user` signs in with the browser.
    pub kubeconfig: PathBuf,
    /// For the break-glass administrator.
    pub admin_kubeconfig: PathBuf,
    /// The sandbox cluster's URL.
    pub cluster: String,
    /// The data directory.
    pub data_dir: PathBuf,
    /// What goes into `PATH`, so that kubectl finds the plugin.
    pub plugin_dir: PathBuf,
    /// How Terraform's Okta provider finds the management API; `None` where port 443 cannot be used.
    pub organization: Option<Organization>,
    /// The four people.
    pub users: Vec<Person>,
    /// What is not as the person might expect, e.g. another port.
    pub notices: Vec<String>,
}

/// Somebody who can sign in.
#[derive(Debug)]
pub struct Person {
    /// E-mail address and login.
    pub email: String,
    /// Groups, sorted.
    pub groups: Vec<String>,
    /// What to expect of this person.
    pub remark: &'static str,
    /// On the first start only.
    pub password: Option<Secret>,
}

/// For scripts. The one place where passwords are serialised: this is their only showing.
impl Serialize for Facts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut facts = serializer.serialize_struct("Facts", 11)?;
        let registration = self.registration.as_ref();
        facts.serialize_field("issuer", &registration.map(|one| &one.issuer))?;
        facts.serialize_field("client_id", &registration.map(|one| &one.client_id))?;
        facts.serialize_field("ca", &self.ca)?;
        facts.serialize_field("kubeconfig", &self.kubeconfig)?;
        facts.serialize_field("admin_kubeconfig", &self.admin_kubeconfig)?;
        facts.serialize_field("cluster", &self.cluster)?;
        facts.serialize_field("data_dir", &self.data_dir)?;
        facts.serialize_field("plugin_dir", &self.plugin_dir)?;
        facts.serialize_field("organization", &self.organization)?;
        facts.serialize_field("users", &self.users)?;
        facts.serialize_field("notices", &self.notices)?;
        facts.end()
    }
}

impl Serialize for Person {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut person = serializer.serialize_struct("Person", 3)?;
        person.serialize_field("email", &self.email)?;
        person.serialize_field("groups", &self.groups)?;
        match &self.password {
            Some(password) => person.serialize_field("password", password.expose())?,
            None => person.skip_field("password")?,
        }
        person.end()
    }
}

/// Whether escape sequences may be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// To a terminal.
    On,
    /// To a file or a pipe, or when `NO_COLOR` is set.
    Off,
}

impl Colour {
    /// `text` in bold.
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// `text` in a fainter colour.
    pub fn faint(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// `text` in green.
    pub fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// `text` in red.
    pub fn bad(self, text: &str) -> String {
        self.wrap("31", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        match self {
            Self::On => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::Off => text.to_owned(),
        }
    }
}

impl Facts {
    /// What a cluster is told.
    ///
    /// # Errors
    /// It is not there (any more).
    pub fn registration(&self) -> Result<&Registration, CommandError> {
        self.registration.as_ref().ok_or_else(|| {
            CommandError::new("there is no application `k8s OIDC`, or no authorization server `k8s-auth`")
                .mend("make them with examples/terraform-okta, or start with another --data-dir")
        })
    }

    /// One screen: where things are, the people, what to type next.
    ///
    /// `default_data_dir` is where `kubesso` looks without being told: commands for another directory name it.
    pub fn screen(&self, colour: Colour, default_data_dir: Option<&Path>) -> String {
        let mut screen = format!("\n  {}\n\n", colour.bold("kubesso is up"));
        let (issuer, client, label) = match &self.registration {
            Some(registration) => (registration.issuer.as_str(), registration.client_id.as_str(), "k8s OIDC"),
            None => (
                "not yet: Terraform makes the authorization server `k8s-auth`",
                "not yet: Terraform makes the application `k8s OIDC`",
                "",
            ),
        };
        for (name, value, remark) in [
            ("issuer", issuer, ""),
            ("client", client, label),
            ("cluster", &self.cluster, "a sandbox: it stores objects and runs no containers"),
            ("data", &self.data_dir.display().to_string(), ""),
        ] {
            let remark = if remark.is_empty() { String::new() } else { colour.faint(&format!("  {remark}")) };
            // Writing to a String cannot fail.
            let _ = writeln!(screen, "  {}  {value}{remark}", colour.faint(&format!("{name:<8}")));
        }
        for notice in &self.notices {
            let _ = writeln!(screen, "  {}  {notice}", colour.bold("note    "));
        }
        self.write_people(&mut screen, colour, default_data_dir);
        if let Some(registration) = &self.registration {
            self.write_next_steps(registration, &mut screen, colour);
        }
        self.write_terraform(&mut screen, colour, default_data_dir);
        self.write_farewell(&mut screen, colour);
        screen
    }

    fn write_people(&self, screen: &mut String, colour: Colour, default_data_dir: Option<&Path>) {
        let first_start = self.users.iter().any(|person| person.password.is_some());
        let _ = writeln!(screen, "\n  {}", colour.bold("People"));
        let width = |of: fn(&Person) -> usize| self.users.iter().map(of).max().unwrap_or_default();
        let email = width(|person| person.email.len());
        let password = width(|person| person.password.as_ref().map_or(0, |password| password.expose().len()));
        for person in &self.users {
            let shown = person.password.as_ref().map_or("", |password| password.expose());
            let gap = if first_start { "   " } else { "" };
            let _ = writeln!(
                screen,
                "  {:<email$}   {shown:<password$}{gap}{}",
                person.email,
                colour.faint(person.remark)
            );
        }
        let when = if first_start { "are shown this once" } else { "were shown at the first start" };
        let mut remark = format!("The passwords {when}. New ones: kubesso user reset-password EMAIL");
        if default_data_dir != Some(&self.data_dir) {
            let _ = write!(remark, " --data-dir {}", shell_quote(&self.data_dir.display().to_string()));
        }
        let _ = writeln!(screen, "  {}", colour.faint(&remark));
    }

    fn write_next_steps(&self, registration: &Registration, screen: &mut String, colour: Colour) {
        let quote = |path: &PathBuf| shell_quote(&path.display().to_string());
        let _ = writeln!(screen, "\n  {}\n", colour.bold("Type next, in another terminal"));
        for line in [
            format!(
                "export KUBECONFIG={} PATH={}:\"$PATH\"",
                quote(&self.kubeconfig),
                quote(&self.plugin_dir)
            ),
            format!("kubectl oidc-login setup --oidc-issuer-url={} \\", registration.issuer),
            format!(
                "  --oidc-client-id={} --certificate-authority={}",
                registration.client_id,
                quote(&self.ca)
            ),
            "kubectl get pods --user=oidc-user -n default".to_owned(),
            "kubectl get secrets --user=oidc-user".to_owned(),
        ] {
            let _ = writeln!(screen, "  {line}");
        }
    }

    fn write_terraform(&self, screen: &mut String, colour: Colour, default_data_dir: Option<&Path>) {
        let Some(organization) = &self.organization else { return };
        let quote = |path: &Path| shell_quote(&path.display().to_string());
        let place = if default_data_dir == Some(&self.data_dir) {
            String::new()
        } else {
            format!(" --data-dir {}", quote(&self.data_dir))
        };
        let heading = match &self.registration {
            Some(_) => "Or use Okta's Terraform provider and SDKs",
            None => {
                "Set up access with Okta's Terraform provider (examples/terraform-okta), in another terminal"
            }
        };
        let _ = writeln!(screen, "\n  {}\n", colour.bold(heading));
        if self.registration.is_none() {
            let _ = writeln!(
                screen,
                "  export KUBECONFIG={} PATH={}:\"$PATH\"",
                quote(&self.kubeconfig),
                quote(&self.plugin_dir)
            );
        }
        for line in [
            format!(
                "export OKTA_ORG_NAME={} OKTA_BASE_URL={} \\",
                organization.org_name, organization.base_url
            ),
            format!("  SSL_CERT_FILE={}", quote(&organization.ssl_cert_file)),
            format!("export OKTA_API_TOKEN=$(kubesso api-token create --name terraform{place} \\"),
            "  -o json | jq -r .token)".to_owned(),
        ] {
            let _ = writeln!(screen, "  {line}");
        }
    }

    fn write_farewell(&self, screen: &mut String, colour: Colour) {
        let sign_out = self.registration.as_ref().map_or_else(String::new, |registration| {
            format!(
                "To be somebody else: kubectl oidc-login clean, and sign out at\n  {}/v1/logout. ",
                registration.issuer
            )
        });
        let _ = writeln!(
            screen,
            "\n  {}",
            colour.faint(&format!(
                "The browser does not know this installation's certificate authority: let it through, or import\n  {}. \
                 {sign_out}Ctrl-C ends kubesso; everything is kept.",
                self.ca.display(),
            ))
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(password: Option<&str>) -> Facts {
        let person = |email: &str, remark| Person {
            email: email.to_owned(),
            groups: vec![],
            remark,
            password: password.map(Secret::new),
        };
        Facts {
            registration: Some(Registration {
                issuer: "https://localhost:8443/oauth2/aus0000000000000000".to_owned(),
                client_id: "0oa00000000000000000".to_owned(),
            }),
            ca: "/home/jo/.local/share/kubesso/ca.crt".into(),
            kubeconfig: "/home/jo/.local/share/kubesso/kubeconfig".into(),
            admin_kubeconfig: "/home/jo/.local/share/kubesso/admin.kubeconfig".into(),
            cluster: "https://localhost:6444".to_owned(),
            data_dir: "/home/jo/.local/share/kubesso".into(),
            plugin_dir: "/home/jo/my files/bin".into(),
            organization: Some(Organization {
                org_name: "127".to_owned(),
                base_url: "0.0.77".to_owned(),
                ssl_cert_file: "/home/jo/.local/share/kubesso/trust.pem".into(),
            }),
            users: vec![
                person("admin@example.com", "may do everything"),
                person("dev@example.com", "may read"),
            ],
            notices: vec!["port 6443 is taken, so the cluster is on 6444".to_owned()],
        }
    }

    #[test]
    fn the_first_start_shows_the_passwords() {
        insta::assert_snapshot!(facts(Some("tulip-anchor-violet")).screen(Colour::Off, None));
    }

    #[test]
    fn a_later_start_says_how_to_get_new_ones() {
        insta::assert_snapshot!(
            facts(None).screen(Colour::Off, Some(Path::new("/home/jo/.local/share/kubesso")))
        );
    }

    #[test]
    fn before_terraform_was_there_the_screen_says_what_it_is_for() {
        let facts = Facts { registration: None, ..facts(Some("tulip-anchor-violet")) };
        insta::assert_snapshot!(facts.screen(Colour::Off, None));
        assert!(facts.registration().unwrap_err().to_string().contains("k8s OIDC"));
    }

    #[test]
    fn for_scripts_it_is_one_line_with_the_names_they_rely_on() {
        let line = serde_json::to_string(&facts(Some("pw"))).unwrap();
        assert_eq!(line.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        for name in ["issuer", "client_id", "ca", "kubeconfig", "cluster", "users"] {
            assert!(value.get(name).is_some(), "{name}");
        }
        assert_eq!(value["users"][0]["password"], "pw");
        assert!(serde_json::to_value(facts(None)).unwrap()["users"][0].get("password").is_none());
    }

    #[test]
    fn debug_shows_no_password() {
        assert!(!format!("{:?}", facts(Some("tulip"))).contains("tulip"));
    }
}
