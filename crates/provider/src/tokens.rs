//! ID tokens (OpenID Connect Core §2) and access tokens (RFC 9068), signed.

use aws_lc_rs::digest::{Algorithm as Digest, SHA256, SHA384, SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::{Entropy, TRACES, draw};
use kubesso_directory::{
    Application, Audience, Claims, ClaimsFor, ClientId, GrantId, Lifetimes, Person, ScopeName, Server,
    SessionId, claims,
};
use kubesso_token::{Algorithm, SigningKey, TokenError};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tracing::info_span;

use crate::client_certificate::CONFIRMED_CERTIFICATE;
use crate::requested::{Requested, single_claims};

/// The `typ` of an access token (RFC 9068 §2.1); it keeps one from being taken for an ID token.
pub(crate) const ACCESS_TOKEN_TYPE: &str = "at+jwt";
/// The claim of an access token that names the grant from which it came, so that it ends with it.
pub(crate) const GRANT_CLAIM: &str = "grant_id";
/// The claim of an access token that names its user, in Okta's words; a client's own token has none.
pub(crate) const USER_CLAIM: &str = "uid";

/// The claim of an access token that lists which single claims userinfo gives beside those of the scopes.
pub(crate) const USERINFO_CLAIM: &str = "userinfo_claims";

/// The claim with the key to which a token is bound (RFC 7800 §3.1).
pub(crate) const CONFIRMATION: &str = "cnf";

/// The claim of an exchanged access token that names the client of the token from which it came. It ends with that one's
/// grant, which is not its client's to end.
pub(crate) const ORIGIN_CLAIM: &str = "exchanged_from";

/// For whom tokens are, and why.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) server: &'a Server,
    pub(crate) application: &'a Application,
    /// `None`: the client itself (RFC 6749 §4.4). It has no ID token.
    pub(crate) person: Option<&'a Person>,
    pub(crate) scopes: &'a [ScopeName],
    pub(crate) lifetimes: &'a Lifetimes,
    pub(crate) grant: &'a GrantId,
    /// In which session the person signed in: `sid` (OpenID Connect Back-Channel Logout 1.0 §2.1).
    pub(crate) session: Option<&'a SessionId>,
    pub(crate) auth_time: Timestamp,
    pub(crate) amr: &'a [String],
    /// How sure the sign-in was (OpenID Connect Core §2); in every token that comes of it the same.
    pub(crate) acr: Option<&'a str>,
    /// Of the authorization request; a refreshed ID token does not repeat it (OpenID Connect Core §12.2).
    pub(crate) nonce: Option<&'a str>,
    /// The thumbprint of the key that the access token is bound to (RFC 9449 §6.1).
    pub(crate) dpop_jkt: Option<&'a str>,
    /// The thumbprint of the certificate that the access token is bound to (RFC 8705 §3.1).
    pub(crate) certificate: Option<&'a str>,
    /// If they come of another token.
    pub(crate) exchange: Option<Exchange<'a>>,
}

/// What an exchange (RFC 8693) adds.
#[derive(Clone, Copy)]
pub(crate) struct Exchange<'a> {
    /// For whom an access token is, if it was asked for by name; else for the server's audiences.
    pub(crate) audience: Option<&'a ClientId>,
    /// To whom the subject token was issued.
    pub(crate) origin: &'a ClientId,
    /// What comes out ends then at the latest.
    pub(crate) ends: Timestamp,
}

/// Which token an exchange gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Access,
    Id,
}

/// The token of an exchange.
pub(crate) struct IssuedToken {
    pub(crate) token: String,
    pub(crate) token_type: &'static str,
    pub(crate) expires_in: SignedDuration,
    /// For the log.
    pub(crate) id: String,
}

/// The tokens of one response.
pub(crate) struct IssuedTokens {
    pub(crate) access_token: String,
    /// How the access token is to be used.
    pub(crate) token_type: &'static str,
    pub(crate) expires_in: SignedDuration,
    /// Only for requests with the scope `openid`.
    pub(crate) id_token: Option<String>,
    /// The ids of the two, for the log.
    pub(crate) token_ids: [String; 2],
}

/// What the two tokens are signed with: a client may ask for an algorithm of its ID tokens.
#[derive(Clone, Copy)]
pub(crate) struct Keys<'a> {
    pub(crate) access_token: &'a SigningKey,
    pub(crate) id_token: &'a SigningKey,
}

/// Whether what is allowed so has an ID token.
pub(crate) fn has_id_token(scopes: &[ScopeName]) -> bool {
    scopes.iter().any(|scope| scope.as_str() == "openid")
}

/// Signs both tokens, with what was `requested` of them.
pub(crate) fn issue(
    subject: &Subject<'_>,
    requested: &Requested,
    keys: Keys<'_>,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<IssuedTokens, TokenError> {
    let [access_id, id_token_id] = ["AT.", "ID."].map(|prefix| token_id(prefix, entropy));
    let access_token =
        sign(keys.access_token, ACCESS_TOKEN_TYPE, &subject.access_token(requested, &access_id, now))?;
    let id_token = subject
        .person
        .filter(|_| has_id_token(subject.scopes))
        .map(|person| {
            let mut claims =
                subject.id_token(person, &id_token_id, Some((&access_token, keys.id_token.algorithm())), now);
            let single =
                single_claims(subject.server, subject.application, person, &requested.id_token_claims);
            for (name, value) in single {
                claims.entry(name).or_insert(value);
            }
            sign(keys.id_token, "JWT", &claims)
        })
        .transpose()?;
    Ok(IssuedTokens {
        access_token,
        token_type: token_type(subject.dpop_jkt),
        expires_in: subject.lifetimes.access_token().duration(),
        id_token,
        token_ids: [access_id, id_token_id],
    })
}

/// Signs the one token that an exchange asks for. An ID token is nobody's proof of an access token, so it has no
/// `at_hash`, and none to be used at a resource: `N_A` (RFC 8693 §2.2.1).
pub(crate) fn issue_one(
    kind: Kind,
    subject: &Subject<'_>,
    requested: &Requested,
    person: &Person,
    keys: Keys<'_>,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<IssuedToken, TokenError> {
    let lifetimes = subject.lifetimes;
    let (typ, id, payload, lifetime, token_type) = match kind {
        Kind::Access => {
            let id = token_id("AT.", entropy);
            let payload = subject.access_token(requested, &id, now);
            let lifetime = lifetimes.access_token().duration();
            (ACCESS_TOKEN_TYPE, id, payload, lifetime, token_type(subject.dpop_jkt))
        }
        Kind::Id => {
            let id = token_id("ID.", entropy);
            let payload = subject.id_token(person, &id, None, now);
            ("JWT", id, payload, lifetimes.id_token().duration(), "N_A")
        }
    };
    let expires_in = SignedDuration::from_secs(subject.end(now, lifetime).saturating_sub(now.as_second()));
    let key = match kind {
        Kind::Access => keys.access_token,
        Kind::Id => keys.id_token,
    };
    Ok(IssuedToken { token: sign(key, typ, &payload)?, token_type, expires_in, id })
}

/// A signature, as a trace shows it.
pub(crate) fn sign(key: &SigningKey, typ: &str, claims: &impl Serialize) -> Result<String, TokenError> {
    let algorithm = key.algorithm().as_str();
    let span = info_span!(target: TRACES, "sign", otel.name = "sign a token", algorithm);
    span.in_scope(|| key.sign(typ, claims))
}

fn token_id(prefix: &str, entropy: &dyn Entropy) -> String {
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(draw::<24>(entropy)))
}

/// What a token is bound to (RFC 9449 §6.1, RFC 8705 §3.1).
pub(crate) fn confirmation(dpop_jkt: Option<&str>, certificate: Option<&str>) -> Option<Value> {
    let by_key = dpop_jkt.map(|thumbprint| ("jkt", thumbprint));
    let by_certificate = certificate.map(|thumbprint| (CONFIRMED_CERTIFICATE, thumbprint));
    let members = by_key.into_iter().chain(by_certificate);
    let members: Map<String, Value> =
        members.map(|(name, thumbprint)| (name.to_owned(), thumbprint.into())).collect();
    (!members.is_empty()).then(|| members.into())
}

/// The type of an access token (RFC 6750, RFC 9449 §5), by the key that it is bound to.
pub(crate) fn token_type(dpop_jkt: Option<&str>) -> &'static str {
    if dpop_jkt.is_some() { "DPoP" } else { "Bearer" }
}

impl Subject<'_> {
    /// The claims of the ID token. Types are those that kube-apiserver insists on: lists of text for groups,
    /// booleans and whole numbers as such.
    pub(crate) fn id_token(
        &self,
        person: &Person,
        id: &str,
        access_token: Option<(&str, Algorithm)>,
        now: Timestamp,
    ) -> Map<String, Value> {
        let own = json!({
            "iss": self.issuer,
            "sub": person.user.id,
            "aud": self.application.client_id,
            "iat": now.as_second(),
            "exp": self.end(now, self.lifetimes.id_token().duration()),
            "auth_time": self.auth_time.as_second(),
            "amr": self.amr,
            "jti": id,
        });
        let mut payload = self.configured(ClaimsFor::IdToken, own);
        for name in ["at_hash", "sid"] {
            payload.remove(name);
        }
        if let Some((access_token, algorithm)) = access_token {
            payload.insert("at_hash".to_owned(), half_hash(access_token, algorithm).into());
        }
        if let Some(session) = self.session {
            payload.insert("sid".to_owned(), session.as_str().into());
        }
        if let Some(nonce) = self.nonce {
            payload.insert("nonce".to_owned(), nonce.into());
        }
        if let Some(acr) = self.acr {
            payload.insert("acr".to_owned(), acr.into());
        }
        payload
    }

    pub(crate) fn access_token(&self, requested: &Requested, id: &str, now: Timestamp) -> Map<String, Value> {
        let mut audiences: Vec<_> = requested.resources.iter().map(String::as_str).collect();
        if audiences.is_empty() {
            audiences = self.server.server.audiences.iter().map(Audience::as_str).collect();
        }
        let audience = match (self.exchange.and_then(|exchange| exchange.audience), audiences.as_slice()) {
            (Some(client), _) => json!(client),
            (None, [one]) => json!(one),
            (None, several) => json!(several),
        };
        let scopes: Vec<_> = self.scopes.iter().map(ScopeName::as_str).collect();
        let mut own = json!({
            "iss": self.issuer,
            "aud": audience,
            "iat": now.as_second(),
            "exp": self.end(now, self.lifetimes.access_token().duration()),
            "jti": id,
            "client_id": self.application.client_id,
            "scope": scopes.join(" "),
            // Okta's names for the same, which resource servers written for it read.
            "cid": self.application.client_id,
            "scp": scopes,
            GRANT_CLAIM: self.grant,
        });
        let mut payload = if let Some(person) = self.person {
            own["sub"] = person.user.id.as_str().into();
            own[USER_CLAIM] = person.user.id.as_str().into();
            // RFC 9068 §2.2.1, of somebody who signed in.
            own["auth_time"] = self.auth_time.as_second().into();
            own["amr"] = json!(self.amr);
            if let Some(acr) = self.acr {
                own["acr"] = acr.into();
            }
            let mut payload = self.configured(ClaimsFor::AccessToken, own);
            // Whatever an administrator calls a claim, userinfo tells what was asked for.
            payload.remove(USERINFO_CLAIM);
            if !requested.userinfo_claims.is_empty() {
                payload.insert(USERINFO_CLAIM.to_owned(), json!(requested.userinfo_claims));
            }
            payload
        } else {
            // RFC 9068 §2.2: the client, when it acts for nobody else.
            own["sub"] = self.application.client_id.as_str().into();
            let mut payload = self.configured(ClaimsFor::AccessToken, own);
            // By its absence the token is known for a client's, whatever an administrator calls a claim.
            payload.remove(USER_CLAIM);
            payload
        };
        // As above: what an administrator calls a claim binds nothing.
        payload.remove(CONFIRMATION);
        payload.remove(ORIGIN_CLAIM);
        if let Some(exchange) = self.exchange {
            payload.insert(ORIGIN_CLAIM.to_owned(), exchange.origin.as_str().into());
        }
        if let Some(confirmation) = confirmation(self.dpop_jkt, self.certificate) {
            payload.insert(CONFIRMATION.to_owned(), confirmation);
        }
        payload
    }

    /// The NumericDate of the moment `lifetime` after `now`, or before it if what the token comes of ends before.
    fn end(&self, now: Timestamp, lifetime: SignedDuration) -> i64 {
        let end = now.as_second().saturating_add(lifetime.as_secs());
        self.exchange.map_or(end, |exchange| end.min(exchange.ends.as_second()))
    }

    /// What the server's configuration says of the person (or, of a token that is nobody's, of the application), and over
    /// it the protocol's own claims.
    fn configured(&self, wanted: ClaimsFor, own: Value) -> Map<String, Value> {
        let Claims { mut values, problems } =
            claims(&self.server.claims, wanted, self.scopes, self.person, self.application);
        for problem in problems {
            let user = self.person.map(|person| person.user.id.as_str());
            tracing::warn!(%problem, user, client = %self.application.client_id, "a claim could not be computed");
        }
        if let Value::Object(own) = own {
            values.extend(own);
        }
        values
    }
}

/// `at_hash`: the left half of the hash that the signature algorithm uses (OpenID Connect Core §3.1.3.6).
fn half_hash(access_token: &str, algorithm: Algorithm) -> String {
    let hash: &Digest = match algorithm {
        Algorithm::Es256 | Algorithm::Ps256 | Algorithm::Rs256 => &SHA256,
        Algorithm::Es384 | Algorithm::Ps384 | Algorithm::Rs384 => &SHA384,
        Algorithm::Es512 | Algorithm::Ps512 | Algorithm::Rs512 => &SHA512,
    };
    let hash = digest(hash, access_token.as_bytes());
    let half = hash.as_ref().len() / 2;
    URL_SAFE_NO_PAD.encode(hash.as_ref().split_at(half).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_hash_is_that_of_the_specifications_example() {
        // OpenID Connect Core, appendix A.4.
        let access_token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(half_hash(access_token, Algorithm::Rs256), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(half_hash(access_token, Algorithm::Es512).len(), 43);
    }
}
