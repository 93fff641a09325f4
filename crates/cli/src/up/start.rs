//! Starting everything, with the time and the randomness passed in.

use std::path::PathBuf;
use std::sync::Arc;

use kubesso_ambient::{Clock, Entropy, OsEntropy, SystemClock};
use kubesso_authn::{RequestAuthenticator, X509Authenticator};
use kubesso_directory::{FirstWorld, SealingKey, Snapshot, Store, StoreError};
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use kubesso_https::{
    ClientAuthentication, Identity, Limits, ServerTls, serve, serve_dangerously_without_tls,
};
use kubesso_k8s_types::kubeconfig::Config;
use kubesso_provider::{Provider, adopt_key};
use kubesso_sandbox::{Sandbox, SandboxConfig};
use kubesso_store_sqlite::SqliteStore;
use kubesso_token::{Algorithm, SigningKey, TokenError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::authority;
use crate::data_directory::{DataDirectory, Mode, Ports};
use crate::database::Database;
use crate::error::CommandError;
use crate::management;
use crate::over_https::Reach;
use crate::provider_server;
use crate::up::facts::Facts;
use crate::up::kubeconfig::{self, ClusterFacts, SignIn};
use crate::up::late_authenticator::LateAuthenticator;
use crate::up::ports::{Listening, PortChoice, listen};
use crate::up::registration::{Following, RegisteredTokens, Registration};
use crate::up::{installation, organization, people};

const PROVIDER_PORT: u16 = 8443;
const CLUSTER_PORT: u16 = 6443;
const KUBECONFIG: &str = "kubeconfig";
const ADMIN_KUBECONFIG: &str = "admin.kubeconfig";
const PLUGIN_DIRECTORY: &str = "bin";
/// kubectl finds `kubectl oidc-login` by this name.
const PLUGIN: &str = "kubectl-oidc_login";
/// So that the commands that are printed can be typed.
const PROGRAM: &str = "kubesso";

/// What `kubesso up` starts with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data directory, made if missing.
    pub data_dir: PathBuf,
    /// The provider's port; by default that of the last start, or 8443.
    pub provider_port: Option<PortChoice>,
    /// The cluster's port; by default that of the last start or 6443, or a free one if that is taken.
    pub cluster_port: Option<PortChoice>,
    /// Whether a new directory begins with the people only, for somebody else to set up access.
    pub people_only: bool,
    /// Whether the management API is also reached at port 443 of an address of its own, as Okta's clients need it.
    pub listens_for_organization: bool,
    /// The port at which the management API is reached without TLS.
    pub danger_plain_http_port: Option<u16>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for keys, passwords and ids.
    pub entropy: Arc<dyn Entropy>,
    /// The program that the plugin's link points to; by default the one that runs.
    pub program: Option<PathBuf>,
}

impl Options {
    /// With defaults: the machine's clock and randomness, the default ports.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            provider_port: None,
            cluster_port: None,
            people_only: false,
            listens_for_organization: false,
            danger_plain_http_port: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
            program: None,
        }
    }
}

/// A running installation.
#[derive(Debug)]
pub struct Running {
    facts: Facts,
    authority_pem: String,
    database: Database,
    sandbox: Sandbox,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    /// In use by this process until it is dropped.
    _directory: Arc<DataDirectory>,
}

impl Running {
    /// Where things are, and who can sign in.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The installation's certificate authority, PEM.
    pub fn authority_pem(&self) -> &str {
        &self.authority_pem
    }

    /// The directory that the provider serves from.
    pub fn store(&self) -> Arc<dyn Store> {
        self.database.store()
    }

    /// Ends it: requests under way may finish, for a short time.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.sandbox.close().await;
        self.database.close().await;
    }
}

/// Creates what is missing in the data directory, keeps what is there, and serves. All is ready when it returns.
pub async fn start(options: Options) -> Result<Running, CommandError> {
    let now = options.clock.now();
    let directory = DataDirectory::open(&options.data_dir).map_err(|e| CommandError::new(e.to_string()))?;
    let first_key = if options.people_only { None } else { first_key(&directory) };
    let authority = authority::open(&directory, now)?;
    let ports = directory.ports().map_err(|e| CommandError::new(e.to_string()))?;
    let provider_listening = listen_for_provider(options.provider_port, ports).await?;
    let cluster_listening = listen_for_cluster(options.cluster_port, ports).await?;
    let (database, sealing_key) = installation::open_directory(directory.root()).await?;
    let foundation = Foundation {
        directory,
        first_key,
        authority,
        ports,
        provider_listening,
        cluster_listening,
        database: database.clone(),
        sealing_key,
    };
    let started = build(foundation, options).await;
    if started.is_err() {
        // Folds the write-ahead log into its file: a start that fails leaves the directory as it was.
        database.close().await;
    }
    started
}

/// What has been taken into use before anything is served.
struct Foundation {
    directory: DataDirectory,
    first_key: Option<FirstKey>,
    authority: CertificateAuthority,
    ports: Ports,
    provider_listening: Listening,
    cluster_listening: Listening,
    database: Database,
    sealing_key: SealingKey,
}

async fn build(foundation: Foundation, options: Options) -> Result<Running, CommandError> {
    let Foundation {
        directory,
        first_key,
        authority,
        ports,
        provider_listening,
        cluster_listening,
        database,
        sealing_key,
    } = foundation;
    let Options {
        cluster_port,
        people_only,
        listens_for_organization,
        danger_plain_http_port,
        clock,
        entropy,
        program,
        ..
    } = options;
    let now = clock.now();
    let store: Arc<dyn Store> = database.store();
    let world = FirstWorld { people_only, ..people::first_world()? };
    let passwords = if people::is_empty(&*store).await? {
        people::passwords(&world, &entropy).await?
    } else {
        Vec::new()
    };
    let seeded = people::create_or_find(&*store, world.clone(), &passwords, &*clock, &*entropy).await?;
    if let (Some(key), Some(server)) = (first_key, &seeded.server) {
        let key = key.await.map_err(|e| no_key(&e))?.map_err(|e| no_key(&e))?;
        adopt_key(&*store, &sealing_key, &*entropy, &server.id, key, now).await.map_err(|e| no_key(&e))?;
    }
    let mut notices = notices(&cluster_listening, cluster_port, ports);
    let organization_listening = if listens_for_organization {
        organization::listen().await.map_err(|notice| notices.push(notice)).ok()
    } else {
        None
    };
    let plain_http = match danger_plain_http_port {
        Some(port) => Some(listen_for("danger-plain-http", PortChoice::Exactly(port)).await?),
        None => None,
    };
    let mut other_origins: Vec<String> =
        organization_listening.iter().map(organization::Listening::origin).collect();
    if let Some(listening) = &plain_http {
        other_origins.extend(management::plain_http_origins(listening.port));
        notices.push(format!(
            "DANGER: the management API is also at http://127.0.0.1:{}, without TLS: whoever can read this machine's \
             loopback traffic gets the API tokens",
            listening.port
        ));
    }
    let (provider, api) = management::start(management::Parts {
        base_url: loopback_url(provider_listening.port)?,
        other_origins,
        store: store.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
        sealing_key,
        settings: kubesso_provider::Settings::default(),
        logout_reach: Reach::Public,
        fetch_reach: Reach::Public,
        mutual_tls: None,
        registration: None,
    })
    .await?;
    let snapshot = store.snapshot().await.map_err(|e| unreadable(&e))?;
    let registration = Registration::find(&provider, &snapshot, &world);
    let shutdown = CancellationToken::new();
    let authenticator = LateAuthenticator::default();
    let cluster_dir = directory.path("sandbox");
    let is_new_cluster = !cluster_dir.exists();
    let sandbox = Sandbox::open(SandboxConfig {
        data_dir: cluster_dir,
        authenticator: Arc::new(authenticator.clone()),
        clock: clock.clone(),
        entropy: entropy.clone(),
        port: cluster_listening.port,
        shutdown: shutdown.clone(),
    })
    .await
    .map_err(|e| CommandError::because("the sandbox cluster cannot start", &e))?;
    if is_new_cluster {
        installation::create_objects(&sandbox).await?;
    }

    let names = match &organization_listening {
        Some(listening) => ServerNames::loopback().and(listening.address.into()),
        None => ServerNames::loopback(),
    };
    let identity = issue_server(&authority, &names, now)?;
    let provider_tls = server_tls(&identity, ClientAuthentication::None)?;
    let cluster_tls = server_tls(&identity, ClientAuthentication::Requested)?;
    let facts = Facts {
        registration,
        ca: directory.path("ca.crt"),
        kubeconfig: directory.path(KUBECONFIG),
        admin_kubeconfig: directory.path(ADMIN_KUBECONFIG),
        cluster: loopback_url(cluster_listening.port)?.as_str().trim_end_matches('/').to_owned(),
        data_dir: directory.root().to_owned(),
        plugin_dir: directory.path(PLUGIN_DIRECTORY),
        users: people::present(&*store, &seeded, &passwords).await?,
        organization: match &organization_listening {
            Some(listening) => Some(listening.organization(&directory, authority.certificate_pem())?),
            None => None,
        },
        notices,
    };
    let files = Files::prepare(&directory, &facts, &authority, program)?;
    files.write_for_break_glass(&directory, &authority, &clock)?;
    if let Some(registration) = &facts.registration {
        files.write_for_people(&directory, registration, &provider, &snapshot)?;
    }
    let kept = Ports { provider: Some(provider_listening.port), cluster: Some(cluster_listening.port) };
    if kept != ports {
        directory.keep_ports(kept).map_err(|e| CommandError::new(e.to_string()))?;
    }

    let tokens = Arc::new(RegisteredTokens::default());
    authenticator.set(request_authenticator(tokens.clone(), &authority, &clock, &*entropy)?);
    let tasks = TaskTracker::new();
    let router = provider_server::router(&provider, &api, &Arc::default(), None);
    let organization_listeners =
        organization_listening.into_iter().map(|listening| listening.listener).collect();
    let servers = [
        (provider_listening.listeners, provider_tls.clone(), router.clone()),
        (organization_listeners, provider_tls.clone(), router),
        (cluster_listening.listeners, cluster_tls.clone(), sandbox.router()),
    ];
    for (listeners, tls, router) in servers {
        for listener in listeners {
            tasks.spawn(serve(listener, tls.clone(), router.clone(), shutdown.clone(), Limits::default()));
        }
    }
    for listener in plain_http.into_iter().flat_map(|listening| listening.listeners) {
        let router = provider_server::management_router(&api, &Arc::default());
        let limits = Limits::default();
        tasks.spawn(serve_dangerously_without_tls(listener, router, shutdown.clone(), limits));
    }
    provider_server::maintain(provider.clone(), &tasks, shutdown.clone());
    let directory = Arc::new(directory);
    let following = Following {
        tokens,
        provider: provider.clone(),
        store,
        world,
        authority_pem: authority.certificate_pem().to_owned(),
        clock: clock.clone(),
    };
    // Ready means that a token is taken, and for that the cluster must know the provider's keys. Should that fail, it is
    // tried again in the background, and the log says why.
    if let Some(registration) = &facts.registration {
        following.trust(registration).await?;
    }
    let written = directory.clone();
    let changed = move |registration: &Registration, snapshot: &Snapshot| {
        files.write_for_people(&written, registration, &provider, snapshot)
    };
    tasks.spawn(following.follow(facts.registration.clone(), changed, shutdown.clone()));
    let authority_pem = authority.certificate_pem().to_owned();
    tasks.spawn(authority::renew(
        Arc::new(authority),
        names,
        vec![provider_tls, cluster_tls],
        clock,
        shutdown.clone(),
    ));
    Ok(Running { facts, authority_pem, database, sandbox, shutdown, tasks, _directory: directory })
}

/// A signing key in the making.
type FirstKey = JoinHandle<Result<SigningKey, TokenError>>;

/// The first signing key, which takes longest to make: begun before anything else, on a thread of its own. `None` when
/// this is not the first start.
fn first_key(directory: &DataDirectory) -> Option<FirstKey> {
    let is_first_start = !directory.path(SqliteStore::FILE).exists();
    is_first_start.then(|| tokio::task::spawn_blocking(|| SigningKey::generate(Algorithm::Rs256)))
}

fn no_key(error: &dyn std::error::Error) -> CommandError {
    CommandError::because("the provider's first signing key could not be made", error)
}

/// The provider's port is part of the issuer, and so of every kubeconfig and every token: it does not move by itself.
async fn listen_for_provider(choice: Option<PortChoice>, kept: Ports) -> Result<Listening, CommandError> {
    let choice = choice.unwrap_or(PortChoice::Exactly(kept.provider.unwrap_or(PROVIDER_PORT)));
    listen_for("provider", choice).await
}

async fn listen_for_cluster(choice: Option<PortChoice>, kept: Ports) -> Result<Listening, CommandError> {
    let choice = choice.unwrap_or(PortChoice::Preferably(kept.cluster.unwrap_or(CLUSTER_PORT)));
    listen_for("cluster", choice).await
}

/// `who` is the server's name, and with `-port` the flag that chooses.
async fn listen_for(who: &str, choice: PortChoice) -> Result<Listening, CommandError> {
    listen(choice).await.map_err(|error| match choice {
        PortChoice::Exactly(port) => {
            CommandError::because(format!("the {who} cannot listen on port {port}"), &error)
                .mend(format!("end what listens there, or choose another port with --{who}-port"))
        }
        _ => CommandError::because(format!("the {who} found no free port"), &error),
    })
}

fn notices(listening: &Listening, choice: Option<PortChoice>, kept: Ports) -> Vec<String> {
    let expected = kept.cluster.unwrap_or(CLUSTER_PORT);
    if choice.is_some() || listening.port == expected {
        return Vec::new();
    }
    vec![format!("port {expected} is taken, so the cluster is on port {}", listening.port)]
}

fn loopback_url(port: u16) -> Result<Url, CommandError> {
    Url::parse(&format!("https://localhost:{port}"))
        .map_err(|e| CommandError::because("no URL can be made", &e))
}

fn request_authenticator(
    tokens: Arc<RegisteredTokens>,
    authority: &CertificateAuthority,
    clock: &Arc<dyn Clock>,
    entropy: &dyn Entropy,
) -> Result<RequestAuthenticator, CommandError> {
    let certificates = X509Authenticator::new(authority.certificate_pem(), clock.clone())
        .map_err(|e| CommandError::because("the cluster cannot trust client certificates", &e))?;
    let authenticator = RequestAuthenticator::new(clock.clone(), entropy);
    Ok(authenticator.with_certificates(certificates).with_tokens(tokens))
}

fn issue_server(
    authority: &CertificateAuthority,
    names: &ServerNames,
    now: jiff::Timestamp,
) -> Result<Identity, CommandError> {
    authority
        .issue_server(names, now)
        .map_err(|e| CommandError::because("no server certificate can be issued", &e))
}

fn server_tls(identity: &Identity, clients: ClientAuthentication) -> Result<ServerTls, CommandError> {
    ServerTls::new(identity, clients).map_err(|e| CommandError::because("TLS cannot be set up", &e))
}

/// What the kubeconfigs are made of.
struct Files {
    plugin: PathBuf,
    cluster: String,
    authority_pem: String,
    authority_file: PathBuf,
}

impl Files {
    fn prepare(
        directory: &DataDirectory,
        facts: &Facts,
        authority: &CertificateAuthority,
        program: Option<PathBuf>,
    ) -> Result<Self, CommandError> {
        let plugin = installation::link(&facts.plugin_dir, PLUGIN, program.clone())?;
        installation::link(&facts.plugin_dir, PROGRAM, program)?;
        Ok(Self {
            plugin,
            cluster: facts.cluster.clone(),
            authority_pem: authority.certificate_pem().to_owned(),
            authority_file: directory.path("ca.crt"),
        })
    }

    fn cluster(&self) -> ClusterFacts<'_> {
        ClusterFacts { server: &self.cluster, authority_pem: &self.authority_pem }
    }

    fn write_for_break_glass(
        &self,
        directory: &DataDirectory,
        authority: &CertificateAuthority,
        clock: &Arc<dyn Clock>,
    ) -> Result<(), CommandError> {
        let administrator = authority
            .issue_client("kubesso:break-glass", "system:masters", clock.now())
            .map_err(|e| CommandError::because("no administrator's certificate can be issued", &e))?;
        write(directory, ADMIN_KUBECONFIG, &kubeconfig::for_break_glass(self.cluster(), &administrator))
    }

    fn write_for_people(
        &self,
        directory: &DataDirectory,
        registration: &Registration,
        provider: &Provider,
        snapshot: &Snapshot,
    ) -> Result<(), CommandError> {
        let sign_in = SignIn {
            plugin: &self.plugin,
            issuer: &registration.issuer,
            client_id: &registration.client_id,
            authority_file: &self.authority_file,
        };
        let issuers: Vec<String> =
            snapshot.servers().map(|server| provider.issuer(&server.server.id)).collect();
        let current = kubeconfig::for_people(self.cluster(), sign_in);
        let merged = installation::merge_kubeconfig(directory, KUBECONFIG, current, |user| {
            kubeconfig::names_another_issuer_of(provider.base_url(), user, &issuers)
        })?;
        write(directory, KUBECONFIG, &merged)
    }
}

fn write(directory: &DataDirectory, name: &str, config: &Config) -> Result<(), CommandError> {
    let content = kubeconfig::yaml(config)?;
    directory.write(name, content.as_bytes(), Mode::Private).map_err(|e| CommandError::new(e.to_string()))
}

fn unreadable(error: &StoreError) -> CommandError {
    CommandError::because("the directory cannot be read", error)
}
