//! Tokens in the data directory at hand, whether kubesso runs from it or not.

use kubesso_ambient::{Clock as _, Entropy, OsEntropy, SystemClock};
use kubesso_directory::{
    ApiToken, ApiTokenId, ApiTokenValue, AuditEvent, AuditEventId, Batch, Change, Outcome, Secret, StoreError,
};

use crate::api_token::{Listed, Made, Wanted, find};
use crate::args::DataDir;
use crate::database::Database;
use crate::environment;
use crate::error::CommandError;

pub(super) async fn create(data: &DataDir, wanted: &Wanted) -> Result<Made, CommandError> {
    let store = open(data).await?;
    let value = ApiTokenValue::generate(&OsEntropy);
    let token = ApiToken {
        id: ApiTokenId::generate(&OsEntropy),
        name: wanted.name.clone(),
        hash: value.hash(),
        roles: wanted.roles.clone(),
        user: None,
        created: SystemClock.now(),
        expires: wanted.expires,
    };
    let audit = audit("system.api_token.create", &token, "created");
    match commit(&store, vec![Change::PutApiToken(token.clone()), audit]).await {
        Err(StoreError::Conflict { .. }) => {
            return Err(CommandError::new(format!("there is an API token called `{}` already", token.name))
                .mend("choose another name, or revoke that one with `kubesso api-token revoke`"));
        }
        result => result.map_err(|e| CommandError::because("no token was made", &e))?,
    }
    let listed = listed(&store, &token).await?;
    store.close().await;
    Ok(Made { listed, token: Secret::new(value.expose()) })
}

pub(super) async fn list(data: &DataDir) -> Result<Vec<Listed>, CommandError> {
    let store = open(data).await?;
    let mut all = Vec::new();
    for token in store.api_tokens().await.map_err(|e| unreadable(&e))? {
        all.push(listed(&store, &token).await?);
    }
    store.close().await;
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

pub(super) async fn revoke(data: &DataDir, wanted: &str) -> Result<Listed, CommandError> {
    let all = list(data).await?;
    let found = find(&all, wanted)?;
    let store = open(data).await?;
    let tokens = store.api_tokens().await.map_err(|e| unreadable(&e))?;
    if let Some(token) = tokens.iter().find(|token| token.id.as_str() == found.id) {
        let changes = vec![
            Change::RemoveApiToken(token.id.clone()),
            audit("system.api_token.revoke", token, "revoked"),
        ];
        commit(&store, changes).await.map_err(|e| CommandError::because("nothing was changed", &e))?;
    }
    store.close().await;
    Ok(found.clone())
}

async fn open(data: &DataDir) -> Result<Database, CommandError> {
    Ok(Database::open_existing(&environment::data_dir(data)?).await?.0)
}

async fn commit(store: &Database, changes: Vec<Change>) -> Result<(), StoreError> {
    store.commit(Batch::new(SystemClock.now(), changes)).await.map(drop)
}

async fn listed(store: &Database, token: &ApiToken) -> Result<Listed, CommandError> {
    let user = match &token.user {
        Some(id) => {
            store.user(id).await.map_err(|e| unreadable(&e))?.map(|user| user.profile.login.to_string())
        }
        None => None,
    };
    Ok(Listed {
        id: token.id.to_string(),
        name: token.name.to_string(),
        roles: token.roles.iter().map(|role| role.as_str().to_owned()).collect(),
        user,
        created: token.created,
        expires: token.expires,
    })
}

fn audit(event_type: &str, token: &ApiToken, verb: &str) -> Change {
    Change::Audit(AuditEvent {
        id: AuditEventId::generate(&OsEntropy as &dyn Entropy),
        published: SystemClock.now(),
        event_type: event_type.to_owned(),
        actor: "system".to_owned(),
        target: Some(token.id.to_string()),
        outcome: Outcome::Success,
        message: format!("the API token {} was {verb} by `kubesso api-token`", token.name),
        details: serde_json::Map::new(),
    })
}

fn unreadable(error: &StoreError) -> CommandError {
    CommandError::because("the directory cannot be read", error)
}
