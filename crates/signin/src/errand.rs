//! A call that the cache did not answer: one refresh or one sign-in for all who ask, and its result kept.

use std::sync::OnceLock;

use kubesso_token_cache::attempt::{BackOff, Outcome, Prompt, Record};
use kubesso_token_cache::exec_credential::ApiVersion;
use kubesso_token_cache::legacy::KubeloginKey;
use kubesso_token_cache::options::Grant;
use kubesso_token_cache::{About, Call, Entry, EntryPaths, GetTokenArguments, Options, Secret};

use crate::browser;
use crate::detached::Supervised;
use crate::environment::Environment;
use crate::error::Error;
use crate::flow;
use crate::lock::{Claim, Running, Turn};
use crate::relying_party::RelyingParty;
use crate::remedy;
use crate::store::{self, Unkept};

/// Set to anything, this variable has a call fail at once where it would ask somebody to sign in.
pub(crate) const NEVER_ASK: &str = "KUBESSO_NEVER_ASK";

/// What is to be fetched, and how much the person wants it.
pub(crate) struct Errand<'e> {
    pub(crate) version: ApiVersion,
    options: Options,
    /// None when nothing is kept.
    pub(crate) paths: Option<EntryPaths>,
    /// What kubelogin calls the entry.
    kubelogin: Option<KubeloginKey>,
    role: Role,
    /// Whether a token that is still valid will not do.
    pub(crate) is_forced: bool,
    /// What the provider said of the refresh token, if it refused it.
    refused: OnceLock<String>,
    arguments: &'e GetTokenArguments,
    environment: &'e Environment,
}

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A process that may be killed, or whose terminal may be closed, before the person has signed in.
    Caller,
    /// The helper to which such a process left the sign-in. There is nothing to refresh, and whether the person may be
    /// asked was decided.
    Heir,
    /// Somebody asked for a sign-in, however many came to nothing before.
    Login,
}

/// What came of the work.
enum Renewal<'e> {
    Done(Entry),
    LeftTo(Supervised<'e>),
}

impl<'e> Errand<'e> {
    /// What a call of `get-token` asks for.
    pub(crate) fn new(arguments: &'e GetTokenArguments, environment: &'e Environment) -> Result<Self, Error> {
        let Call { version, options, paths } = Call::new(arguments, &environment.surroundings)?;
        Ok(Self {
            version,
            arguments,
            options,
            paths,
            kubelogin: KubeloginKey::new(arguments, &environment.surroundings),
            role: Role::Caller,
            is_forced: arguments.force_refresh,
            refused: OnceLock::new(),
            environment,
        })
    }

    /// The same for the helper that a call has started.
    pub(crate) fn of_heir(
        arguments: &'e GetTokenArguments,
        environment: &'e Environment,
    ) -> Result<Self, Error> {
        Ok(Self { role: Role::Heir, ..Self::new(arguments, environment)? })
    }

    /// The same for somebody who asked for a sign-in.
    pub(crate) fn of_login(
        arguments: &'e GetTokenArguments,
        environment: &'e Environment,
    ) -> Result<Self, Error> {
        Ok(Self { role: Role::Login, ..Self::new(arguments, environment)? })
    }

    /// Says what is wrong with the flags.
    pub(crate) fn warn_of_flags(&self, arguments: &GetTokenArguments) {
        for line in arguments.cache.old_flags() {
            self.environment.warn(line);
        }
        let (provider, tls, authentication) =
            (&arguments.provider, &arguments.tls, &arguments.authentication);
        self.environment.warn_of_flags(&self.options, provider, tls, authentication);
    }

    /// A token: the one that somebody else is fetching, a refreshed one, or that of a new sign-in.
    pub(crate) async fn obtain(&self) -> Result<Entry, Error> {
        let Some(paths) = &self.paths else { return self.obtain_alone(None).await };
        if paths.is_sealed()
            && !self.is_forced
            && let Some(entry) = store::load(paths, self.environment).await
            && self.is_fresh(&entry)
        {
            // What a cache hit is for an open entry: no lock, nothing to write.
            return Ok(entry);
        }
        let claim = if self.role == Role::Heir { Claim::Heir } else { Claim::Newcomer };
        match Turn::take(paths, claim, self.environment).await {
            Ok(turn) => self.obtain_in_turn(turn, paths).await,
            Err(error) => {
                self.warn_of_unsaved(paths, &error.into());
                let known = self.known(paths).await;
                if let Some(entry) = known.as_ref().filter(|entry| !self.is_forced && self.is_fresh(entry)) {
                    return Ok(entry.clone());
                }
                let entry = self.obtain_alone(known.as_ref()).await?;
                // It was warned of already.
                let _ = store::save(paths, &entry, self.environment).await;
                Ok(entry)
            }
        }
    }

    /// Refreshes a token that is still good, if nobody else is at it and the provider did not fail a moment ago. Never
    /// asks the person.
    pub(crate) async fn refresh_if_due(&self) -> Result<(), Error> {
        let Some(paths) = &self.paths else { return Ok(()) };
        let Ok(Some(turn)) = Turn::take_now(paths) else { return Ok(()) };
        let now = self.environment.clock.now();
        let known =
            self.known(paths).await.filter(|known| known.is_due(now) && turn.record().permits_refresh(now));
        let Some((known, refresh_token)) = known.as_ref().and_then(with_refresh_token) else { return Ok(()) };
        let running = turn.begin(self.environment);
        let result = self.refresh_in_background(known, refresh_token).await;
        match &result {
            // There is nobody to tell; the next call finds the old token, which is still good.
            Ok(entry) => drop(store::save(paths, entry, self.environment).await),
            Err(error) if error.is_invalid_grant() => self.forget_refresh_token(known).await,
            Err(_) => {}
        }
        running.end_refresh(result.as_ref().map(drop));
        result.map(drop)
    }

    async fn refresh_in_background(&self, known: &Entry, refresh_token: &Secret) -> Result<Entry, Error> {
        let party = self.discover().await?;
        let renewed = party.refresh(known, refresh_token).await;
        party.settle().await;
        renewed.map(|renewed| renewed.entry)
    }

    /// The entry, taken over from kubelogin if there is none of ours.
    pub(crate) async fn known(&self, paths: &EntryPaths) -> Option<Entry> {
        if let Some(entry) = store::load(paths, self.environment).await {
            return Some(entry);
        }
        let theirs = store::find_kubelogins(paths, self.kubelogin.as_ref()?, self.environment).await?;
        self.environment.explain(1, || format!("taking over kubelogin's cache entry {}", theirs.name));
        // Unsaved, it is looked for again by the next call.
        let _ = store::save(paths, &theirs.entry, self.environment).await;
        self.note(&theirs.entry);
        Some(theirs.entry)
    }

    /// Notes beside the entry what it is for, which later refreshes do not change. Without the note `list` says less.
    fn note(&self, entry: &Entry) {
        if let Some(paths) = &self.paths {
            let _ = paths.save_about(&About::new(&self.options, entry), &*self.environment.entropy);
        }
    }

    async fn discover(&self) -> Result<RelyingParty<'_>, Error> {
        let directory = self.paths.as_ref().map(EntryPaths::directory);
        RelyingParty::discover(&self.options, self.environment, directory).await
    }

    /// Where there can be no lock, and nobody to wait for.
    async fn obtain_alone(&self, known: Option<&Entry>) -> Result<Entry, Error> {
        let party = self.discover().await?;
        let result = match self.refresh(&party, known).await {
            Ok(None) => match self.must_not_ask() {
                Some(error) => Err(error),
                None => self.sign_in(&party).await,
            },
            Ok(Some(entry)) => Ok(entry),
            Err(error) => Err(error),
        };
        party.settle().await;
        result
    }

    async fn obtain_in_turn(&self, turn: Turn, paths: &EntryPaths) -> Result<Entry, Error> {
        if let Some(Outcome::Failed(message)) = &turn.awaited {
            return Err(Error::Leader(message.clone()));
        }
        let renewed_meanwhile = turn.awaited == Some(Outcome::Succeeded);
        let known = self.known(paths).await;
        if let Some(entry) = &known
            && (!self.is_forced || renewed_meanwhile)
            && self.is_fresh(entry)
        {
            return Ok(entry.clone());
        }
        if !can_refresh(known.as_ref())
            && let Some(error) = self.must_not_ask().or_else(|| self.back_off(turn.record()))
        {
            return Err(error);
        }
        let mut running = turn.begin(self.environment);
        match self.renew(known.as_ref(), &mut running).await {
            Ok(Renewal::Done(entry)) => {
                if let Err(error) = store::save(paths, &entry, self.environment).await {
                    self.warn_of_unsaved(paths, &error);
                }
                running.end(Ok(()));
                Ok(entry)
            }
            Ok(Renewal::LeftTo(helper)) => {
                running.hand_over();
                helper.result().await
            }
            Err(error) => {
                running.end(Err(&error));
                self.last_resort(known, error)
            }
        }
    }

    /// Refreshes if that is possible, and signs in otherwise.
    async fn renew(&self, known: Option<&Entry>, running: &mut Running<'_>) -> Result<Renewal<'_>, Error> {
        let known = known.filter(|_| self.role != Role::Heir);
        if !can_refresh(known)
            && let Some(helper) = self.helper().await
        {
            return Ok(Renewal::LeftTo(helper));
        }
        let party = self.discover().await?;
        let result = match self.refresh(&party, known).await {
            Ok(None) => self.prompt(&party, running).await,
            Ok(Some(entry)) => Ok(Renewal::Done(entry)),
            Err(error) => Err(error),
        };
        party.settle().await;
        result
    }

    /// Has the person sign in, unless they must not be asked yet.
    async fn prompt(
        &self,
        party: &RelyingParty<'_>,
        running: &mut Running<'_>,
    ) -> Result<Renewal<'_>, Error> {
        if let Some(error) = self.must_not_ask().or_else(|| self.back_off(running.record())) {
            return Err(error);
        }
        if let Some(helper) = self.helper().await {
            return Ok(Renewal::LeftTo(helper));
        }
        if let Some(prompt) = prompt_of(&self.options.grant, self.environment) {
            running.prompt(prompt);
        }
        self.sign_in(party).await.map(Renewal::Done)
    }

    /// A process that asks the person in this one's place. It can only ask at a page: the keyboard stays here.
    async fn helper(&self) -> Option<Supervised<'_>> {
        prompt_of(&self.options.grant, self.environment).filter(|_| self.role == Role::Caller)?;
        Supervised::start(self.environment).await
    }

    /// Whoever called wants to know whether there is a session, and nobody to be asked.
    fn must_not_ask(&self) -> Option<Error> {
        let is_wanted =
            self.environment.surroundings.variable(NEVER_ASK).is_some_and(|value| !value.is_empty());
        if !is_wanted || !self.options.grant.is_interactive() || self.role != Role::Caller {
            return None;
        }
        let command = remedy::login_command(self.arguments, &self.options, self.environment);
        Some(match self.refused.get() {
            Some(reason) => Error::SessionEnded { reason: reason.clone(), command },
            None => Error::NoSession { command },
        })
    }

    /// Why the person is not asked, if that is so.
    fn back_off(&self, record: &Record) -> Option<Error> {
        prompt_of(&self.options.grant, self.environment).filter(|_| self.role == Role::Caller)?;
        let back_off = record.back_off(self.environment.clock.now(), self.environment.attendance())?;
        let BackOff { reason, remaining } = back_off;
        let command = remedy::login_command(self.arguments, &self.options, self.environment);
        Some(Error::BackedOff { reason, remaining, command })
    }

    /// The refreshed token, or `None` if there is nothing to refresh with: no refresh token, or one that has ended.
    async fn refresh(&self, party: &RelyingParty<'_>, known: Option<&Entry>) -> Result<Option<Entry>, Error> {
        let Some((known, refresh_token)) = known.and_then(with_refresh_token) else { return Ok(None) };
        self.environment.explain(1, || "refreshing the token".to_owned());
        match party.refresh(known, refresh_token).await {
            Ok(renewed) => Ok(Some(renewed.entry)),
            Err(error) if error.is_invalid_grant() => {
                self.environment.explain(1, || format!("{error}; signing in anew"));
                let _ = self.refused.set(error.to_string());
                self.forget_refresh_token(known).await;
                Ok(None)
            }
            // Some providers never give an ID token for a refresh.
            Err(error @ Error::NoIdToken) => {
                let line = format!("the token could not be refreshed: {error}; signing in anew");
                self.environment.warn(&line);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn sign_in(&self, party: &RelyingParty<'_>) -> Result<Entry, Error> {
        let signed_in = flow::sign_in(party).await?;
        self.environment.explain(1, || {
            let claims = serde_json::to_string_pretty(&signed_in.claims).unwrap_or_default();
            format!("the token has these claims:\n{claims}")
        });
        self.note(&signed_in.entry);
        Ok(signed_in.entry)
    }

    /// The refresh token has ended: the next call need not try it, should the sign-in that follows fail.
    async fn forget_refresh_token(&self, known: &Entry) {
        if let Some(paths) = &self.paths {
            // If it stays, the next call asks the provider in vain, and that is all.
            let ended = Entry { refresh_token: None, ..known.clone() };
            let _ = store::save(paths, &ended, self.environment).await;
        }
    }

    /// A token that is about to end is better than none, while the provider cannot give another one.
    fn last_resort(&self, known: Option<Entry>, error: Error) -> Result<Entry, Error> {
        let now = self.environment.clock.now();
        let entry = known.filter(|known| error.is_outage() && !self.is_forced && known.is_last_resort(now));
        let Some(entry) = entry else { return Err(error) };
        self.environment.warn(&format!("the token could not be refreshed, and ends in a moment: {error}"));
        Ok(entry)
    }

    fn is_fresh(&self, entry: &Entry) -> bool {
        entry.is_fresh(self.environment.clock.now())
    }

    fn warn_of_unsaved(&self, paths: &EntryPaths, problem: &Unkept) {
        let error = match problem {
            Unkept::Disk(error) => error,
            Unkept::Keyring(error) => {
                // A keyring that is not there stays away: once is enough.
                if !paths.note_unkept() {
                    self.environment.warn(&format!(
                        "the token cannot be kept, so that each call signs in: {error}; or give \
                         --token-cache-storage=disk, which is files that only you can read"
                    ));
                }
                return;
            }
        };
        self.environment.warn(&format!(
            "tokens cannot be kept in {} ({error}), so that each call signs in; make it writable, or give another \
             --token-cache-dir, or --token-cache-storage=none",
            paths.directory().display()
        ));
    }
}

fn with_refresh_token(known: &Entry) -> Option<(&Entry, &Secret)> {
    known.refresh_token.as_ref().map(|refresh_token| (known, refresh_token))
}

fn can_refresh(known: Option<&Entry>) -> bool {
    known.is_some_and(|known| known.refresh_token.is_some())
}

/// What the person is asked for where they need not sit at this terminal. Other questions come to nothing by themselves
/// when nobody is there.
fn prompt_of(grant: &Grant, environment: &Environment) -> Option<Prompt> {
    match grant {
        Grant::AuthorizationCode(_) => Some(Prompt::Browser),
        Grant::Automatic(_) if browser::can_open(environment) => Some(Prompt::Browser),
        // The last of the ways may be a question at this terminal.
        Grant::Automatic(_) if environment.terminal.is_attended() => None,
        Grant::Automatic(_) | Grant::DeviceCode { .. } => Some(Prompt::Code),
        Grant::AuthorizationCodeByKeyboard
        | Grant::ClientCredentials
        | Grant::Password { .. }
        | Grant::TokenExchange(_) => None,
    }
}
