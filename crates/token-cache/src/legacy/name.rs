//! The names that kubelogin may have given to the entry of a call.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use zeroize::Zeroizing;

use super::gob::{self, Fields, TypeId};
use crate::arguments::{GetTokenArguments, GrantType, PkceMethod};
use crate::key::hex_digest;
use crate::secret::Secret;
use crate::surroundings::Surroundings;
use crate::values::{csv_cells, key_values};

/// What kubelogin hashed for a call: the flags as they were written, not what they mean.
#[derive(Clone, Debug)]
pub struct KubeloginKey {
    pub(super) issuer: String,
    pub(super) client_id: String,
    client_secret: Secret,
    /// As given: without `openid`, with doubles.
    scopes: Vec<String>,
    redirect_url: String,
    pkce: i64,
    pub(super) use_access_token: bool,
    request_headers: BTreeMap<String, String>,
    trusted_files: Vec<PathBuf>,
    trusted_data: Vec<String>,
    skip_verify: bool,
    renegotiation: i64,
    username: String,
    /// None where kubelogin had no map at all, which it told from an empty one.
    extra_parameters: Option<BTreeMap<String, String>>,
}

/// The versions whose keys look different, the latest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Since v1.36.0.
    WithParameters,
    /// v1.34.0 to v1.35.2.
    WithHeaders,
    /// v1.32.4, and others of its time.
    Plain,
}

const SHAPES: [Shape; 3] = [Shape::WithParameters, Shape::WithHeaders, Shape::Plain];

/// A map with more members has too many orders to try.
const MOST_ORDERED: usize = 6;

type Pairs<'a> = Vec<(&'a str, &'a str)>;

impl KubeloginKey {
    /// What kubelogin would have hashed for these flags; none where it would have refused them, or
    /// knows nothing like them.
    pub fn new(arguments: &GetTokenArguments, surroundings: &Surroundings) -> Option<Self> {
        let (provider, tls) = (&arguments.provider, &arguments.tls);
        if provider.profile.as_ref().is_some_and(|profile| !profile.is_empty()) {
            // Whoever names one wants to be somebody else than before.
            return None;
        }
        if provider.no_refresh_token {
            // Its entry would bring one.
            return None;
        }
        let authentication = &arguments.authentication;
        let username = authentication.username.clone().unwrap_or_default();
        let parameters = key_values(&authentication.oidc_auth_request_extra_params).ok()?;
        let given = Some(parameters.clone()).filter(|parameters| !parameters.is_empty());
        let (username, extra_parameters) = match authentication.grant_type {
            GrantType::Auto if !username.is_empty() => (username, None),
            GrantType::Password => (username, None),
            GrantType::Auto | GrantType::Authcode | GrantType::AuthcodeKeyboard => (String::new(), given),
            GrantType::DeviceCode => (String::new(), None),
            GrantType::ClientCredentials => (String::new(), Some(parameters)),
            GrantType::TokenExchange => return None,
        };
        let scopes = provider.oidc_extra_scope.iter().filter(|value| !value.is_empty());
        let home = surroundings.home.as_deref();
        Some(Self {
            issuer: arguments.oidc_issuer_url.as_str().to_owned(),
            client_id: arguments.oidc_client_id.clone(),
            client_secret: provider.oidc_client_secret.clone().unwrap_or_else(|| String::new().into()),
            scopes: scopes.flat_map(|value| csv_cells(value)).collect(),
            redirect_url: provider.oidc_redirect_url.clone().unwrap_or_default(),
            pkce: match provider.oidc_pkce_method {
                _ if provider.oidc_use_pkce => 2,
                PkceMethod::Auto => 0,
                PkceMethod::No => 1,
                PkceMethod::S256 => 2,
            },
            use_access_token: provider.oidc_use_access_token,
            request_headers: key_values(&provider.oidc_request_header).ok()?,
            trusted_files: tls.certificate_authority.iter().map(|path| expand_home(path, home)).collect(),
            trusted_data: tls.certificate_authority_data.clone(),
            skip_verify: tls.insecure_skip_tls_verify,
            renegotiation: match (tls.tls_renegotiation_once, tls.tls_renegotiation_freely) {
                (true, _) => 1,
                (false, true) => 2,
                (false, false) => 0,
            },
            username,
            extra_parameters,
        })
    }

    /// The possible names, the likeliest first, and not more than `most` of them.
    pub fn names(&self, most: usize) -> Vec<String> {
        let names = RefCell::new(Vec::new());
        let _ = self.find_name(|name| {
            let mut names = names.borrow_mut();
            names.push(name.to_owned());
            names.len() >= most
        });
        names.into_inner()
    }

    /// The first of the possible names that is wanted.
    pub(super) fn find_name(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        SHAPES.into_iter().find_map(|shape| self.find_name_of(shape, &wanted))
    }

    pub(super) fn find_name_of(&self, shape: Shape, wanted: impl Fn(&str) -> bool) -> Option<String> {
        if shape == Shape::Plain && !(self.redirect_url.is_empty() && self.request_headers.is_empty()) {
            return None;
        }
        let definitions = shape.definitions();
        let headers: Pairs<'_> = pairs(&self.request_headers);
        let parameters = self.extra_parameters.as_ref().filter(|_| shape == Shape::WithParameters).map(pairs);
        let (mut found, mut all) = (None, headers.clone());
        each_order(&mut all, &mut |headers| {
            let mut name = |parameters: Option<&[(&str, &str)]>| {
                let name = self.name(shape, &definitions, headers, parameters);
                found = wanted(&name).then_some(name);
                found.is_some()
            };
            match parameters.clone() {
                Some(mut parameters) => each_order(&mut parameters, &mut |order| name(Some(order))),
                None => name(None),
            }
        });
        found
    }

    fn name(
        &self,
        shape: Shape,
        definitions: &[u8],
        headers: &[(&str, &str)],
        parameters: Option<&[(&str, &str)]>,
    ) -> String {
        let mut provider = Fields::default();
        provider
            .string(self.issuer.as_bytes())
            .string(self.client_id.as_bytes())
            .string(self.client_secret.expose().as_bytes())
            .strings(&self.scopes);
        if shape != Shape::Plain {
            provider.string(self.redirect_url.as_bytes());
        }
        provider.int(self.pkce).boolean(self.use_access_token);
        if shape != Shape::Plain {
            provider.map((!headers.is_empty()).then_some(headers));
        }
        let files: Vec<_> =
            self.trusted_files.iter().map(|path| path.as_os_str().as_encoded_bytes()).collect();
        let mut tls = Fields::default();
        tls.strings(&files).strings(&self.trusted_data).boolean(self.skip_verify).int(self.renegotiation);
        let mut key = Fields::default();
        key.nested(provider).nested(tls).string(self.username.as_bytes());
        if shape == Shape::WithParameters {
            key.map(parameters);
        }
        let mut stream = Zeroizing::new(definitions.to_vec());
        stream.extend(gob::value(KEY, key));
        hex_digest(&stream)
    }
}

/// kubelogin's types, numbered as gob meets them: the key, its first field, that one's fields, its second field.
const KEY: TypeId = TypeId::met(0);
const PROVIDER: TypeId = TypeId::met(1);
const STRINGS: TypeId = TypeId::met(2);
const MAP: TypeId = TypeId::met(3);

impl Shape {
    /// The messages that define the types: the same for every value, so that they are a constant of the version.
    pub(super) fn definitions(self) -> Vec<u8> {
        let plain = self == Self::Plain;
        let config = TypeId::met(if plain { 3 } else { 4 });
        let mut key = vec![("Provider", PROVIDER), ("TLSClientConfig", config), ("Username", gob::STRING)];
        if self == Self::WithParameters {
            key.push(("AuthRequestExtraParams", MAP));
        }
        let mut provider = vec![
            ("IssuerURL", gob::STRING),
            ("ClientID", gob::STRING),
            ("ClientSecret", gob::STRING),
            ("ExtraScopes", STRINGS),
        ];
        if !plain {
            provider.push(("RedirectURL", gob::STRING));
        }
        provider.extend([("PKCEMethod", gob::INT), ("UseAccessToken", gob::BOOL)]);
        if !plain {
            provider.push(("RequestHeaders", MAP));
        }
        let tls = [
            ("CACertFilename", STRINGS),
            ("CACertData", STRINGS),
            ("SkipTLSVerify", gob::BOOL),
            ("Renegotiation", gob::INT),
        ];
        let map = if plain { Vec::new() } else { gob::define_string_map(MAP) };
        [
            gob::define_struct(KEY, "Key", &key),
            gob::define_struct(PROVIDER, "Provider", &provider),
            gob::define_strings(STRINGS),
            map,
            gob::define_struct(config, "Config", &tls),
        ]
        .concat()
    }
}

fn pairs(map: &BTreeMap<String, String>) -> Pairs<'_> {
    map.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

/// Calls `visit` with every order of `items`, until it says that it has what it wants; says whether it does.
fn each_order<T>(items: &mut [T], visit: &mut impl FnMut(&[T]) -> bool) -> bool {
    fn orders<T>(items: &mut [T], settled: usize, visit: &mut impl FnMut(&[T]) -> bool) -> bool {
        if settled + 1 >= items.len() {
            return visit(items);
        }
        for next in settled..items.len() {
            items.swap(settled, next);
            let done = orders(items, settled + 1, visit);
            items.swap(settled, next);
            if done {
                return true;
            }
        }
        false
    }

    items.len() <= MOST_ORDERED && orders(items, 0, visit)
}

/// kubelogin's reading of `~`, which also takes `~name` for a folder of one's own home, and tidies the path.
fn expand_home(path: &Path, home: Option<&Path>) -> PathBuf {
    let (Some(rest), Some(home)) = (path.to_str().and_then(|text| text.strip_prefix('~')), home) else {
        return path.to_owned();
    };
    let mut tidy = home.to_owned();
    for component in Path::new(rest.trim_start_matches(std::path::is_separator)).components() {
        match component {
            Component::ParentDir => drop(tidy.pop()),
            Component::Normal(name) => tidy.push(name),
            Component::CurDir | Component::Prefix(_) | Component::RootDir => {}
        }
    }
    tidy
}
