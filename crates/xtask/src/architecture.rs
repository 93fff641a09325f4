//! The arrows between the rooms, and what the rooms that only compute may not know (ARCHITECTURE.md).

use std::collections::BTreeSet;

use anyhow::Result;

use crate::metadata::{self, Named};

/// Each room with the rooms that it may name. An arrow that is not here is refused.
const ARROWS: &[(&str, &[&str])] = &[
    ("ambient", &[]),
    ("token", &[]),
    ("k8s-types", &[]),
    ("authz", &["k8s-types"]),
    ("kubeconfig", &["k8s-types"]),
    ("clusters", &["k8s-types", "kubeconfig"]),
    ("chain", &["clusters", "k8s-types", "kubeconfig"]),
    ("https", &["ambient"]),
    ("keyring", &["ambient"]),
    ("authn", &["ambient", "https", "k8s-types", "token"]),
    ("directory", &["ambient"]),
    ("store-sql", &["ambient", "directory"]),
    ("store-sqlite", &["ambient", "directory", "store-sql"]),
    ("store-postgres", &["ambient", "directory", "store-sql"]),
    ("provider", &["ambient", "directory", "token"]),
    ("okta", &["ambient", "directory", "token"]),
    ("token-cache", &["ambient"]),
    ("kubectl-oidc_login", &["ambient", "token-cache"]),
    ("signin", &["ambient", "https", "k8s-types", "keyring", "kubeconfig", "token", "token-cache"]),
    ("streams", &[]),
    ("doctor", &["ambient", "authn", "authz", "clusters", "https", "k8s-types", "kubeconfig", "streams"]),
    ("sandbox", &["ambient", "authn", "authz", "https", "k8s-types"]),
];

/// Rooms that wire the others together or test them: they may name all.
const UNBOUND: &[&str] = &["cli", "e2e", "fuzz"];

/// Rooms that only compute (`kubeconfig` also reads and writes files, `store-sql` the key's) …
const PURE: &[&str] =
    &["token", "k8s-types", "kubeconfig", "authz", "clusters", "chain", "directory", "store-sql"];

/// … and so link no runtime, no HTTP and no SQL, directly or through others.
const OUTSIDE_WORLD: &[&str] = &["tokio", "axum", "hyper", "reqwest", "sqlx"];

/// Cryptography and TLS that must not be compiled into anything: aws-lc-rs is the one library (deny.toml).
const SECOND_CRYPTO: &[&str] = &["ring", "openssl", "openssl-sys", "native-tls", "rsa"];

/// What breaks the architecture, one sentence each; empty when all is well.
pub(crate) fn violations() -> Result<Vec<String>> {
    let mut found = wrong_arrows(&metadata::members()?);
    for room in PURE {
        for outside in among(OUTSIDE_WORLD, &metadata::linked(&format!("kubesso-{room}"))?) {
            found.push(format!("room {room} only computes, yet it links {outside}"));
        }
    }
    for crypto in among(SECOND_CRYPTO, &metadata::compiled()?) {
        found.push(format!("{crypto} is compiled; aws-lc-rs is the one crypto library"));
    }
    Ok(found)
}

fn wrong_arrows(members: &Named) -> Vec<String> {
    let mut found = Vec::new();
    for (member, named) in members {
        let named = named.iter().filter(|name| members.contains_key(*name));
        let Some(room) = member.strip_prefix("kubesso-") else {
            found.extend(named.map(|name| format!("{member} names {name}; a tool links no room")));
            continue;
        };
        if UNBOUND.contains(&room) {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            found.push(format!("room {room} is not in the architecture; add its arrows to {}", file!()));
            continue;
        };
        let against =
            named.map(|name| name.trim_start_matches("kubesso-")).filter(|name| !allowed.contains(name));
        found.extend(
            against.map(|name| format!("room {room} names {name}, against the direction of the arrows")),
        );
    }
    found
}

fn among<'a>(unwanted: &[&'a str], present: &BTreeSet<String>) -> Vec<&'a str> {
    unwanted.iter().copied().filter(|name| present.contains(*name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(manifests: &[(&str, &[&str])]) -> Named {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        manifests.iter().map(|(name, named)| ((*name).to_owned(), owned(named))).collect()
    }

    #[test]
    fn an_arrow_against_the_direction_is_named() {
        let members = members(&[
            ("kubesso-authz", &["kubesso-k8s-types", "serde"]),
            ("kubesso-directory", &[]),
            ("kubesso-k8s-types", &[]),
            ("kubesso-token", &["kubesso-directory"]),
        ]);
        assert_eq!(
            wrong_arrows(&members),
            ["room token names directory, against the direction of the arrows"]
        );
    }

    #[test]
    fn a_room_without_arrows_and_a_tool_that_links_a_room_are_named() {
        let found = wrong_arrows(&members(&[("kubesso-attic", &[]), ("xtask", &["kubesso-attic"])]));
        assert!(found[0].starts_with("room attic is not in the architecture"), "{found:?}");
        assert_eq!(found[1], "xtask names kubesso-attic; a tool links no room");
    }

    #[test]
    fn the_arrows_go_one_way() {
        for (position, (room, allowed)) in ARROWS.iter().enumerate() {
            let before: Vec<_> = ARROWS[..position].iter().map(|(name, _)| *name).collect();
            assert!(allowed.iter().all(|name| before.contains(name)), "{room} names a room further down");
        }
    }
}
