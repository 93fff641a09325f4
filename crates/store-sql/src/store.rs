//! The store trait from the functions of this room.

/// Implements `kubesso_directory::Store` for a type that is a [`Database`](crate::Database).
#[macro_export]
macro_rules! store_by_sql {
    ($store:ty) => {
        const _: () = {
            use $crate::names::*;

            #[$crate::async_trait]
            impl Store for $store {
                async fn revision(&self) -> Result<Revision, StoreError> {
                    $crate::read!("revision", self, read, |connection| $crate::work::revision(connection))
                }

                async fn key_check(&self) -> Result<Sealed, StoreError> {
                    $crate::read!("key_check", self, read, |connection| $crate::work::key_check(connection))
                }

                async fn snapshot(&self) -> Result<Snapshot, StoreError> {
                    $crate::read!("snapshot", self, read_at_once, |connection| $crate::work::snapshot(
                        connection
                    ))
                }

                async fn commit(&self, batch: Batch) -> Result<Revision, StoreError> {
                    $crate::written!("commit", self, |transaction| $crate::work::apply(transaction, &batch))
                }

                async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
                    $crate::read!("user", self, read, |connection| $crate::work::user_by_id(connection, id))
                }

                async fn user_by_login(&self, login: &Login) -> Result<Option<User>, StoreError> {
                    $crate::read!("user_by_login", self, read, |connection| $crate::work::user_by_login(
                        connection, login
                    ))
                }

                async fn person(&self, id: &UserId) -> Result<Option<Person>, StoreError> {
                    $crate::read!("person", self, read_at_once, |connection| $crate::work::person(
                        connection, id
                    ))
                }

                async fn users(&self, page: Page<'_, UserId>) -> Result<Vec<User>, StoreError> {
                    $crate::read!("users", self, read, |connection| $crate::work::list_users(
                        connection, page
                    ))
                }

                async fn find_users(&self, query: &UserQuery<'_>) -> Result<Vec<User>, StoreError> {
                    $crate::read!("find_users", self, read, |connection| $crate::search::users(
                        connection, query
                    ))
                }

                async fn password_hash(&self, id: &UserId) -> Result<Option<PasswordHash>, StoreError> {
                    $crate::read!("password_hash", self, read, |connection| $crate::work::password_hash(
                        connection, id
                    ))
                }

                async fn old_passwords(
                    &self,
                    id: &UserId,
                    limit: u32,
                ) -> Result<Vec<PasswordHash>, StoreError> {
                    $crate::read!("old_passwords", self, read, |connection| $crate::work::old_passwords(
                        connection, id, limit
                    ))
                }

                async fn consents(
                    &self,
                    user: &UserId,
                    application: Option<&ApplicationId>,
                ) -> Result<Vec<ConsentGrant>, StoreError> {
                    $crate::read!("consents", self, read, |connection| {
                        $crate::work::consents(connection, user, application)
                    })
                }

                async fn group(&self, id: &GroupId) -> Result<Option<Group>, StoreError> {
                    $crate::read!("group", self, read, |connection| $crate::work::group_by_id(connection, id))
                }

                async fn group_by_name(&self, name: &GroupName) -> Result<Option<Group>, StoreError> {
                    $crate::read!("group_by_name", self, read, |connection| $crate::work::group_by_name(
                        connection, name
                    ))
                }

                async fn groups(&self, page: Page<'_, GroupId>) -> Result<Vec<Group>, StoreError> {
                    $crate::read!("groups", self, read, |connection| $crate::work::list_groups(
                        connection, page
                    ))
                }

                async fn find_groups(&self, query: &GroupQuery<'_>) -> Result<Vec<Group>, StoreError> {
                    $crate::read!("find_groups", self, read, |connection| $crate::search::groups(
                        connection, query
                    ))
                }

                async fn group_rules(&self) -> Result<Vec<GroupRule>, StoreError> {
                    $crate::read!("group_rules", self, read, |connection| $crate::work::group_rules(
                        connection
                    ))
                }

                async fn rule_memberships(
                    &self,
                    user: &UserId,
                ) -> Result<Vec<(GroupRuleId, GroupId)>, StoreError> {
                    $crate::read!(
                        "rule_memberships",
                        self,
                        read,
                        |connection| $crate::work::rule_memberships(connection, user)
                    )
                }

                async fn rule_members(
                    &self,
                    rule: &GroupRuleId,
                    page: Page<'_, UserId>,
                ) -> Result<Vec<(UserId, GroupId)>, StoreError> {
                    $crate::read!("rule_members", self, read, |connection| $crate::work::rule_members(
                        connection, rule, page
                    ))
                }

                async fn members(
                    &self,
                    group: &GroupId,
                    page: Page<'_, UserId>,
                ) -> Result<Vec<User>, StoreError> {
                    $crate::read!("members", self, read, |connection| $crate::work::members(
                        connection, group, page
                    ))
                }

                async fn assigned_users(
                    &self,
                    application: &ApplicationId,
                    page: Page<'_, UserId>,
                ) -> Result<Vec<UserAssignment>, StoreError> {
                    $crate::read!("assigned_users", self, read, |connection| {
                        $crate::work::assigned_users(connection, application, page)
                    })
                }

                async fn user_assignment(
                    &self,
                    application: &ApplicationId,
                    user: &UserId,
                ) -> Result<Option<UserAssignment>, StoreError> {
                    $crate::read!("user_assignment", self, read, |connection| {
                        $crate::work::user_assignment(connection, application, user)
                    })
                }

                async fn api_token(&self, hash: &TokenHash) -> Result<Option<ApiToken>, StoreError> {
                    $crate::read!("api_token", self, read, |connection| $crate::work::api_token(
                        connection, hash
                    ))
                }

                async fn api_tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
                    $crate::read!("api_tokens", self, read, |connection| $crate::work::api_tokens(connection))
                }

                async fn initial_access_tokens(&self) -> Result<Vec<InitialAccessToken>, StoreError> {
                    $crate::read!("initial_access_tokens", self, read, |connection| {
                        $crate::work::initial_access_tokens(connection)
                    })
                }

                async fn use_initial_access_token(
                    &self,
                    hash: &TokenHash,
                    now: Timestamp,
                ) -> Result<Option<InitialAccessToken>, StoreError> {
                    $crate::written!("use_initial_access_token", self, |transaction| {
                        $crate::work::use_initial_access_token(transaction, hash, now)
                    })
                }

                async fn roles_of(&self, holder: &RoleHolder) -> Result<Vec<RoleAssignment>, StoreError> {
                    $crate::read!("roles_of", self, read, |connection| $crate::work::roles_of(
                        connection, holder
                    ))
                }

                async fn roles(&self) -> Result<Vec<RoleAssignment>, StoreError> {
                    $crate::read!("roles", self, read, |connection| $crate::work::roles(connection))
                }

                async fn take_one_time_token(
                    &self,
                    hash: &TokenHash,
                    now: Timestamp,
                ) -> Result<Option<OneTimeToken>, StoreError> {
                    $crate::written!("take_one_time_token", self, |transaction| {
                        $crate::work::take_one_time_token(transaction, hash, now)
                    })
                }

                async fn one_time_token(
                    &self,
                    hash: &TokenHash,
                    now: Timestamp,
                ) -> Result<Option<OneTimeToken>, StoreError> {
                    $crate::read!("one_time_token", self, read, |connection| $crate::work::one_time_token(
                        connection, hash, now
                    ))
                }

                async fn begin_session(&self, session: &Session) -> Result<(), StoreError> {
                    $crate::written!("begin_session", self, |transaction| $crate::work::begin_session(
                        transaction,
                        session
                    ))
                }

                async fn use_session(
                    &self,
                    token: &TokenHash,
                    now: Timestamp,
                ) -> Result<Option<Session>, StoreError> {
                    $crate::written!("use_session", self, write_guarded, |transaction| {
                        $crate::work::use_session(transaction, token, now)
                    })
                }

                async fn session(&self, id: &SessionId) -> Result<Option<Session>, StoreError> {
                    $crate::read!("session", self, read, |connection| $crate::work::session_by_id(
                        connection, id
                    ))
                }

                async fn sessions_of(&self, user: &UserId) -> Result<Vec<Session>, StoreError> {
                    $crate::read!("sessions_of", self, read, |connection| $crate::work::sessions_of(
                        connection, user
                    ))
                }

                async fn end_session(&self, token: &TokenHash) -> Result<bool, StoreError> {
                    $crate::written!("end_session", self, |transaction| $crate::work::end_session(
                        transaction,
                        token
                    ))
                }

                async fn add_code(&self, code: &AuthorizationCode) -> Result<(), StoreError> {
                    $crate::written!("add_code", self, |transaction| $crate::work::add_code(
                        transaction,
                        code
                    ))
                }

                async fn code(
                    &self,
                    hash: &TokenHash,
                    now: Timestamp,
                ) -> Result<Option<AuthorizationCode>, StoreError> {
                    $crate::read!("code", self, read, |connection| $crate::work::code(connection, hash, now))
                }

                async fn redeem_code(
                    &self,
                    hash: &TokenHash,
                    family: Option<&RefreshFamily>,
                    now: Timestamp,
                ) -> Result<Redemption, StoreError> {
                    $crate::written!("redeem_code", self, |transaction| $crate::work::redeem_code(
                        transaction,
                        hash,
                        family,
                        now
                    ))
                }

                async fn add_device_decision(&self, decision: &DeviceDecision) -> Result<bool, StoreError> {
                    $crate::written!("add_device_decision", self, |transaction| $crate::work::add_decision(
                        transaction,
                        decision
                    ))
                }

                async fn device_decision(
                    &self,
                    user_code: &TokenHash,
                ) -> Result<Option<DeviceDecision>, StoreError> {
                    $crate::read!("device_decision", self, read, |connection| $crate::work::decision(
                        connection, user_code
                    ))
                }

                async fn redeem_device_code(
                    &self,
                    user_code: &TokenHash,
                    family: &RefreshFamily,
                    now: Timestamp,
                ) -> Result<Result<(), DeviceRefusal>, StoreError> {
                    $crate::written!("redeem_device_code", self, |transaction| $crate::work::redeem(
                        transaction,
                        user_code,
                        family,
                        now
                    ))
                }

                async fn begin_family(&self, family: &RefreshFamily) -> Result<(), StoreError> {
                    $crate::written!("begin_family", self, |transaction| $crate::work::insert_family(
                        transaction,
                        family
                    ))
                }

                async fn refresh_family(
                    &self,
                    token: &RefreshToken,
                ) -> Result<Option<RefreshFamily>, StoreError> {
                    $crate::read!("refresh_family", self, read, |connection| $crate::work::refresh_family(
                        connection, token
                    ))
                }

                async fn families(&self, query: &FamilyQuery<'_>) -> Result<Vec<RefreshFamily>, StoreError> {
                    $crate::read!("families", self, read, |connection| $crate::work::families(
                        connection, query
                    ))
                }

                async fn rotate_refresh_token(
                    &self,
                    token: &RefreshToken,
                    terms: &RefreshTerms,
                    now: Timestamp,
                ) -> Result<Rotation, StoreError> {
                    $crate::written!("rotate_refresh_token", self, write_guarded, |transaction| {
                        $crate::work::rotate(transaction, token, terms, now)
                    })
                }

                async fn end_family(&self, grant: &GrantId, now: Timestamp) -> Result<bool, StoreError> {
                    $crate::written!("end_family", self, |transaction| $crate::work::end(
                        transaction,
                        grant.as_str(),
                        EndReason::Revoked,
                        now
                    ))
                }

                async fn has_grant_ended(&self, grant: &GrantId) -> Result<bool, StoreError> {
                    $crate::read!("has_grant_ended", self, read, |connection| $crate::work::has_ended(
                        connection, grant
                    ))
                }

                async fn use_once(&self, what: &SingleUse, now: Timestamp) -> Result<bool, StoreError> {
                    $crate::written!("use_once", self, |transaction| $crate::work::use_once(
                        transaction,
                        what,
                        now
                    ))
                }

                async fn was_used(&self, what: &SingleUse, now: Timestamp) -> Result<bool, StoreError> {
                    $crate::read!("was_used", self, read, |connection| $crate::work::was_used(
                        connection, what, now
                    ))
                }

                async fn next_logout_delivery(&self) -> Result<Option<Timestamp>, StoreError> {
                    $crate::read!("next_logout_delivery", self, read, |connection| $crate::work::next_due(
                        connection
                    ))
                }

                async fn take_logout_deliveries(
                    &self,
                    limit: u32,
                    now: Timestamp,
                    until: Timestamp,
                ) -> Result<Vec<LogoutDelivery>, StoreError> {
                    $crate::written!("take_logout_deliveries", self, |transaction| {
                        $crate::work::take_deliveries(transaction, limit, now, until)
                    })
                }

                async fn finish_logout_delivery(
                    &self,
                    delivery: &LogoutDelivery,
                    outcome: &DeliveryOutcome,
                ) -> Result<bool, StoreError> {
                    $crate::written!("finish_logout_delivery", self, |transaction| {
                        $crate::work::finish_delivery(transaction, delivery, outcome)
                    })
                }

                async fn attempt(
                    &self,
                    key: &ThrottleKey,
                    rule: &ThrottleRule,
                    now: Timestamp,
                ) -> Result<Attempt, StoreError> {
                    $crate::written!("attempt", self, write_guarded, |transaction| $crate::work::attempt(
                        transaction,
                        key,
                        rule,
                        now
                    ))
                }

                async fn forget_attempts(&self, key: &ThrottleKey) -> Result<u32, StoreError> {
                    $crate::written!("forget_attempts", self, |transaction| $crate::work::forget_attempts(
                        transaction,
                        key
                    ))
                }

                async fn take_back_attempts(&self, key: &ThrottleKey, number: u32) -> Result<(), StoreError> {
                    $crate::written!("take_back_attempts", self, |transaction| {
                        $crate::work::take_back_attempts(transaction, key, number)
                    })
                }

                async fn audit_events(&self, limit: u32) -> Result<Vec<AuditEvent>, StoreError> {
                    $crate::read!("audit_events", self, read, |connection| {
                        $crate::search::latest_audit_events(connection, limit)
                    })
                }

                async fn find_audit_events(
                    &self,
                    query: &AuditQuery<'_>,
                ) -> Result<Vec<AuditEvent>, StoreError> {
                    $crate::read!("find_audit_events", self, read, |connection| $crate::search::audit_events(
                        connection, query
                    ))
                }

                async fn purge(&self, now: Timestamp) -> Result<Purged, StoreError> {
                    $crate::written!("purge", self, |transaction| $crate::work::purge(transaction, now))
                }
            }
        };
    };
}

/// Something that only reads, begun again as long as the database says that this helps. `$name` is the span's.
#[doc(hidden)]
#[macro_export]
macro_rules! read {
    ($name:literal, $store:ident, $begin:ident, |$connection:ident| $work:expr) => {{
        let asked = async {
            let mut failed = 0;
            loop {
                let outcome = {
                    let mut begun = $crate::Database::$begin($store).await?;
                    let $connection = &mut begun;
                    $work.await
                };
                match outcome {
                    Ok(value) => break Ok(value),
                    Err(error) => {
                        failed += 1;
                        if !$crate::Database::again($store, &error, failed).await {
                            break Err(error);
                        }
                    }
                }
            }
        };
        $crate::tracing::Instrument::instrument(asked, $crate::store_span!($name)).await
    }};
}

/// One transaction that writes, begun again as long as the database says that this helps.
#[doc(hidden)]
#[macro_export]
macro_rules! written {
    ($name:literal, $store:ident, |$transaction:ident| $work:expr) => {
        $crate::written!($name, $store, write, |$transaction| $work)
    };
    ($name:literal, $store:ident, $begin:ident, |$transaction:ident| $work:expr) => {{
        let asked = async {
            let mut failed = 0;
            loop {
                let mut begun = $crate::Database::$begin($store).await?;
                let worked = {
                    let $transaction = &mut begun;
                    $work.await
                };
                let outcome = match worked {
                    Ok(value) => $crate::Database::done($store, begun).await.map(|()| value),
                    Err(error) => {
                        drop(begun);
                        Err(error)
                    }
                };
                match outcome {
                    Ok(value) => break Ok(value),
                    Err(error) => {
                        failed += 1;
                        if !$crate::Database::again($store, &error, failed).await {
                            break Err(error);
                        }
                    }
                }
            }
        };
        $crate::tracing::Instrument::instrument(asked, $crate::store_span!($name)).await
    }};
}

/// What a trace shows of a question to the store: which it was, and never about whom.
#[doc(hidden)]
#[macro_export]
macro_rules! store_span {
    ($name:literal) => {
        $crate::tracing::info_span!(
            target: $crate::TRACES,
            "store",
            otel.name = concat!("store ", $name),
            otel.kind = "client",
            db.operation.name = $name,
        )
    };
}
