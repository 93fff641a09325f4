//! One call of `get-token`, as far as it can be known without looking anything up, and the token that is there already.

use jiff::Timestamp;

use crate::arguments::GetTokenArguments;
use crate::attempt::Record;
use crate::cache::EntryPaths;
use crate::error::Error;
use crate::exec_credential::{self, ApiVersion};
use crate::key::CacheKey;
use crate::options::Options;
use crate::secret::Secret;
use crate::surroundings::Surroundings;

/// One call: what is asked for, how kubectl wants it, and where it is kept.
#[derive(Clone, Debug)]
pub struct Call {
    /// The version of the ExecCredential that kubectl asks for.
    pub version: ApiVersion,
    /// What the flags mean.
    pub options: Options,
    /// The files of the entry; none when nothing is kept.
    pub paths: Option<EntryPaths>,
}

impl Call {
    /// Reads the flags and the environment, and no file.
    pub fn new(arguments: &GetTokenArguments, surroundings: &Surroundings) -> Result<Self, Error> {
        let exec_info = surroundings.variable("KUBERNETES_EXEC_INFO");
        let version = exec_credential::requested_version(exec_info.as_deref())?;
        let options = Options::new(
            &arguments.oidc_issuer_url,
            &arguments.oidc_client_id,
            &arguments.provider,
            &arguments.tls,
            &arguments.authentication,
            surroundings,
        )?;
        let paths = EntryPaths::find(&arguments.cache, &CacheKey::new(&options), surroundings)?;
        Ok(Self { version, options, paths })
    }
}

/// What the cache had.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The line for kubectl.
    pub credential: Secret,
    /// Whether the next token should be fetched now, by somebody whom nobody waits for: the token is in the last part
    /// of its life, can be refreshed, and nobody has tried a moment ago.
    pub is_due: bool,
}

/// The credential for kubectl from the cache, if there is one that may still be handed out.
///
/// This is the way of nearly every call, so it does nothing else: no lock, no event loop, no TLS, no network, not a
/// word to the person. It reads one file, and a second one only when a refresh is due. Whatever is wrong (with the
/// flags, too) is for the long way to say.
pub fn cached_token(
    arguments: &GetTokenArguments,
    surroundings: &Surroundings,
    now: Timestamp,
) -> Option<Hit> {
    let call = Call::new(arguments, surroundings).ok()?;
    if arguments.force_refresh {
        return None;
    }
    let paths = call.paths?;
    let entry = paths.load().filter(|entry| entry.is_fresh(now))?;
    Some(Hit {
        credential: exec_credential::render(call.version, &entry.token, entry.expires_at),
        is_due: entry.is_due(now) && Record::load(&paths).permits_refresh(now),
    })
}
