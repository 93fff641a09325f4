//! Passwords: Argon2id (RFC 9106), stored as PHC strings that carry their own parameters.
//!
//! Hashes that another provider made can be imported ([`ImportedHash`]); the first sign-in replaces them.

use std::fmt;

use argon2::password_hash::{self, phc};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use kubesso_ambient::{Entropy, draw};

use crate::secret::Secret;

mod imported;
mod policy;

pub use imported::{ImportedHash, ImportedHashError};
pub use policy::{PasswordPolicy, PasswordRuleError};

/// The longest password that is looked at, in bytes. Longer ones are refused before any work is done.
const LONGEST: usize = 1024;

/// Memory of more than 32 MiB goes back to the system when it is freed. Of less, glibc keeps what was freed last for each of
/// its arenas (mallopt(3), `M_MMAP_THRESHOLD`), and after some sign-ins the process would hold hundreds of MiB that nobody
/// uses. In blocks of 1 KiB; what is not filled is only addresses.
const GIVEN_BACK: usize = 33 * 1024;

/// A password in clear, between the form and the hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password(Secret);

impl Password {
    /// What somebody typed.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Secret::new(text))
    }

    /// A password for somebody: sixteen letters and digits in groups of four (`k7mw-x2pf-9tqr-hn4d`), 80
    /// random bits, without characters that look alike.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let mut text = String::with_capacity(19);
        for (at, byte) in draw::<16>(entropy).into_iter().enumerate() {
            if at > 0 && at % 4 == 0 {
                text.push('-');
            }
            text.push(char::from(ALPHABET[usize::from(byte % 32)]));
        }
        Self::new(text)
    }

    /// Shows it, to its owner.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// A hash as it is stored: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`, or one that was imported
/// (`$2b$12$…`, `$pbkdf2-sha256$…`, `$kubesso-sha512$…`).
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Secret);

impl PasswordHash {
    /// Reads a stored hash; `None` if it is neither an Argon2id PHC string nor an imported one.
    pub fn parse(text: &str) -> Option<Self> {
        if ImportedHash::parse(text).is_some() {
            return Some(Self(Secret::new(text)));
        }
        let parsed = phc::PasswordHash::new(text).ok()?;
        let complete =
            parsed.algorithm == argon2::ARGON2ID_IDENT && parsed.salt.is_some() && parsed.hash.is_some();
        (complete && Params::try_from(&parsed).is_ok()).then(|| Self(Secret::new(text)))
    }

    /// The text to store.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash([redacted])")
    }
}

/// What became of checking a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// It is the one.
    Right,
    /// It is the one, but was hashed in another way than is in force: hash it again and store that.
    RightButOutdated,
    /// It is not, or there is none.
    Wrong,
}

/// A password that cannot be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Nothing.
    #[error("the password is empty")]
    Empty,
    /// More than 1024 bytes.
    #[error("the password is longer than 1024 bytes")]
    TooLong,
    /// Argon2 could not get its memory.
    #[error("the password could not be hashed: {0}")]
    Argon2(password_hash::Error),
}

/// Hashes and verifies with the parameters in force.
///
/// Each call takes some tens of milliseconds and 19 MiB: call it where blocking is allowed.
#[derive(Clone, Debug)]
pub struct PasswordHasher {
    params: Params,
}

impl Default for PasswordHasher {
    /// 19 MiB, two passes, one lane: the minimum of OWASP's Password Storage Cheat Sheet.
    fn default() -> Self {
        Self { params: Params::DEFAULT }
    }
}

impl PasswordHasher {
    /// Other parameters: memory in KiB, passes, lanes. `None` if Argon2 does not allow them.
    pub fn with(memory_kib: u32, passes: u32, lanes: u32) -> Option<Self> {
        Params::new(memory_kib, passes, lanes, None).ok().map(|params| Self { params })
    }

    /// Hashes with a fresh salt.
    pub fn hash(&self, password: &Password, entropy: &dyn Entropy) -> Result<PasswordHash, PasswordError> {
        if password.expose().is_empty() {
            return Err(PasswordError::Empty);
        }
        if password.expose().len() > LONGEST {
            return Err(PasswordError::TooLong);
        }
        self.hash_with_salt(password, &draw::<16>(entropy)).map_err(PasswordError::Argon2)
    }

    /// Checks `password` against what is stored. With nothing stored (no such user, no password) it does the
    /// same work and says [`Verification::Wrong`], so that the time does not tell which logins exist. An imported hash
    /// takes its own time on top of that: nothing to speak of for SHA, more for bcrypt and PBKDF2 until it is replaced.
    pub fn verify(&self, password: &Password, stored: Option<&PasswordHash>) -> Verification {
        if password.expose().len() > LONGEST {
            return Verification::Wrong;
        }
        if let Some(imported) = stored.and_then(|stored| ImportedHash::parse(stored.expose())) {
            // Nobody can choose the empty password, and it could not be hashed again.
            if !password.expose().is_empty() && imported.verifies(password) {
                return Verification::RightButOutdated;
            }
            self.waste(password);
            return Verification::Wrong;
        }
        let parsed = stored.and_then(|stored| phc::PasswordHash::new(stored.expose()).ok());
        let Some(parsed) = parsed else {
            self.waste(password);
            return Verification::Wrong;
        };
        if !is_hash_of(&parsed, password).unwrap_or(false) {
            return Verification::Wrong;
        }
        let same = Params::try_from(&parsed).is_ok_and(|params| {
            let parts = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
            parts(&params) == parts(&self.params)
        });
        if same { Verification::Right } else { Verification::RightButOutdated }
    }

    /// The work of a verification, for nothing.
    fn waste(&self, password: &Password) {
        // The result is thrown away; black_box keeps the work from being thrown away with it.
        let _ = std::hint::black_box(self.hash_with_salt(password, &[0; 16]));
    }

    fn hash_with_salt(&self, password: &Password, salt: &[u8]) -> Result<PasswordHash, password_hash::Error> {
        let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
        fill(Version::V0x13, Algorithm::Argon2id, &self.params, password, salt, &mut output)?;
        let hash = phc::PasswordHash {
            algorithm: argon2::ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: phc::ParamsString::try_from(&self.params)?,
            salt: Some(phc::Salt::new(salt)?),
            hash: Some(phc::Output::new(&output)?),
        };
        Ok(PasswordHash(Secret::new(hash.to_string())))
    }
}

/// Whether `stored` is of `password`, by its own parameters.
fn is_hash_of(stored: &phc::PasswordHash, password: &Password) -> Result<bool, password_hash::Error> {
    let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else { return Ok(false) };
    let version = stored.version.map(Version::try_from).transpose()?.unwrap_or_default();
    let algorithm = Algorithm::try_from(stored.algorithm.as_str())?;
    let mut output = [0; phc::Output::MAX_LENGTH];
    let Some(output) = output.get_mut(..expected.len()) else { return Ok(false) };
    fill(version, algorithm, &Params::try_from(stored)?, password, salt, output)?;
    // In a time that does not depend on where they differ.
    Ok(phc::Output::new(output)? == *expected)
}

/// Fills `output` with the hash of `password`, in memory that is given back.
fn fill(
    version: Version,
    algorithm: Algorithm,
    params: &Params,
    password: &Password,
    salt: &[u8],
    output: &mut [u8],
) -> Result<(), password_hash::Error> {
    let mut memory = Vec::with_capacity(GIVEN_BACK.max(params.block_count()));
    memory.resize(params.block_count(), Block::default());
    Argon2::new(algorithm, version, params.clone()).hash_password_into_with_memory(
        password.expose().as_bytes(),
        salt,
        output,
        memory,
    )?;
    Ok(())
}

#[cfg(test)]
mod tests;
