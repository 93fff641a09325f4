//! What may be used once: client assertions (RFC 7523 §3 rule 7), proofs of possession (RFC 9449 §11.1), pushed
//! authorization requests (RFC 9126 §4). Its use is stored until it would be refused for its age anyway, so that none of
//! several replicas takes it again.

use jiff::Timestamp;

use crate::id::ClientId;
use crate::secret::TokenHash;

/// The use of something, whether it is the first one or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleUse {
    owner: String,
    id: String,
    ends: Timestamp,
}

impl SingleUse {
    /// Of an assertion that `client` signed, known by its `jti`, and refused for its age from `ends` on.
    pub fn of_client_assertion(client: &ClientId, jti: &str, ends: Timestamp) -> Self {
        Self { owner: format!("assertion {client}"), id: jti.to_owned(), ends }
    }

    /// Of a proof by the key with the thumbprint `jkt`.
    pub fn of_dpop_proof(jkt: &str, jti: &str, ends: Timestamp) -> Self {
        Self { owner: format!("dpop {jkt}"), id: jti.to_owned(), ends }
    }

    /// Of a request that `client` pushed.
    pub fn of_pushed_request(client: &ClientId, id: &str, ends: Timestamp) -> Self {
        Self { owner: format!("request {client}"), id: id.to_owned(), ends }
    }

    /// Whose it is, in words that no two owners share.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// What tells it from the owner's others.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The moment from which it is refused for its age, so that its use may be forgotten.
    pub fn ends(&self) -> Timestamp {
        self.ends
    }

    /// Under what its use is stored: owner and id may be long, and nobody needs to read them.
    pub fn hash(&self) -> TokenHash {
        let length = self.owner.len().to_be_bytes();
        TokenHash::of(&[&length, self.owner.as_bytes(), self.id.as_bytes()].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_others_or_is_something_else_is_another() {
        let client = |id| ClientId::parse(id).unwrap();
        let end = Timestamp::UNIX_EPOCH;
        let uses = [
            SingleUse::of_client_assertion(&client("a"), "b", end),
            SingleUse::of_client_assertion(&client("ab"), "", end),
            SingleUse::of_client_assertion(&client("a"), "c", end),
            SingleUse::of_dpop_proof("a", "b", end),
            SingleUse::of_pushed_request(&client("a"), "b", end),
        ];
        for (one, used) in uses.iter().enumerate() {
            for (other, again) in uses.iter().enumerate() {
                assert_eq!(used.hash() == again.hash(), one == other, "{used:?} {again:?}");
            }
        }
        let later = SingleUse::of_dpop_proof("a", "b", Timestamp::MAX);
        assert_eq!(later.hash(), uses[3].hash(), "whatever end it says");
    }
}
