//! What the directory's stores on SQL databases have in common.
//!
//! A store brings connections ([`Connection`]) in the three ways of [`Database`], says how its SQL differs
//! ([`Dialect`]), and keeps the tables that the statements here name. From that, [`store_by_sql!`] makes its
//! `kubesso_directory::Store`. No database is named here, and no runtime.

mod administration;
mod authorization_codes;
mod changes;
mod configuration;
mod connection;
mod consents;
mod contradiction;
mod devices;
mod dialect;
mod grants;
mod housekeeping;
mod initial_access_tokens;
mod inspection;
mod logout_deliveries;
mod people;
mod row;
mod sessions;
mod single_uses;
mod statement;
mod store;
mod tables;
mod throttling;
mod transfer;

pub mod master_key;
pub mod search;

pub use changes::JOIN_EVERYONE;
pub use connection::{Columns, Connection, Database, ErrorKind, Record, SqlError};
pub use dialect::Dialect;
pub use inspection::Inspection;
pub use people::MEMBERS;
pub use statement::{Statement, Value};
pub use tables::{Column, Kind, Table, tables};
pub use transfer::{TransferError, transfer};

#[doc(hidden)]
pub use async_trait::async_trait;
#[doc(hidden)]
pub use kubesso_ambient::TRACES;
#[doc(hidden)]
pub use tracing;

/// What [`store_by_sql!`] names.
#[doc(hidden)]
pub mod names {
    pub use jiff::Timestamp;
    pub use kubesso_directory::{
        ApiToken, ApplicationId, Attempt, AuditEvent, AuditQuery, AuthorizationCode, Batch, ConsentGrant,
        DeliveryOutcome, DeviceDecision, DeviceRefusal, EndReason, FamilyQuery, GrantId, Group, GroupId,
        GroupName, GroupQuery, GroupRule, GroupRuleId, InitialAccessToken, Login, LogoutDelivery,
        OneTimeToken, Page, PasswordHash, Person, Purged, Redemption, RefreshFamily, RefreshTerms,
        RefreshToken, Revision, RoleAssignment, RoleHolder, Rotation, Sealed, Session, SessionId, SingleUse,
        Snapshot, Store, StoreError, ThrottleKey, ThrottleRule, TokenHash, User, UserAssignment, UserId,
        UserQuery,
    };
}

/// What a store does, one function a method, for [`store_by_sql!`].
#[doc(hidden)]
pub mod work {
    pub use crate::administration::*;
    pub use crate::authorization_codes::*;
    pub use crate::changes::apply;
    pub use crate::configuration::*;
    pub use crate::consents::consents;
    pub use crate::devices::*;
    pub use crate::grants::*;
    pub use crate::housekeeping::*;
    pub use crate::initial_access_tokens::{initial_access_tokens, use_initial_access_token};
    pub use crate::logout_deliveries::{finish_delivery, next_due, take_deliveries};
    pub use crate::people::*;
    pub use crate::sessions::*;
    pub use crate::single_uses::*;
    pub use crate::throttling::*;
}

use kubesso_directory::StoreError;

/// Makes a store error of what the database says.
pub fn database(what: &'static str) -> impl Fn(SqlError) -> StoreError {
    move |error| match error.kind() {
        ErrorKind::UnstorableText => StoreError::UnstorableText,
        _ => StoreError::Database { what, source: Box::new(error) },
    }
}
