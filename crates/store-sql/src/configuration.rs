//! Reading the configuration: one query a table, all in one transaction.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use kubesso_directory::{
    Application, ApplicationType, AuthorizationServer, Claim, ClaimType, ClaimValue, ClientAuthentication,
    ClientKeys, ClientSecret, Configuration, Expression, FilterType, GroupAssignment, GroupFilter, KeyState,
    Lifetimes, Policy, RefreshRotation, Revision, Rule, Scope, Sealed, SigningKeyRecord, Snapshot, Status,
    StoreError, TokenHash,
};

use crate::connection::{Connection, Record};
use crate::database;
use crate::row::Row;
use crate::statement::Statement;

/// Does `Store::revision`.
pub async fn revision(connection: &mut dyn Connection) -> Result<Revision, StoreError> {
    let row = Statement::new("SELECT revision FROM directory")
        .fetch_one(connection)
        .await
        .map_err(database("read the revision"))?;
    Row::new(&row, "directory", "id").number("revision").map(Revision)
}

/// Does `Store::key_check`.
pub async fn key_check(connection: &mut dyn Connection) -> Result<Sealed, StoreError> {
    let row = Statement::new("SELECT sealed_check FROM directory")
        .fetch_one(connection)
        .await
        .map_err(database("read what says which key is right"))?;
    Row::new(&row, "directory", "id").blob("sealed_check").map(Sealed::from_bytes)
}

/// Reads everything; `connection` is in a transaction.
pub async fn snapshot(connection: &mut dyn Connection) -> Result<Snapshot, StoreError> {
    let revision = revision(connection).await?;
    let mut secrets: BTreeMap<String, Vec<ClientSecret>> = BTreeMap::new();
    for row in rows(connection, "SELECT * FROM client_secrets ORDER BY created, id").await? {
        let (application, secret) = client_secret(&row)?;
        secrets.entry(application).or_default().push(secret);
    }
    let mut applications = Vec::new();
    for row in rows(connection, "SELECT * FROM applications").await? {
        applications.push(application(&row, &mut secrets)?);
    }
    Ok(Snapshot::new(Configuration {
        revision,
        applications,
        group_assignments: all(connection, "SELECT * FROM application_groups", group_assignment).await?,
        servers: all(connection, "SELECT * FROM authorization_servers", server).await?,
        scopes: all(connection, "SELECT * FROM scopes", scope).await?,
        claims: all(connection, "SELECT * FROM claims", claim).await?,
        policies: all(connection, "SELECT * FROM policies", policy).await?,
        rules: all(connection, "SELECT * FROM rules", rule).await?,
        keys: all(connection, "SELECT * FROM signing_keys", signing_key).await?,
    }))
}

async fn rows(connection: &mut dyn Connection, sql: &'static str) -> Result<Vec<Record>, StoreError> {
    Statement::new(sql).fetch_all(connection).await.map_err(database("read the configuration"))
}

async fn all<T>(
    connection: &mut dyn Connection,
    sql: &'static str,
    read: fn(&Record) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    rows(connection, sql).await?.iter().map(read).collect()
}

fn client_secret(row: &Record) -> Result<(String, ClientSecret), StoreError> {
    let row = Row::new(row, "client secret", "id");
    let secret = ClientSecret {
        id: row.parsed("id")?,
        hash: row.bytes("hash", TokenHash::from_bytes)?,
        sealed: Sealed::from_bytes(row.blob("sealed")?),
        status: row.known("status", Status::parse)?,
        created: row.time("created")?,
    };
    Ok((row.text("application_id")?, secret))
}

fn application(
    row: &Record,
    secrets: &mut BTreeMap<String, Vec<ClientSecret>>,
) -> Result<Application, StoreError> {
    let row = Row::new(row, "application", "id");
    let method = row.text("token_endpoint_auth_method")?;
    let secrets = secrets.remove(&row.text("id")?).unwrap_or_default();
    let authentication = match method.as_str() {
        "none" => ClientAuthentication::None,
        "client_secret_basic" => ClientAuthentication::ClientSecretBasic(secrets),
        "client_secret_post" => ClientAuthentication::ClientSecretPost(secrets),
        "private_key_jwt" => ClientAuthentication::PrivateKeyJwt(client_keys(&row)?),
        "self_signed_tls_client_auth" => ClientAuthentication::SelfSignedTls(client_keys(&row)?),
        "tls_client_auth" => ClientAuthentication::Tls(row.json("certificate_subject")?),
        other => {
            return Err(row.corrupt("token_endpoint_auth_method", format_args!("`{other}` is not known")));
        }
    };
    let application_type: ApplicationType = row.word("application_type")?;
    Ok(Application {
        id: row.parsed("id")?,
        client_id: row.parsed("client_id")?,
        label: row.parsed("label")?,
        status: row.known("status", Status::parse)?,
        application_type,
        authentication,
        pkce_required: row.flag("pkce_required")?,
        grant_types: row.json("grant_types")?,
        response_types: row.json("response_types")?,
        redirect_uris: row.json("redirect_uris")?,
        post_logout_redirect_uris: row.json("post_logout_redirect_uris")?,
        refresh_rotation: match row.optional_number::<i64>("refresh_leeway_ms")? {
            Some(leeway) => RefreshRotation::Rotate { leeway: SignedDuration::from_millis(leeway) },
            None => RefreshRotation::Static,
        },
        api_scopes: row.json("api_scopes")?,
        other: row.json("other")?,
        created: row.time("created")?,
        last_updated: row.time("last_updated")?,
    })
}

fn client_keys(row: &Row<'_>) -> Result<ClientKeys, StoreError> {
    Ok(match row.optional_text("jwks_uri")? {
        Some(uri) => ClientKeys::At(uri.parse().map_err(|error| row.corrupt("jwks_uri", error))?),
        None => ClientKeys::Inline(row.json("jwks")?),
    })
}

fn group_assignment(row: &Record) -> Result<GroupAssignment, StoreError> {
    let row = Row::new(row, "assignment", "group_id");
    Ok(GroupAssignment {
        application: row.parsed("application_id")?,
        group: row.parsed("group_id")?,
        priority: row.number("priority")?,
        profile: row.json("profile")?,
        last_updated: row.time("last_updated")?,
    })
}

fn server(row: &Record) -> Result<AuthorizationServer, StoreError> {
    let row = Row::new(row, "authorization server", "id");
    Ok(AuthorizationServer {
        id: row.parsed("id")?,
        name: row.parsed("name")?,
        description: row.text("description")?,
        audiences: row.json("audiences")?,
        status: row.known("status", Status::parse)?,
        rotation_mode: row.word("rotation_mode")?,
        issuer_mode: row.word("issuer_mode")?,
        algorithm: row.text("algorithm")?,
        created: row.time("created")?,
        last_updated: row.time("last_updated")?,
    })
}

fn scope(row: &Record) -> Result<Scope, StoreError> {
    let row = Row::new(row, "scope", "id");
    Ok(Scope {
        id: row.parsed("id")?,
        server: row.parsed("server_id")?,
        name: row.parsed("name")?,
        display_name: row.optional_text("display_name")?,
        description: row.text("description")?,
        consent: row.word("consent")?,
        metadata_publish: row.word("metadata_publish")?,
        default: row.flag("is_default")?,
        optional: row.flag("optional")?,
        system: row.flag("system")?,
    })
}

fn claim(row: &Record) -> Result<Claim, StoreError> {
    let row = Row::new(row, "claim", "id");
    let value = row.text("value")?;
    let value = match row.optional_text("group_filter_type")? {
        None => ClaimValue::Expression(Expression::new(value)),
        Some(kind) => {
            let kind = FilterType::parse(&kind)
                .ok_or_else(|| row.corrupt("group_filter_type", format_args!("`{kind}` is not known")))?;
            ClaimValue::Groups(GroupFilter::new(kind, value).map_err(|error| row.corrupt("value", error))?)
        }
    };
    Ok(Claim {
        id: row.parsed("id")?,
        server: row.parsed("server_id")?,
        name: row.parsed("name")?,
        status: row.known("status", Status::parse)?,
        claim_type: row.known("claim_type", ClaimType::parse)?,
        value,
        always_include_in_token: row.flag("always_include_in_token")?,
        scopes: row.json("scopes")?,
        system: row.flag("system")?,
    })
}

fn policy(row: &Record) -> Result<Policy, StoreError> {
    let row = Row::new(row, "policy", "id");
    Ok(Policy {
        id: row.parsed("id")?,
        server: row.parsed("server_id")?,
        name: row.parsed("name")?,
        description: row.text("description")?,
        status: row.known("status", Status::parse)?,
        priority: row.number("priority")?,
        clients: row.json("clients")?,
        system: row.flag("system")?,
        created: row.time("created")?,
        last_updated: row.time("last_updated")?,
    })
}

fn rule(row: &Record) -> Result<Rule, StoreError> {
    let row = Row::new(row, "policy rule", "id");
    let lifetimes = Lifetimes::new(
        row.number("access_token_minutes")?,
        row.number("refresh_token_minutes")?,
        row.number("refresh_window_minutes")?,
        row.optional_number("id_token_minutes")?,
    )
    .map_err(|error| row.corrupt("lifetimes", error))?;
    Ok(Rule {
        id: row.parsed("id")?,
        policy: row.parsed("policy_id")?,
        name: row.parsed("name")?,
        status: row.known("status", Status::parse)?,
        priority: row.number("priority")?,
        grant_types: row.json("grant_types")?,
        people: row.json("people")?,
        scopes: row.json("scopes")?,
        lifetimes,
        system: row.flag("system")?,
        created: row.time("created")?,
        last_updated: row.time("last_updated")?,
    })
}

fn signing_key(row: &Record) -> Result<SigningKeyRecord, StoreError> {
    let row = Row::new(row, "signing key", "kid");
    let time = row.time("state_time")?;
    let state = match row.text("state")?.as_str() {
        "PUBLISHED" => KeyState::Pending { since: time },
        "SIGNING" => KeyState::Active { since: time },
        "RETIRED" => KeyState::Retiring { until: time },
        "REVOKED" => KeyState::Revoked { at: time },
        other => return Err(row.corrupt("state", format_args!("`{other}` is not known"))),
    };
    Ok(SigningKeyRecord {
        kid: row.parsed("kid")?,
        server: row.parsed("server_id")?,
        algorithm: row.text("algorithm")?,
        public_jwk: row.json("public_jwk")?,
        sealed_pkcs8: Sealed::from_bytes(row.blob("sealed_pkcs8")?),
        state,
        created: row.time("created")?,
    })
}
