//! Programs that manage an organization with Okta's own SDKs (`tests/peers/okta-sdk-*`).

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::environment;
use crate::kubesso::{Kubesso, email};
use crate::process::{Running, tied};

/// The languages that Okta has SDKs for.
pub const LANGUAGES: [&str; 4] = ["golang", "java", "nodejs", "python"];

/// One of these programs, with what it needs to reach a running kubesso.
#[derive(Debug)]
pub struct OktaSdk {
    program: PathBuf,
    variables: Vec<(&'static str, String)>,
}

/// What the program has made, or found again.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Made {
    /// The authorization server's issuer.
    pub issuer: String,
    /// The application's client id.
    pub client_id: String,
    /// The authorization server.
    pub server_id: String,
    /// The application.
    pub app_id: String,
    /// Both groups; the user is in the first.
    pub group_ids: Vec<String>,
    /// The person.
    pub user_id: String,
}

impl OktaSdk {
    /// For `kubesso`, by its API token `token`, about `who` (the part before the @).
    ///
    /// # Errors
    /// The program is not built, or kubesso is not where Okta's clients look for it.
    pub fn new(language: &str, kubesso: &Kubesso, token: &str, who: &str) -> Result<Self> {
        let name = format!("okta-sdk-{language}");
        let program = environment::peer(&name).or_else(|_| {
            let program = environment::peer_folder(&name)?.join("run");
            ensure!(program.is_file(), "{} is not there", program.display());
            Ok(program)
        })?;
        let variables = vec![
            ("OKTA_ORG_URL", kubesso.organization_url()?),
            ("OKTA_API_TOKEN", token.to_owned()),
            ("CA_FILE", kubesso.ready.ca.display().to_string()),
            ("USER_LOGIN", email(who)),
            ("USER_PASSWORD", kubesso.password(who)?),
        ];
        Ok(Self { program, variables })
    }

    /// Runs `setup`, `again` or `destroy` to its end.
    ///
    /// # Errors
    /// It fails; with what it said.
    pub async fn run(&self, step: &str) -> Result<Made> {
        let folder = environment::scratch("okta-sdk")?;
        let mut command = tied(&self.program);
        command
            .arg(step)
            .env_clear()
            .env("PATH", environment::path())
            .env("HOME", folder.path())
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        let mut running = Running::start("okta-sdk", command, folder.path())?;
        let status = running.wait(Duration::from_mins(2)).await?;
        let (printed, said) = (running.stdout(), running.stderr());
        ensure!(status.success(), "{} {step}: {status}\n{printed}{said}", self.program.display());
        let line = printed.lines().last().context("it printed nothing")?;
        serde_json::from_str(line).with_context(|| format!("not the promised JSON: {line}"))
    }
}
