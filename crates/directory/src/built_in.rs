//! What every directory has, whatever else is in it.

use kubesso_ambient::{Clock, Entropy};

use crate::group::{Group, GroupType};
use crate::store::{Batch, Change, Expectation, Store, StoreError};
use crate::{GroupName, NameError};

/// Why the built-in objects are not there.
#[derive(Debug, thiserror::Error)]
pub enum BuiltInError {
    /// A name that cannot be one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The store did not take them.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An administrator has a group of that name.
    #[error("there is a group called `{0}` that is not the built-in one: rename it, and start again")]
    NameTaken(&'static str),
}

/// The built-in group that everybody is in, made if the directory is from a time before it had one.
pub async fn everyone(
    store: &dyn Store,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Group, BuiltInError> {
    let name = GroupName::parse(Group::EVERYONE)?;
    for _ in 0..2 {
        match store.group_by_name(&name).await? {
            Some(group) if group.group_type == GroupType::BuiltIn => return Ok(group),
            Some(_) => return Err(BuiltInError::NameTaken(Group::EVERYONE)),
            None => {}
        }
        let now = clock.now();
        let group = Group::everyone(entropy, now)?;
        let batch = Batch::new(now, vec![Change::PutGroup(group.clone())]).expecting(Expectation::Any);
        match store.commit(batch).await {
            Ok(_) => return Ok(group),
            // Another replica was faster.
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(BuiltInError::NameTaken(Group::EVERYONE))
}
