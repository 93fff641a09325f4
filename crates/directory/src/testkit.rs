//! What every [`Store`] must do, as tests that an adapter runs on itself.
//!
//! An adapter says how to open a fresh store, **twice on the same data**: what must happen once must happen
//! once with two replicas too. It names its test attribute, so that this room needs no runtime:
//!
//! ```text
//! async fn open() -> kubesso_directory::testkit::Replicas { … }
//! kubesso_directory::store_tests!(#[tokio::test] open);
//! ```

use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::{ManualClock, SeededEntropy};
use serde_json::json;

use crate::application::{Application, GrantType, RefreshRotation};
use crate::authorization_server::AuthorizationServer;
use crate::code::AuthorizationCode;
use crate::group::Group;
use crate::id::{GrantId, SessionId};
use crate::name::{GroupName, ScopeName};
use crate::policy::Lifetimes;
use crate::refresh::{RefreshFamily, RefreshTerms, RefreshToken};
use crate::secret::{CodeValue, SessionToken};
use crate::seed::{FirstWorld, seed};
use crate::session::{Session, SessionLifetime, SessionOrigin};
use crate::snapshot::Server;
use crate::store::{Batch, Change, Store};
use crate::user::User;

pub mod administration;
pub mod configuration;
pub mod devices;
pub mod grants;
pub mod logout_deliveries;
pub mod people;
pub mod searching;
pub mod single_uses;
pub mod throttling;

/// What a case comes to.
pub type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// Two stores on the same, empty data, and whatever must live as long as they do (a temporary directory).
pub struct Replicas {
    /// One replica.
    pub one: Arc<dyn Store>,
    /// Another.
    pub other: Arc<dyn Store>,
    /// Dropped last.
    pub guard: Box<dyn std::any::Any + Send + Sync>,
}

impl std::fmt::Debug for Replicas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replicas").field("one", &self.one).field("other", &self.other).finish_non_exhaustive()
    }
}

/// Lets every application use `grant_type` and every rule allow it: for tests of grants that no first world has.
///
/// # Errors
/// The store's.
pub async fn allow_grant(store: &dyn Store, grant_type: GrantType, at: Timestamp) -> Outcome {
    let snapshot = store.snapshot().await?;
    let mut changes = Vec::new();
    for application in snapshot.applications() {
        let mut application = application.clone();
        application.grant_types.insert(grant_type);
        changes.push(Change::PutApplication(application));
    }
    for (_, rules) in snapshot.servers().flat_map(Server::policies) {
        for rule in rules {
            let mut rule = rule.clone();
            rule.grant_types.insert(grant_type);
            changes.push(Change::PutRule(rule));
        }
    }
    store.commit(Batch::new(at, changes)).await?;
    Ok(())
}

/// Makes a test of each case, with the given attribute, on what `open` gives.
#[macro_export]
macro_rules! store_tests {
    (#[$test:meta] $open:ident) => {
        $crate::store_tests! { #[$test] $open, configuration:
            a_fresh_store_is_empty,
            what_is_written_is_read_back,
            the_tutorials_world_is_seeded_once,
            of_two_that_seed_at_once_one_creates,
            a_batch_is_all_or_nothing,
            a_batch_that_expects_another_revision_loses,
            the_revision_moves_with_configuration_and_with_nothing_else,
            names_are_unique,
            what_is_referred_to_must_exist,
            with_a_server_goes_what_is_part_of_it,
            with_a_group_go_its_memberships_and_assignments,
            a_server_has_one_signing_key,
            what_is_sealed_is_sealed_again_as_a_whole,
        }
        $crate::store_tests! { #[$test] $open, people:
            a_person_comes_with_groups_by_name_and_direct_assignments,
            a_login_is_found_in_any_case,
            lists_come_in_pages,
            a_password_is_kept_apart_from_the_profile,
            a_membership_is_noted_when_it_changes,
            with_a_user_go_sessions_codes_and_grants,
            sessions_and_grants_of_a_user_can_be_ended,
            all_sessions_but_one_can_be_ended,
            a_consent_is_given_once_a_scope_and_goes_with_what_it_is_about,
            old_passwords_are_kept_up_to_a_number,
            the_audit_trail_shows_the_latest_first,
            text_with_the_character_0_is_refused_and_nothing_is_written,
        }
        $crate::store_tests! { #[$test] $open, grants:
            a_session_lives_while_it_is_used,
            a_session_that_has_ended_is_gone,
            looking_at_a_code_does_not_redeem_it,
            a_code_is_good_for_a_minute,
            of_two_that_redeem_a_code_one_wins,
            a_code_redeemed_twice_ends_what_came_of_it,
            a_redeeming_that_fails_redeems_nothing,
            a_family_can_begin_without_a_code,
            living_families_are_found_by_what_they_are_of,
            a_refresh_token_gives_its_successor_and_again_within_the_grace,
            a_spent_token_after_the_grace_ends_the_family,
            an_older_token_within_the_grace_ends_the_family,
            of_many_that_refresh_at_once_all_get_the_same_successor,
            a_static_refresh_token_stays_the_same,
            refreshing_ends_at_its_lifetime_and_at_its_window_to_the_second,
            an_invented_refresh_token_is_unknown_and_harms_nobody,
            purging_takes_what_has_ended_and_nothing_else,
        }
        $crate::store_tests! { #[$test] $open, devices:
            the_first_decision_about_a_user_code_stands,
            of_many_that_redeem_a_user_code_one_wins,
            what_was_denied_or_has_ended_is_not_redeemed,
            decisions_end_with_their_person_and_their_time,
        }
        $crate::store_tests! { #[$test] $open, logout_deliveries:
            the_end_of_a_session_notes_who_is_to_be_told,
            only_clients_with_an_address_are_to_be_told,
            a_delivery_is_one_replicas_for_a_time,
            what_is_given_up_is_written_down,
        }
        $crate::store_tests! { #[$test] $open, single_uses:
            of_many_that_use_something_once_one_wins,
            what_was_used_is_forgotten_at_its_end,
        }
        $crate::store_tests! { #[$test] $open, throttling:
            parallel_attempts_are_all_counted,
            signing_in_takes_the_count_away,
            attempts_can_be_taken_back_one_by_one,
            counters_are_bounded_and_the_lightest_goes_first,
        }
        $crate::store_tests! { #[$test] $open, administration:
            an_api_token_is_found_by_its_hash_and_goes_with_its_person,
            an_initial_access_token_registers_so_many_clients,
            a_role_is_held_once_and_goes_with_its_holder,
            what_rules_made_goes_with_the_last_rule,
            a_link_works_once,
        }
        $crate::store_tests! { #[$test] $open, searching:
            a_filter_finds_people_by_what_is_in_their_profiles,
            a_prefix_finds_people_by_their_names,
            sorted_pages_have_everybody_once,
            groups_are_found,
            the_audit_trail_is_searched,
        }
    };
    (#[$test:meta] $open:ident, $module:ident: $($case:ident,)*) => {
        mod $module {
            $(
                #[$test]
                async fn $case() -> $crate::testkit::Outcome {
                    let replicas = super::$open().await;
                    $crate::testkit::$module::$case(&replicas).await
                }
            )*
        }
    };
}

/// The tutorial's world in a store, at a moment, with what tests need of it at hand.
#[derive(Debug)]
struct World {
    entropy: SeededEntropy,
    now: Timestamp,
    application: Application,
    server: AuthorizationServer,
    admin: User,
    guest: User,
    admins: Group,
}

/// The moment at which the worlds begin.
const BEGINNING: Timestamp = Timestamp::constant(1_800_000_000, 0);

impl World {
    async fn seeded(store: &dyn Store) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let entropy = SeededEntropy::new(7);
        let seeded = seed(store, &ManualClock::at(BEGINNING), &entropy, &FirstWorld::tutorial()?).await?;
        let mut users = seeded.users.into_iter();
        let (admin, guest) = (users.next(), users.nth(1));
        let admins = store.group_by_name(&GroupName::parse("k8s-admins")?).await?;
        Ok(Self {
            entropy,
            now: BEGINNING,
            application: some(seeded.application)?,
            server: some(seeded.server)?,
            admin: some(admin)?,
            guest: some(guest)?,
            admins: some(admins)?,
        })
    }

    fn after(&self, seconds: i64) -> Timestamp {
        self.now + SignedDuration::from_secs(seconds)
    }

    fn session(&self, token: &SessionToken) -> Session {
        let amr = vec!["pwd".to_owned()];
        let id = SessionId::generate(&self.entropy);
        let origin = SessionOrigin::new("192.0.2.7".parse().ok(), Some("Mozilla/5.0 (X11; Linux x86_64)"));
        Session::begin(id, token.hash(), self.admin.id.clone(), amr, SessionLifetime::default(), self.now)
            .with_origin(origin)
    }

    fn code(&self, value: &CodeValue) -> Result<AuthorizationCode, Box<dyn Error + Send + Sync>> {
        Ok(AuthorizationCode {
            hash: value.hash(),
            grant: GrantId::generate(&self.entropy),
            server: self.server.id.clone(),
            client: self.application.client_id.clone(),
            user: self.admin.id.clone(),
            session: SessionId::generate(&self.entropy),
            redirect_uri: "http://localhost:8000".to_owned(),
            scopes: vec![ScopeName::parse("openid")?, ScopeName::parse("offline_access")?],
            nonce: Some("n-0S6".to_owned()),
            code_challenge: Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned()),
            auth_time: self.now,
            amr: vec!["pwd".to_owned()],
            other: json!({ "resources": ["urn:k8s"] }),
            issued: self.now,
        })
    }

    /// A refresh token family in the store, made the way the token endpoint makes it.
    async fn family(
        &self,
        store: &dyn Store,
        lifetimes: &Lifetimes,
    ) -> Result<(RefreshFamily, RefreshToken), Box<dyn Error + Send + Sync>> {
        let value = CodeValue::generate(&self.entropy);
        let code = self.code(&value)?;
        store.add_code(&code).await?;
        let (family, token) = RefreshFamily::begin(&code.authorization(), lifetimes, &self.entropy, self.now);
        store.redeem_code(&value.hash(), Some(&family), self.now).await?;
        Ok((family, token))
    }
}

/// Rotating with 30 s of grace and a week's window.
const TERMS: RefreshTerms = RefreshTerms {
    rotation: RefreshRotation::Rotate { leeway: SignedDuration::from_secs(30) },
    window: SignedDuration::from_hours(7 * 24),
};

fn some<T>(found: Option<T>) -> Result<T, Box<dyn Error + Send + Sync>> {
    found.ok_or_else(|| "something is missing that was written".into())
}

/// Runs futures side by side to their ends; the results in their order.
async fn together<T>(mut futures: Vec<Pin<Box<dyn Future<Output = T> + Send + '_>>>) -> Vec<T> {
    let mut results: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut pending = false;
        for (future, result) in futures.iter_mut().zip(&mut results) {
            if result.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *result = Some(value),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    results.into_iter().flatten().collect()
}
