//! `kubesso serve`: the provider from a configuration file.

mod certificates;
mod check;
mod endpoint;
mod health;
mod metrics;
mod mutual_tls;
mod registration;
mod settings;
mod sign_in;
mod traces;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use kubesso_ambient::{Clock as _, OsEntropy, SystemClock};
use kubesso_directory::{MANAGEMENT_CLIENT, MANAGEMENT_SERVER, RotationSchedule, SignInRules, Store};
use kubesso_https::{
    ClientAuthentication, Limits, Network, Proxies, ProxyHeader, ServerTls, serve,
    serve_dangerously_without_tls,
};
use kubesso_provider::Settings;
use serde::Deserialize;
use serde_json::Map;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};
use url::Url;

use crate::args::Serve;
use crate::audit::follow::{Follower, Sink};
use crate::data_directory::DataDirectory;
use crate::database::{Database, DatabaseUrl};
use crate::environment;
use crate::error::CommandError;
use crate::interrupts::Interrupts;
use crate::logging::Logging;
use crate::management;
use crate::master_key::{MasterKeySetting, Source};
use crate::over_https::Reach;
use crate::provider_server;
use crate::up::people;
use certificates::{mind_hangups, show_renewed_certificates};
use health::Health;
use metrics::Metrics;
use registration::Registration;
use traces::{Collector, Traces};

/// The configuration file. A name that it does not know is an error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// What issuers begin with: scheme https, no path.
    base_url: Url,
    /// Addresses to listen on.
    listen: Vec<SocketAddr>,
    tls: Tls,
    /// Where the directory is, with the key that its secrets are sealed under.
    data_dir: PathBuf,
    /// The server that the directory is on, if it is not a file in `data_dir`: `postgres://…`.
    database: Option<DatabaseUrl>,
    /// A file that holds that instead, so that no secret is in the configuration.
    database_url_file: Option<PathBuf>,
    /// Where the key is that secrets in the directory are sealed under, if not in `data_dir`.
    #[serde(default)]
    master_key: MasterKeySetting,
    /// What an empty directory gets.
    #[serde(default)]
    begin_with: BeginWith,
    /// The name by which Terraform's Okta provider and Okta's SDKs reach the management API, if it is another than the
    /// base URL.
    organization: Option<Organization>,
    /// Where the management API is answered without TLS. Loopback only.
    danger_plain_http: Option<SocketAddr>,
    /// The proxies whose word is taken for where a request comes from.
    #[serde(default)]
    trusted_proxies: Vec<Network>,
    /// By which header they say it.
    #[serde(default)]
    proxy_header: ProxyHeader,
    /// How long `/readyz` says no before the listeners close.
    #[serde(default = "five")]
    drain_seconds: u16,
    /// What a password must be like.
    #[serde(default)]
    password: sign_in::Passwords,
    /// How wrong passwords slow a login down.
    #[serde(default)]
    lockout: sign_in::Lockout,
    /// When browsers' sessions end.
    #[serde(default)]
    sessions: sign_in::Sessions,
    /// When signing keys are exchanged.
    #[serde(default)]
    key_rotation: KeyRotation,
    /// Where Prometheus reads `/metrics`, without TLS.
    metrics: Option<SocketAddr>,
    /// Where traces go: the base URL of an OpenTelemetry collector that speaks OTLP over HTTP.
    otlp_endpoint: Option<Url>,
    /// The authorities that it is believed by, if not the machine's; PEM.
    otlp_ca: Option<PathBuf>,
    /// Where every entry of the audit trail goes as a line of JSON: `stderr`, or a file.
    audit_log: Option<Sink>,
    /// Whether clients at addresses of private networks are told of logouts too. Whoever may change an application can
    /// then have this machine call whatever it reaches.
    #[serde(default)]
    danger_backchannel_logout_to_private_addresses: bool,
    /// Whether clients' keys and requests are fetched from addresses of private networks too; likewise.
    #[serde(default)]
    danger_fetch_from_private_addresses: bool,
    /// Where clients are asked for a certificate.
    #[serde(default)]
    mtls_listen: Vec<SocketAddr>,
    /// By which name they call it: scheme https, no path.
    mtls_base_url: Option<Url>,
    /// The authorities whose word on clients is taken; PEM.
    mtls_client_ca: Option<PathBuf>,
    /// Whether the trusted proxies say who they shook hands with, and strip what others say.
    #[serde(default)]
    client_cert_header: bool,
    /// Who may register clients.
    #[serde(default)]
    registration: Registration,
    /// The names of the groups that registered clients are assigned to.
    #[serde(default)]
    registration_groups: Vec<String>,
    /// Whether everybody may, without a token.
    #[serde(default)]
    danger_open_registration: bool,
}

fn five() -> u16 {
    5
}

/// `key_rotation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRotation {
    /// How long a key signs.
    days: Option<i64>,
    /// How long before it signs it is published.
    published_ahead_hours: Option<i64>,
}

impl KeyRotation {
    fn schedule(self) -> Result<RotationSchedule, String> {
        let default = RotationSchedule::default();
        let days = |days: i64| {
            if !(1..=3650).contains(&days) {
                return Err("key_rotation.days must be 1 to 3650".to_owned());
            }
            Ok(SignedDuration::from_hours(24 * days))
        };
        let signs_for = self.days.map_or(Ok(default.signs_for), days)?;
        let ahead = |hours: i64| {
            if hours < 1 || hours > signs_for.as_hours() / 2 {
                return Err(
                    "key_rotation.published_ahead_hours must be at least 1, and at most half of key_rotation.days",
                );
            }
            Ok(SignedDuration::from_hours(hours))
        };
        let published_ahead =
            self.published_ahead_hours.map_or(Ok(default.published_ahead.min(signs_for / 2)), ahead)?;
        Ok(RotationSchedule { signs_for, published_ahead, ..default })
    }
}

/// What an empty directory gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum BeginWith {
    /// The tutorial's groups, application and authorization server.
    #[default]
    Tutorial,
    /// Nothing: Terraform makes them, say.
    Nothing,
}

/// Another name for the same, with its own certificate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Organization {
    /// Scheme https, no path.
    url: Url,
    /// Addresses to listen on; empty: those of the base URL, whose certificate must be for this name too.
    #[serde(default)]
    listen: Vec<SocketAddr>,
    /// Needed if it listens.
    tls: Option<Tls>,
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
        let config: Self = serde_saphyr::from_str(text).map_err(|e| first_line(&e.to_string()))?;
        config.checked()
    }

    /// The file's text with what flags and variables say over it.
    fn with(text: &str, overrides: settings::Overrides) -> Result<Self, String> {
        if overrides.is_empty() {
            return Self::parse(text);
        }
        let merged = settings::merge(text, overrides)?;
        let config: Self = serde_path_to_error::deserialize(merged).map_err(|e| e.to_string())?;
        config.checked()
    }

    fn checked(self) -> Result<Self, String> {
        let config = self;
        if config.base_url.scheme() != "https" {
            return Err(
                "base_url must begin with https://, because kube-apiserver takes no other issuer".to_owned()
            );
        }
        if !is_origin(&config.base_url) {
            return Err("base_url must be only https://host or https://host:port".to_owned());
        }
        if let Some(organization) = &config.organization {
            if organization.url.scheme() != "https" || !is_origin(&organization.url) {
                return Err("organization.url must be only https://host or https://host:port".to_owned());
            }
            if organization.listen.is_empty() == organization.tls.is_some() {
                return Err("organization needs both listen and tls, or neither".to_owned());
            }
        }
        if let Some(address) = config.danger_plain_http.filter(|address| !address.ip().is_loopback()) {
            return Err(format!("danger_plain_http is for loopback addresses only, and {address} is none"));
        }
        if config.database.is_some() && config.database_url_file.is_some() {
            return Err("database and database_url_file are two ways to say the same: keep one".to_owned());
        }
        if config.database.as_ref().is_some_and(|url| !url.is_known()) {
            return Err("database must begin with postgres://".to_owned());
        }
        config.master_key.source()?;
        config.check_mutual_tls()?;
        config.key_rotation.schedule()?;
        sign_in::rules(config.password, config.lockout, config.sessions)?;
        config.check_registration()?;
        if config.listen.is_empty() {
            return Err("listen names no address".to_owned());
        }
        Ok(config)
    }
}

/// It says what and where; the others draw it.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// Whether there is nothing in it but scheme, host and port.
fn is_origin(url: &Url) -> bool {
    url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty()
}

/// Runs `kubesso serve …` until it is told to end.
pub(crate) async fn run(command: Serve, logging: Logging) -> Result<ExitCode, CommandError> {
    let config = read(&command);
    let traces = match config.as_ref().map(Config::collector) {
        Ok(Ok(Some(collector))) if !command.check => Some(Traces::start(&collector)?),
        _ => None,
    };
    logging.start_with(traces.as_ref().map(Traces::layer));
    warn_of_unknown_variables();
    let config = config?;
    let collector = config.collector()?;
    if command.check {
        let findings = check::check(&config).await;
        println!("{}", findings.screen(&config));
        return Ok(if findings.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    mind_hangups();
    let directory = DataDirectory::open(&config.data_dir).map_err(|e| CommandError::new(e.to_string()))?;
    let tls = ServerTls::new(&config.tls.read()?, ClientAuthentication::None)
        .map_err(|e| CommandError::because("TLS cannot be set up", &e))?;
    let listeners = listen(&config.listen).await?;
    let organization = match &config.organization {
        Some(Organization { listen: addresses, tls: Some(files), .. }) => {
            let tls = ServerTls::new(&files.read()?, ClientAuthentication::None)
                .map_err(|e| CommandError::because("TLS for the organization cannot be set up", &e))?;
            Some((listen(addresses).await?, tls))
        }
        _ => None,
    };
    let (mutual_tls, vouching) = (config.mutual_tls(), config.vouching()?);
    let mutual_tls_listeners = listen(&config.mtls_listen).await?;
    let tls_with_clients = tls
        .with_clients(ClientAuthentication::Requested)
        .map_err(|e| CommandError::because("TLS with client certificates cannot be set up", &e))?;
    let metrics_listeners = listen(config.metrics.as_slice()).await?;
    let plain_http = listen(config.danger_plain_http.as_slice()).await?;
    let (database, sealing_key) =
        Database::open(directory.root(), config.database_url()?.as_ref(), config.master_key()?).await?;
    if config.begin_with == BeginWith::Tutorial {
        create_registration(&*database).await?;
    }
    for danger in config.dangers() {
        eprintln!("DANGER: {danger}");
    }
    let (provider, api) = management::start(management::Parts {
        base_url: config.base_url.clone(),
        other_origins: config.other_origins(),
        store: database.store(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
        sealing_key,
        settings: config.provider_settings(),
        logout_reach: Reach::of_setting(config.danger_backchannel_logout_to_private_addresses),
        fetch_reach: Reach::of_setting(config.danger_fetch_from_private_addresses),
        mutual_tls,
        registration: config.registration_policy().map_err(CommandError::new)?,
    })
    .await?;

    let mut follower = match config.audit_log.clone() {
        Some(sink) => {
            Some(Follower::start(sink, directory.root()).map_err(|e| CommandError::new(e.to_string()))?)
        }
        None => None,
    };
    // From before anybody is answered, who may count on a quiet end; not while a start may hang.
    let mut interrupts = Interrupts::begin();
    let shutdown = CancellationToken::new();
    let tasks = TaskTracker::new();
    let proxies = Arc::new(Proxies { trusted: config.trusted_proxies.clone(), header: config.proxy_header });
    let (health, metrics) = (Health::of(provider.clone()), Metrics::of(provider.clone()));
    let watched = |router| traces::watch(metrics.watch(router));
    let of_proxies = config.client_cert_header.then(|| vouching.clone());
    let router = provider_server::router(&provider, &api, &proxies, of_proxies).merge(health.router());
    let router = watched(router);
    for listener in mutual_tls_listeners {
        let router = provider_server::mutual_tls_router(&provider, vouching.clone(), &proxies);
        let (tls, router) = (tls_with_clients.clone(), watched(router));
        tasks.spawn(serve(listener, tls, router, shutdown.clone(), Limits::default()));
    }
    for listener in listeners {
        tasks.spawn(serve(listener, tls.clone(), router.clone(), shutdown.clone(), Limits::default()));
    }
    if let Some((listeners, tls)) = organization {
        for listener in listeners {
            tasks.spawn(serve(listener, tls.clone(), router.clone(), shutdown.clone(), Limits::default()));
        }
        if let Some(files) = config.organization.and_then(|organization| organization.tls) {
            tasks.spawn(show_renewed_certificates(files, tls, shutdown.clone()));
        }
    }
    for listener in plain_http {
        let router = watched(provider_server::management_router(&api, &proxies));
        tasks.spawn(serve_dangerously_without_tls(listener, router, shutdown.clone(), Limits::default()));
    }
    for listener in metrics_listeners {
        let router = metrics.router().merge(health.router());
        tasks.spawn(serve_dangerously_without_tls(listener, router, shutdown.clone(), Limits::default()));
        tasks.spawn(metrics.clone().probe(database.store(), shutdown.clone()));
    }
    provider_server::maintain(provider.clone(), &tasks, shutdown.clone());
    tasks.spawn(show_renewed_certificates(config.tls, tls, shutdown.clone()));
    eprintln!("kubesso serves {} on {}", config.base_url, addresses(&config.listen));
    if let Some(collector) = &collector {
        eprintln!("  traces go to {collector}");
    }
    if let Some(url) = config.mtls_base_url.as_ref().filter(|_| !config.mtls_listen.is_empty()) {
        eprintln!("  clients with certificates: {url} on {}", addresses(&config.mtls_listen));
    }
    let snapshot =
        database.snapshot().await.map_err(|e| CommandError::because("the directory cannot be read", &e))?;
    let is_ours = |id: &str| id == MANAGEMENT_SERVER || id == MANAGEMENT_CLIENT;
    let servers = snapshot.servers().filter(|server| server.server.status.is_active());
    for server in servers.filter(|server| !is_ours(server.server.id.as_str())) {
        eprintln!("  issuer  {}  ({})", provider.issuer(&server.server.id), server.server.name);
    }
    let applications = snapshot.applications().filter(|application| application.status.is_active());
    for application in applications.filter(|application| !is_ours(application.client_id.as_str())) {
        eprintln!("  client  {}  ({})", application.client_id, application.label);
    }
    let (drain, log_end) = (Duration::from_secs(config.drain_seconds.into()), CancellationToken::new());
    let follow = async {
        if let Some(follower) = &mut follower {
            follower.run(&*database, &SystemClock, &log_end).await;
        }
    };
    let end = async {
        drained(drain, &health, &mut interrupts).await;
        shutdown.cancel();
        tasks.close();
        tasks.wait().await;
        log_end.cancel();
    };
    tokio::join!(follow, end);
    // What the last requests did.
    if let Some(follower) = &mut follower
        && let Err(error) = follower.catch_up(&*database, SystemClock.now()).await
    {
        error!(%error, "the end of the audit log is not written; the next start does");
    }
    database.close().await;
    if let Some(traces) = traces {
        traces.end().await;
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits until it is told to end, and for those who must hear of it.
async fn drained(drain: Duration, health: &Health, interrupts: &mut Interrupts) {
    interrupts.next().await;
    info!(seconds = drain.as_secs(), "ending: not ready any more");
    health.end();
    tokio::select! {
        () = tokio::time::sleep(drain) => {}
        () = interrupts.next() => {}
    }
}

impl Config {
    /// Every address that is listened on.
    fn addresses(&self) -> Vec<SocketAddr> {
        let organization = self.organization.iter().flat_map(|one| &one.listen);
        self.listen
            .iter()
            .chain(organization)
            .chain(&self.danger_plain_http)
            .chain(&self.mtls_listen)
            .chain(&self.metrics)
            .copied()
            .collect()
    }

    /// The server that the directory is on; `None`: it is a file.
    fn database_url(&self) -> Result<Option<DatabaseUrl>, CommandError> {
        match &self.database_url_file {
            Some(file) => DatabaseUrl::read(file).map(Some),
            None => Ok(self.database.clone()),
        }
    }

    /// What is asked of those who sign in. The configuration was checked.
    fn sign_in_rules(&self) -> SignInRules {
        sign_in::rules(self.password, self.lockout, self.sessions).unwrap_or_default()
    }

    /// What in it makes the installation weaker than it need be.
    fn dangers(&self) -> Vec<String> {
        let mut dangers = sign_in::dangers(&self.sign_in_rules());
        let mut add = |is_so: bool, what: String| dangers.extend(is_so.then_some(what));
        add(
            self.danger_open_registration,
            format!(
                "everybody who reaches {} may register clients, a hundred at most (danger_open_registration)",
                self.base_url
            ),
        );
        add(
            self.danger_plain_http.is_some(),
            "the management API is also answered without TLS: whoever can read this machine's loopback traffic gets the API \
             tokens (danger_plain_http)"
                .to_owned(),
        );
        let reach =
            "whoever may change an application can have this machine call addresses of its private networks";
        add(
            self.danger_backchannel_logout_to_private_addresses,
            format!("{reach}, to tell of logouts (danger_backchannel_logout_to_private_addresses)"),
        );
        add(
            self.danger_fetch_from_private_addresses,
            format!("{reach}, for keys and requests (danger_fetch_from_private_addresses)"),
        );
        dangers
    }

    /// What the provider goes by. The configuration was checked.
    fn provider_settings(&self) -> Settings {
        Settings { rotation: self.key_rotation.schedule().unwrap_or_default(), sign_in: self.sign_in_rules() }
    }

    /// Where traces go, if anywhere.
    fn collector(&self) -> Result<Option<Collector>, CommandError> {
        Collector::find(self.otlp_endpoint.as_ref(), self.otlp_ca.clone(), environment::set)
            .map_err(CommandError::usage)
    }

    /// Where the master key is, if it says so.
    fn master_key(&self) -> Result<Option<Source>, CommandError> {
        self.master_key.source().map_err(CommandError::usage)
    }

    /// Where the management API is reached besides the base URL.
    fn other_origins(&self) -> Vec<String> {
        let organization =
            self.organization.iter().map(|one| one.url.as_str().trim_end_matches('/').to_owned());
        let plain = self.danger_plain_http.iter().flat_map(|one| management::plain_http_origins(one.port()));
        organization.chain(plain).collect()
    }
}

/// What variables say of the master key's place: commands that read no configuration obey them too.
pub(crate) fn master_key_of_the_environment() -> Result<Option<Source>, String> {
    let of_the_key = settings::of_environment(environment::set)
        .into_iter()
        .filter_map(|(path, value)| Some((path.strip_prefix("master_key.")?.to_owned(), value)));
    let setting: MasterKeySetting = serde_json::from_value(of_the_key.collect::<Map<_, _>>().into())
        .map_err(|e| format!("a variable KUBESSO_MASTER_KEY_… is not right: {e}"))?;
    setting.source()
}

async fn listen(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, CommandError> {
    let mut listeners = Vec::new();
    for address in addresses {
        let listener = TcpListener::bind(address).await;
        listeners
            .push(listener.map_err(|e| CommandError::because(format!("cannot listen on {address}"), &e))?);
    }
    Ok(listeners)
}

/// An empty directory gets what a cluster needs to be pointed at: the tutorial's groups, application and authorization
/// server, and nobody in them.
async fn create_registration(database: &dyn Store) -> Result<(), CommandError> {
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

/// The data directory and the database's server, if there is one, that the configuration in `file` names.
pub(crate) fn place(file: &Path) -> Result<(PathBuf, Option<DatabaseUrl>), CommandError> {
    warn_of_unknown_variables();
    let config = read(&Serve { config: Some(file.to_owned()), ..Serve::default() })?;
    let url = config.database_url()?;
    Ok((config.data_dir, url))
}

fn warn_of_unknown_variables() {
    for name in settings::unknown_variables(environment::variable_names()) {
        warn!("the variable {name} is not one of kubesso's: it does nothing (docs/serve.md lists them)");
    }
}

/// The configuration: flags before variables before the file.
fn read(command: &Serve) -> Result<Config, CommandError> {
    let mut overrides = settings::of_environment(environment::set);
    overrides.extend(command.overrides());
    let path = command.config.clone().or_else(|| environment::set("KUBESSO_CONFIG").map(PathBuf::from));
    let text = match &path {
        Some(path) => std::fs::read_to_string(path).map_err(|e| {
            CommandError::because(format!("the configuration {} cannot be read", path.display()), &e)
        })?,
        None if overrides.iter().any(|(setting, _)| *setting == "base_url") => String::new(),
        None => {
            return Err(CommandError::usage("there is no configuration").mend(
                "name its file with --config <FILE>, or set KUBESSO_BASE_URL and the others (docs/serve.md)",
            ));
        }
    };
    Config::with(&text, overrides).map_err(|problem| {
        let what =
            path.map_or_else(|| "in flags and variables".to_owned(), |path| path.display().to_string());
        let said = format!("the configuration {what} is not right: {}", problem.trim());
        // It was asked whether it is right, and asked well.
        let error = if command.check { CommandError::new(said) } else { CommandError::usage(said) };
        error.mend("see `kubesso serve --help` for an example")
    })
}

impl Serve {
    /// What the flags set, by its place in the file.
    fn overrides(&self) -> settings::Overrides {
        let text =
            |given: &Option<PathBuf>| given.as_ref().map(|it| it.to_string_lossy().into_owned().into());
        let listen =
            (!self.listen.is_empty()).then(|| self.listen.iter().map(SocketAddr::to_string).collect());
        [
            ("base_url", self.base_url.as_ref().map(|url| url.as_str().into())),
            ("listen", listen),
            ("tls.certificate", text(&self.tls_certificate)),
            ("tls.key", text(&self.tls_key)),
            ("data_dir", text(&self.data_dir)),
        ]
        .into_iter()
        .filter_map(|(setting, value)| Some((setting, value?)))
        .collect()
    }
}

fn addresses(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "base_url: https://sso.example.com\nlisten: ['127.0.0.1:8443']\n\
                        tls: {certificate: a.crt, key: a.key}\ndata_dir: /var/lib/kubesso\n";

    fn config_of(more: &str) -> Config {
        Config::parse(&format!("{GOOD}{more}")).unwrap()
    }

    #[test]
    fn a_configuration_is_read() {
        let config = Config::parse(GOOD).unwrap();
        assert_eq!(config.base_url.as_str(), "https://sso.example.com/");
        assert_eq!(addresses(&config.listen), "127.0.0.1:8443");
        assert!(config.other_origins().is_empty());
        assert_eq!(config.begin_with, BeginWith::Tutorial);
        assert!(!config_of("").danger_backchannel_logout_to_private_addresses, "unless somebody says so");
        assert!(
            config_of("danger_backchannel_logout_to_private_addresses: true\n")
                .danger_backchannel_logout_to_private_addresses
        );
        let empty = Config::parse(&format!("{GOOD}begin_with: nothing\n")).unwrap();
        assert_eq!(empty.begin_with, BeginWith::Nothing);
    }

    #[test]
    fn the_organization_may_have_a_name_of_its_own_and_loopback_may_do_without_tls() {
        let more = "organization: {url: 'https://acme.example.com'}\ndanger_plain_http: 127.0.0.1:8480\n";
        let config = Config::parse(&format!("{GOOD}{more}")).unwrap();
        let expected = [
            "https://acme.example.com",
            "http://127.0.0.1:8480",
            "http://127.0.0.1",
            "http://localhost:8480",
            "http://localhost",
        ];
        assert_eq!(config.other_origins(), expected);
    }

    #[test]
    fn a_wrong_configuration_is_refused_with_the_reason() {
        for (from, to, expected) in [
            ("https://sso", "http://sso", "must begin with https://"),
            ("example.com\n", "example.com/path\n", "only https://host"),
            ("['127.0.0.1:8443']", "[]", "listen names no address"),
            ("data_dir:", "data_directory:", "data_directory"),
            ("127.0.0.1:8443", "localhost", "socket address"),
            ("data_dir:", "danger_plain_http: 10.0.0.1:80\ndata_dir:", "loopback addresses only"),
            ("data_dir:", "master_key: {file: /k, command: [kms]}\ndata_dir:", "keep one"),
            ("data_dir:", "key_rotation: {days: 0}\ndata_dir:", "1 to 3650"),
            ("data_dir:", "key_rotation: {days: 2, published_ahead_hours: 25}\ndata_dir:", "at most half"),
            ("data_dir:", "master_key: {wrapped: /w}\ndata_dir:", "belong to master_key.command"),
            ("data_dir:", "database: mysql://db/kubesso\ndata_dir:", "begin with postgres://"),
            ("data_dir:", "database: postgres://db/k\ndatabase_url_file: /f\ndata_dir:", "keep one"),
            ("data_dir:", "organization: {url: 'https://a/b'}\ndata_dir:", "organization.url"),
            (
                "data_dir:",
                "organization: {url: 'https://a', listen: ['0.0.0.0:443']}\ndata_dir:",
                "or neither",
            ),
            ("data_dir:", "mtls_listen: ['0.0.0.0:9443']\ndata_dir:", "needs mtls_base_url"),
            ("data_dir:", "mtls_base_url: 'https://mtls.example.com'\ndata_dir:", "needs mtls_listen"),
            (
                "data_dir:",
                "mtls_base_url: 'https://sso.example.com'\nmtls_listen: ['0.0.0.0:9443']\ndata_dir:",
                "another than base_url",
            ),
            ("data_dir:", "mtls_base_url: 'https://a/b'\ndata_dir:", "mtls_base_url must be"),
            ("data_dir:", "client_cert_header: true\ndata_dir:", "trusted_proxies only"),
            ("data_dir:", "mtls_client_ca: ca.crt\ndata_dir:", "mtls_client_ca needs"),
            ("data_dir:", "registration_groups: [a]\ndata_dir:", "needs registration"),
            ("data_dir:", "registration: open\ndata_dir:", "with-token"),
        ] {
            let error = Config::parse(&GOOD.replace(from, to)).unwrap_err();
            assert!(error.contains(expected), "{from} → {to}: {error}");
        }
    }
}
