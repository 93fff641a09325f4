//! `kubesso serve --check`: what would go wrong, without serving or changing anything.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use kubesso_ambient::{Clock as _, SystemClock};
use kubesso_https::certificate_problems;
use kubesso_store_sql::Inspection;
use kubesso_store_sqlite::SqliteStore;
use url::Url;

use super::traces::Traces;
use super::{Config, Tls};
use crate::audit::follow::Sink;
use crate::data_directory::DataDirectory;
use crate::database::Database;
use crate::error::chain;
use crate::master_key::{self, Source};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What keeps it from serving, or clients from taking it.
    pub(super) problems: Vec<String>,
    /// What is good to know.
    pub(super) notes: Vec<String>,
}

/// Looks at everything that `config` names.
pub(super) async fn check(config: &Config) -> Findings {
    let mut findings = Findings::default();
    findings.certificate("tls", &config.tls, &config.base_url);
    if let Some(organization) = &config.organization {
        match &organization.tls {
            Some(tls) => findings.certificate("organization.tls", tls, &organization.url),
            None => findings.certificate("tls", &config.tls, &organization.url),
        }
    }
    if let Some(url) = config.mtls_base_url.as_ref().filter(|_| !config.mtls_listen.is_empty()) {
        findings.certificate("tls", &config.tls, url);
    }
    if let Err(error) = config.vouching() {
        findings.problems.push(error.to_string());
    }
    findings.notes.extend(config.dangers().into_iter().map(|danger| format!("DANGER: {danger}")));
    let holder = findings.data_directory(config).await;
    if let Some(Sink::File(path)) = &config.audit_log {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        if path.is_dir() || directory.is_some_and(|directory| !directory.is_dir()) {
            findings.problems.push(format!(
                "audit_log: {} cannot be written: name a file in a directory that exists",
                path.display()
            ));
        }
    }
    match config.collector() {
        Ok(Some(collector)) => match Traces::client(&collector) {
            Ok(_) => {
                findings
                    .notes
                    .push(format!("traces go to {collector}; whether it answers was not looked at"));
            }
            Err(error) => findings.problems.push(error.to_string()),
        },
        Ok(None) => {}
        Err(error) => findings.problems.push(error.to_string()),
    }
    let addresses = config.addresses();
    match holder {
        Some(holder) => findings.notes.push(format!(
            "the data directory {} is in use by {holder}: whether the addresses are free was not looked at",
            config.data_dir.display()
        )),
        None => findings.addresses(&addresses),
    }
    findings
}

impl Findings {
    fn certificate(&mut self, setting: &str, files: &Tls, url: &Url) {
        let identity = match files.read() {
            Ok(identity) => identity,
            Err(error) => return self.problems.push(format!("{setting}: {error}")),
        };
        let host = url.host_str().unwrap_or_default();
        for problem in certificate_problems(&identity, host, SystemClock.now()) {
            let said = format!("{setting} ({}): {}", files.certificate.display(), chain(&problem));
            if problem.is_warning() { self.notes.push(said) } else { self.problems.push(said) }
        }
    }

    /// Who serves from it now, if somebody does.
    async fn data_directory(&mut self, config: &Config) -> Option<String> {
        let path = &config.data_dir;
        let holder = match DataDirectory::look(path) {
            Ok(holder) => holder,
            Err(error) => {
                self.problems.push(error.to_string());
                return None;
            }
        };
        let (url, where_it_is) = match config.database_url() {
            Ok(Some(url)) => (Some(url), "on the server".to_owned()),
            Ok(None) => (None, format!("in {}", path.display())),
            Err(error) => {
                self.problems.push(error.to_string());
                return holder;
            }
        };
        let places = match config.master_key().and_then(|key| master_key::places(path, key)) {
            Ok(places) => places,
            Err(error) => {
                self.problems.push(error.to_string());
                return holder;
            }
        };
        self.master_key(path, &places);
        match Database::inspect(path, url.as_ref(), &places).await {
            Ok(Inspection::Missing) => {
                self.notes.push(format!("there is no directory {where_it_is} yet: it will be made"));
            }
            Ok(Inspection::Found { pending: 0 }) => {}
            Ok(Inspection::Found { pending }) => self.notes.push(format!(
                "the database {where_it_is} will be brought up to date by {pending} change(s); older versions of kubesso \
                 cannot open it then: back it up before"
            )),
            Err(error) => self.problems.push(error.to_string()),
        }
        holder
    }

    /// Says where the master key comes from, if that is not the data directory.
    fn master_key(&mut self, data_dir: &Path, places: &[Source]) {
        if places == [Source::DataDirectory] {
            return;
        }
        let said = places.iter().map(ToString::to_string).collect::<Vec<_>>().join(", or ");
        self.notes.push(format!("secrets are sealed under {said}"));
        let unused = data_dir.join(SqliteStore::KEY_FILE);
        if unused.exists() && !places.contains(&Source::DataDirectory) {
            let unused = unused.display();
            self.notes.push(format!("{unused} is not used: keep it with backups made before, or remove it"));
        }
    }

    /// All are held at once, so that one that is named twice is found.
    fn addresses(&mut self, addresses: &[SocketAddr]) {
        let mut held = Vec::new();
        for address in addresses {
            match TcpListener::bind(address) {
                Ok(listener) => held.push(listener),
                Err(error) => self.problems.push(format!("cannot listen on {address}: {error}")),
            }
        }
    }

    /// For people: each on a line.
    pub(super) fn screen(&self, config: &Config) -> String {
        let problems = self.problems.iter().map(|it| format!("error: {it}"));
        let notes = self.notes.iter().map(|it| format!("note: {it}"));
        let verdict = match self.problems.len() {
            0 => format!("it can serve {}", config.base_url),
            1 => "1 error".to_owned(),
            several => format!("{several} errors"),
        };
        problems.chain(notes).chain([verdict]).collect::<Vec<_>>().join("\n")
    }
}
