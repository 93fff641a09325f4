//! `kubesso serve`: the provider from a configuration file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use kubesso_ambient::{OsEntropy, SystemClock};
use kubesso_directory::Store;
use kubesso_https::{ClientAuthentication, Identity, Limits, ServerTls, serve};
use kubesso_provider::{Provider, ProviderConfig};
use kubesso_store_sqlite::SqliteStore;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info};
use url::Url;

use crate::args::Serve;
use crate::data_directory::DataDirectory;
use crate::error::CommandError;
use crate::provider_server;
use crate::up::{installation, interrupted, people};

/// How often the certificate's files are looked at: renewed ones are shown without a restart.
const CERTIFICATE_CHECK: Duration = Duration::from_mins(5);

/// The configuration file. A name that it does not know is an error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// What issuers begin with: scheme https, no path.
    base_url: Url,
    /// Addresses to listen on.
    listen: Vec<SocketAddr>,
    tls: Tls,
    /// Where the directory is.
    data_dir: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tls {
    /// PEM, the leaf first.
    certificate: PathBuf,
    /// PEM.
    key: PathBuf,
}

impl Config {
    fn parse(text: &str) -> Result<Self, String> {
        // The first line says what and where; the others draw it.
        let first_line =
            |text: String| text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let config: Self = serde_saphyr::from_str(text).map_err(|e| first_line(e.to_string()))?;
        if config.base_url.scheme() != "https" {
            return Err(
                "base_url must begin with https://, because kube-apiserver takes no other issuer".to_owned()
            );
        }
        let plain = config.base_url.path() == "/"
            && config.base_url.query().is_none()
            && config.base_url.fragment().is_none()
            && config.base_url.username().is_empty();
        if !plain {
            return Err("base_url must be only https://host or https://host:port".to_owned());
        }
        if config.listen.is_empty() {
            return Err("listen names no address".to_owned());
        }
        Ok(config)
    }
}

/// Runs `kubesso serve …` until it is told to end.
pub(crate) async fn run(command: Serve) -> Result<ExitCode, CommandError> {
    let config = read(&command.config)?;
    let directory = DataDirectory::open(&config.data_dir).map_err(|e| CommandError::new(e.to_string()))?;
    let tls = ServerTls::new(&config.tls.read()?, ClientAuthentication::None)
        .map_err(|e| CommandError::because("TLS cannot be set up", &e))?;
    let mut listeners = Vec::new();
    for address in &config.listen {
        let listener = TcpListener::bind(address).await;
        listeners
            .push(listener.map_err(|e| CommandError::because(format!("cannot listen on {address}"), &e))?);
    }
    let (database, sealing_key) = installation::open_directory(directory.root()).await?;
    create_registration(&database).await?;
    let provider = Provider::new(ProviderConfig {
        base_url: config.base_url.clone(),
        store: Arc::new(database.clone()),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
        sealing_key,
    })
    .await
    .map_err(|e| CommandError::because("the provider cannot start", &e))?;

    let shutdown = CancellationToken::new();
    let tasks = TaskTracker::new();
    let router = provider_server::router(&provider);
    for listener in listeners {
        tasks.spawn(serve(listener, tls.clone(), router.clone(), shutdown.clone(), Limits::default()));
    }
    provider_server::maintain(provider.clone(), &tasks, shutdown.clone());
    tasks.spawn(show_renewed_certificates(config.tls, tls, shutdown.clone()));
    eprintln!("kubesso serves {} on {}", config.base_url, addresses(&config.listen));
    let snapshot =
        database.snapshot().await.map_err(|e| CommandError::because("the directory cannot be read", &e))?;
    for server in snapshot.servers().filter(|server| server.server.status.is_active()) {
        eprintln!("  issuer  {}  ({})", provider.issuer(&server.server.id), server.server.name);
    }
    for application in snapshot.applications().filter(|application| application.status.is_active()) {
        eprintln!("  client  {}  ({})", application.client_id, application.label);
    }
    interrupted().await;
    info!("ending");
    shutdown.cancel();
    tasks.close();
    tasks.wait().await;
    database.close().await;
    Ok(ExitCode::SUCCESS)
}

/// An empty directory gets what a cluster needs to be pointed at: the tutorial's groups, application and authorization
/// server, and nobody in them.
async fn create_registration(database: &SqliteStore) -> Result<(), CommandError> {
    let mut world = people::first_world()?;
    world.users.clear();
    let seeded = people::create_or_find(database, world, &Vec::new(), &SystemClock, &OsEntropy).await?;
    if seeded.created {
        eprintln!(
            "the directory was empty: the groups k8s-admins and k8s-restricted-users, an application and an"
        );
        eprintln!("authorization server were created. Add people with `kubesso user create`.");
    }
    Ok(())
}

fn read(path: &Path) -> Result<Config, CommandError> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        CommandError::because(format!("the configuration {} cannot be read", path.display()), &e)
    })?;
    Config::parse(&text).map_err(|problem| {
        CommandError::usage(format!("the configuration {} is not right: {}", path.display(), problem.trim()))
            .mend("see `kubesso serve --help` for an example")
    })
}

fn addresses(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", ")
}

impl Tls {
    fn read(&self) -> Result<Identity, CommandError> {
        let read = |path: &Path| {
            std::fs::read_to_string(path)
                .map_err(|e| CommandError::because(format!("{} cannot be read", path.display()), &e))
        };
        Ok(Identity::new(read(&self.certificate)?, read(&self.key)?))
    }
}

async fn show_renewed_certificates(files: Tls, tls: ServerTls, shutdown: CancellationToken) {
    let mut shown = files.read().map(|identity| identity.chain_pem().to_owned()).unwrap_or_default();
    loop {
        tokio::select! {
            () = tokio::time::sleep(CERTIFICATE_CHECK) => {}
            () = shutdown.cancelled() => return,
        }
        let identity = match files.read() {
            Ok(identity) if identity.chain_pem() != shown => identity,
            Ok(_) => continue,
            Err(error) => {
                error!(%error, "the certificate's files cannot be read; the old one is shown on");
                continue;
            }
        };
        match tls.replace_identity(&identity) {
            Ok(()) => {
                identity.chain_pem().clone_into(&mut shown);
                info!("the renewed certificate is shown");
            }
            // Key and certificate are two files: one may be renewed a moment before the other.
            Err(error) => {
                error!(%error, "the renewed certificate cannot be used yet; the old one is shown on");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "base_url: https://sso.example.com\nlisten: ['127.0.0.1:8443']\n\
                        tls: {certificate: a.crt, key: a.key}\ndata_dir: /var/lib/kubesso\n";

    #[test]
    fn a_configuration_is_read() {
        let config = Config::parse(GOOD).unwrap();
        assert_eq!(config.base_url.as_str(), "https://sso.example.com/");
        assert_eq!(addresses(&config.listen), "127.0.0.1:8443");
    }

    #[test]
    fn a_wrong_configuration_is_refused_with_the_reason() {
        for (from, to, expected) in [
            ("https://sso", "http://sso", "must begin with https://"),
            ("example.com\n", "example.com/path\n", "only https://host"),
            ("['127.0.0.1:8443']", "[]", "listen names no address"),
            ("data_dir:", "data_directory:", "data_directory"),
            ("127.0.0.1:8443", "localhost", "socket address"),
        ] {
            let error = Config::parse(&GOOD.replace(from, to)).unwrap_err();
            assert!(error.contains(expected), "{from} → {to}: {error}");
        }
    }
}
