//! What unit tests share.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Parser;
use jiff::Timestamp;

use crate::arguments::GetTokenArguments;
use crate::cache::Entry;
use crate::cache::EntryPaths;
use crate::call::Call;
use crate::surroundings::Surroundings;

/// `get-token` alone, as the plugin parses it.
#[derive(Debug, Parser)]
struct GetToken {
    #[command(flatten)]
    arguments: GetTokenArguments,
}

/// The arguments of a `get-token` with `flags`.
pub(crate) fn try_get_token(flags: &[&str]) -> Result<GetTokenArguments, clap::Error> {
    let always = ["get-token", "--oidc-issuer-url=https://idp.example.com", "--oidc-client-id=k8s"];
    GetToken::try_parse_from(always.iter().chain(flags)).map(|command| command.arguments)
}

pub(crate) fn get_token(flags: &[&str]) -> GetTokenArguments {
    try_get_token(flags).unwrap()
}

/// A home and no variables.
pub(crate) fn surroundings() -> Surroundings {
    Surroundings::of(BTreeMap::new(), Some("/home/dev".into()))
}

/// The files of an entry in `directory`, which is there.
pub(crate) fn paths(directory: &Path) -> EntryPaths {
    let flag = format!("--token-cache-dir={}", directory.display());
    Call::new(&get_token(&[&flag]), &surroundings()).unwrap().paths.unwrap()
}

/// An entry whose token has `claims`.
pub(crate) fn entry(claims: &serde_json::Value) -> Entry {
    let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
    Entry {
        token: format!("e30.{payload}.c2ln").into(),
        issued_at: Timestamp::from_second(100).ok(),
        expires_at: Timestamp::from_second(200).unwrap(),
        refresh_token: None,
        scope: None,
    }
}
