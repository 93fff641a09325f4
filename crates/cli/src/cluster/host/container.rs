//! A node that is a container (kind, k3d): its files by `docker exec`, one program with its words each, no shell.

use std::io::{self, Write as _};
use std::process::{Command, Output, Stdio};

use kubesso_clusters::Target;

use super::{Rights, fresh_name};
use crate::environment;
use crate::error::CommandError;

/// A container and the program that reaches it.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    tool: String,
    name: String,
}

/// The control-plane node of a cluster of kind or k3d. `node`: its name, where there are several.
pub(crate) fn find(
    target: Target,
    cluster: Option<&str>,
    node: Option<&str>,
) -> Result<Container, CommandError> {
    let kind_tool = || {
        environment::set("KIND_EXPERIMENTAL_PROVIDER").filter(|tool| tool == "podman" || tool == "nerdctl")
    };
    let (tool, cluster, labels) = if target == Target::Kind {
        let cluster = cluster.unwrap_or("kind");
        let labels = [
            format!("label=io.x-k8s.kind.cluster={cluster}"),
            "label=io.x-k8s.kind.role=control-plane".to_owned(),
        ];
        (kind_tool(), cluster, labels)
    } else {
        let cluster = cluster.unwrap_or("k3s-default");
        (None, cluster, [format!("label=k3d.cluster={cluster}"), "label=k3d.role=server".to_owned()])
    };
    let tool = tool.unwrap_or_else(|| "docker".to_owned());
    let [of, role] = &labels;
    let words = ["ps", "--filter", of, "--filter", role, "--format", "{{.Names}}"];
    let failed = |what: String| CommandError::new(format!("the nodes of {target} cannot be listed: {what}"));
    let ended = Command::new(&tool)
        .args(words)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(format!("{tool} cannot be run: {error}")))?;
    if !ended.status.success() {
        return Err(failed(last_line(&ended)));
    }
    let listed = String::from_utf8_lossy(&ended.stdout).into_owned();
    let names: Vec<_> = listed.lines().map(str::trim).filter(|name| !name.is_empty()).collect();
    let name = match (node, names.as_slice()) {
        (Some(node), names) if names.contains(&node) => node,
        (None, [one]) => one,
        (_, []) => {
            return Err(CommandError::new(format!(
                "no control-plane node of the {target} cluster {cluster} runs"
            ))
            .mend("say which cluster with --cluster"));
        }
        (_, several) => {
            return Err(CommandError::usage(format!("there are several: {}", several.join(", ")))
                .mend("change one after the other, with --node and its --endpoint"));
        }
    };
    Ok(Container { tool, name: name.to_owned() })
}

impl Container {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The command that begins it anew.
    pub(crate) fn restart(&self) -> (String, Vec<String>) {
        let words = [self.tool.as_str(), "restart", &self.name].map(str::to_owned);
        ("Restart the server's container.".to_owned(), words.to_vec())
    }

    pub(super) fn read(&self, path: &str) -> io::Result<Option<String>> {
        if !self.run(&["test", "-f", path], None)?.status.success() {
            self.is_there()?;
            return Ok(None);
        }
        let bytes = self.well(&["cat", path], None)?.stdout;
        String::from_utf8(bytes).map(Some).map_err(|_| io::Error::other("it is not UTF-8"))
    }

    pub(super) fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        if !self.run(&["test", "-d", folder], None)?.status.success() {
            self.is_there()?;
            return Ok(Vec::new());
        }
        let listed = self.well(&["ls", "-1", folder], None)?.stdout;
        Ok(String::from_utf8_lossy(&listed).lines().map(str::to_owned).collect())
    }

    pub(super) fn rights(&self, path: &str) -> Option<Rights> {
        let said = self.well(&["stat", "-L", "-c", "%a %u %g", path], None).ok()?.stdout;
        let said = String::from_utf8(said).ok()?;
        let mut words = said.split_whitespace();
        Some(Rights {
            mode: u32::from_str_radix(words.next()?, 8).ok()?,
            user: words.next()?.parse().ok()?,
            group: words.next()?.parse().ok()?,
        })
    }

    pub(super) fn write(&self, path: &str, text: &str, rights: Option<Rights>) -> io::Result<()> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let fresh = format!("{folder}/{}", fresh_name(name));
        self.well(&["mkdir", "-p", folder], None)?;
        self.well(&["rm", "-f", &fresh], None)?;
        self.well(&["tee", &fresh], Some(text))?;
        let rights = rights.unwrap_or(Rights { mode: 0o600, user: 0, group: 0 });
        self.well(&["chown", &format!("{}:{}", rights.user, rights.group), &fresh], None)?;
        self.well(&["chmod", &format!("{:o}", rights.mode), &fresh], None)?;
        self.well(&["mv", "-f", &fresh, path], None).map(drop)
    }

    pub(super) fn remove(&self, path: &str) -> io::Result<()> {
        self.well(&["rm", "-f", path], None).map(drop)
    }

    /// A failing `test` may also mean that there is no container.
    fn is_there(&self) -> io::Result<()> {
        self.well(&["test", "-d", "/"], None).map(drop)
    }

    fn well(&self, words: &[&str], input: Option<&str>) -> io::Result<Output> {
        let ended = self.run(words, input)?;
        if ended.status.success() {
            return Ok(ended);
        }
        let what = format!("`{}` in {}: {}", words.join(" "), self.name, last_line(&ended));
        Err(io::Error::other(what))
    }

    fn run(&self, words: &[&str], input: Option<&str>) -> io::Result<Output> {
        let mut command = Command::new(&self.tool);
        command.arg("exec").args(input.map(|_| "-i")).arg(&self.name).args(words);
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
            // Files of this kind are far smaller than what a pipe's two ends hold up.
            stdin.write_all(text.as_bytes())?;
        }
        child.wait_with_output()
    }
}

fn last_line(ended: &Output) -> String {
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    let line = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if line.is_empty() { format!("it ended with {}", ended.status) } else { line.trim().to_owned() }
}
