//! A device's request (RFC 8628 §3.1) as it travels: sealed, inside its device code.

use kubesso_directory::{AccessRequest, GrantId, GrantType, ScopeName, decide};
use serde::{Deserialize, Serialize};

use crate::context::Configuration;
use crate::pkce::CodeChallenge;
use crate::user_code::{IssuedCode, Party};

/// What a device asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeviceRequest {
    /// What its tokens will be of; it tells the device from all others.
    pub(crate) grant: GrantId,
    /// Names the server and the client too.
    pub(crate) user_code: IssuedCode,
    pub(crate) scopes: Vec<ScopeName>,
    pub(crate) code_challenge: Option<CodeChallenge>,
    /// For which resources the tokens will be (RFC 8707); empty: for all of the server.
    #[serde(default)]
    pub(crate) resources: Vec<String>,
}

/// Who may use the grant: each active client that lists it, at each server where some rule allows it to that client.
pub(crate) fn parties(configuration: &Configuration) -> Vec<Party> {
    let grant_type = GrantType::DeviceCode;
    let clients: Vec<_> = configuration
        .snapshot
        .applications()
        .filter(|application| application.status.is_active() && application.grant_types.contains(&grant_type))
        .map(|application| &application.client_id)
        .collect();
    let parties = configuration.snapshot.servers().flat_map(|server| {
        let may = move |client: &&_| {
            decide(server, &AccessRequest { client, grant_type, person: None, scopes: &[] }).is_ok()
        };
        clients.iter().copied().filter(may).map(|client| (server.server.id.clone(), client.clone()))
    });
    parties.collect()
}
