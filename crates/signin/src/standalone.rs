//! The plugin without a command: signs in and writes the tokens into the kubeconfig, for clients that read the older
//! `auth-provider` (name `oidc`) there. kubectl itself uses the credential plugin instead.

use std::ffi::OsStr;

use clap::Parser;
use jiff::Timestamp;
use kubesso_k8s_types::kubeconfig::AuthProvider;
use kubesso_kubeconfig::{
    Entry as KubeconfigEntry, Kubeconfig, Locations, LockedFile, Patience, Place, Selection,
};
use kubesso_token::decode_unverified_payload;
use kubesso_token_cache::values::expand_home;
use kubesso_token_cache::{Entry, GetTokenArguments, Options, Secret};

use crate::arguments::StandaloneArguments;
use crate::environment::Environment;
use crate::error::Error;
use crate::flow;
use crate::relying_party::RelyingParty;
use crate::runtime::block_on;

type User = KubeconfigEntry<kubesso_k8s_types::kubeconfig::User>;

/// Leaves a valid ID token in the kubeconfig; says nothing if there is one already.
pub(crate) fn run(arguments: &StandaloneArguments, environment: &Environment) -> Result<(), Error> {
    let variable = environment.variable("KUBECONFIG");
    let home = environment.surroundings.home.as_deref();
    let explicit = arguments.kubeconfig.as_deref().map(|path| expand_home(path, home));
    let locations = Locations::new(explicit.as_deref(), variable.as_deref().map(OsStr::new), home);
    let kubeconfig = Kubeconfig::load(&locations)?;
    let selection = Selection { user: arguments.user.as_deref(), context: arguments.context.as_deref() };
    let user = kubeconfig.select_user(selection).map_err(|error| {
        environment.say(HINT);
        Error::from(error)
    })?;
    let provider = auth_provider(user, environment)?;
    let options = options(arguments, user, provider, environment)?;
    let known = known_tokens(provider);
    if known.as_ref().is_some_and(|entry| entry.is_fresh(environment.clock.now())) {
        return Ok(());
    }
    let renewed = block_on(environment, renew(&options, known.as_ref(), environment))?;
    keep(user, &renewed, environment)?;
    let until = renewed.expires_at.strftime("%Y-%m-%d %H:%M:%S +0000 UTC");
    environment.say(&format!("The token is valid until {until}"));
    Ok(())
}

/// The user's `auth-provider`, if it is one of OpenID Connect.
fn auth_provider<'a>(user: &'a User, environment: &Environment) -> Result<&'a AuthProvider, Error> {
    match &user.value.auth_provider {
        Some(provider) if provider.name == "oidc" => Ok(provider),
        _ => {
            environment.say(HINT);
            let has = if user.value.exec.is_some() {
                "a credential plugin, which kubectl runs by itself"
            } else {
                "none"
            };
            Err(Error::NoAuthProvider { user: user.name.clone(), has })
        }
    }
}

/// What the kubeconfig says as if it had been said by `get-token`'s flags, and the flags that were given.
fn options(
    arguments: &StandaloneArguments,
    user: &User,
    provider: &AuthProvider,
    environment: &Environment,
) -> Result<Options, Error> {
    #[derive(Parser)]
    struct GetToken {
        #[command(flatten)]
        arguments: GetTokenArguments,
    }

    let setting = |name: &'static str| provider.setting(name);
    let needed = |name: &'static str| {
        setting(name).ok_or_else(|| Error::AuthProviderSetting {
            user: user.name.clone(),
            name,
            problem: "is missing".to_owned(),
        })
    };
    let mut words = vec![
        "get-token".to_owned(),
        format!("--oidc-issuer-url={}", needed("idp-issuer-url")?),
        format!("--oidc-client-id={}", needed("client-id")?),
    ];
    let flags = [("--oidc-client-secret", "client-secret"), ("--oidc-extra-scope", "extra-scopes")];
    words.extend(flags.iter().filter_map(|(flag, name)| Some(format!("{flag}={}", setting(name)?))));
    let parsed = GetToken::try_parse_from(words).map_err(|_| Error::AuthProviderSetting {
        user: user.name.clone(),
        name: "idp-issuer-url",
        problem: "is not a URL".to_owned(),
    })?;
    let mut tls = arguments.tls.clone();
    tls.certificate_authority.extend(setting("idp-certificate-authority").map(|path| user.resolve(path)));
    tls.certificate_authority_data.extend(setting("idp-certificate-authority-data").map(str::to_owned));
    let GetTokenArguments { oidc_issuer_url, oidc_client_id, provider, .. } = parsed.arguments;
    let authentication = &arguments.authentication;
    let surroundings = &environment.surroundings;
    let options =
        Options::new(&oidc_issuer_url, &oidc_client_id, &provider, &tls, authentication, surroundings)?;
    environment.warn_of_flags(&options, &provider, &tls, authentication);
    Ok(options)
}

/// The tokens that the kubeconfig holds. What is no JWT with an end is none.
fn known_tokens(provider: &AuthProvider) -> Option<Entry> {
    let token = provider.setting("id-token").unwrap_or_default();
    let claims = decode_unverified_payload(token).unwrap_or_default();
    let time = |name| Timestamp::from_second(claims.get(name)?.as_i64()?).ok();
    let refresh_token = provider.setting("refresh-token").map(|token| Secret::from(token.to_owned()));
    let expires_at = time("exp");
    if expires_at.is_none() && refresh_token.is_none() {
        return None;
    }
    Some(Entry {
        token: Secret::from(token.to_owned()),
        issued_at: time("iat"),
        expires_at: expires_at.unwrap_or(Timestamp::UNIX_EPOCH),
        refresh_token,
        scope: None,
    })
}

/// Refreshes if there is something to refresh with; signs in if that has ended.
async fn renew(options: &Options, known: Option<&Entry>, environment: &Environment) -> Result<Entry, Error> {
    let party = RelyingParty::discover(options, environment, None).await?;
    // Without the token that came with it nothing would say whose the refreshed one is.
    let refreshable = known.filter(|entry| !entry.token.is_empty());
    if let Some((entry, refresh_token)) =
        refreshable.and_then(|entry| Some((entry, entry.refresh_token.as_ref()?)))
    {
        environment.explain(1, || "refreshing the token".to_owned());
        match party.refresh(entry, refresh_token).await {
            Ok(renewed) => return Ok(renewed.entry),
            Err(error @ Error::NoIdToken) => {
                environment.warn(&format!("the token could not be refreshed: {error}; signing in anew"));
            }
            Err(error) if error.is_invalid_grant() => {
                environment.explain(1, || "the refresh token has ended; signing in anew".to_owned());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(flow::sign_in(&party).await?.entry)
}

/// Writes the tokens into the file that the user comes from.
fn keep(user: &User, entry: &Entry, environment: &Environment) -> Result<(), Error> {
    let mut file = LockedFile::open(&user.file, Patience::default())?;
    let config = Place::user(&user.name).key("auth-provider").key("config");
    let document = file.document_mut();
    document.set(&config.clone().key("id-token"), entry.token.expose())?;
    match &entry.refresh_token {
        Some(token) => document.set(&config.key("refresh-token"), token.expose())?,
        // The old one has ended.
        None => drop(document.remove(&config.key("refresh-token"))?),
    }
    let saved = file.save()?;
    if saved.readable_by_others {
        let file = saved.file.display();
        environment.warn(&format!("{file} holds tokens now, and others can read it; chmod 600 {file}"));
    }
    Ok(())
}

const HINT: &str = "\
Without a command this signs in for a user whose kubeconfig entry has the auth provider oidc, which kubectl itself does
not use any more. For kubectl, set the credential plugin up:

  kubectl oidc-login setup --oidc-issuer-url=ISSUER --oidc-client-id=CLIENT

For a client that reads the auth provider:

  kubectl config set-credentials NAME --auth-provider=oidc \\
    --auth-provider-arg=idp-issuer-url=ISSUER --auth-provider-arg=client-id=CLIENT
";
