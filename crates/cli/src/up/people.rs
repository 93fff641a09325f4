//! The first world's side at the provider: what the four people are, and finding it again at a later start.
//!
//! The world itself, the tutorial's, is [`FirstWorld::tutorial`]; here it gets passwords.

use std::sync::Arc;

use kubesso_ambient::{Clock, Entropy};
use kubesso_directory::password::{Password, PasswordError, PasswordHash, PasswordHasher};
use kubesso_directory::{FirstWorld, GroupType, Login, Page, Secret, Seeded, Store, StoreError, seed};

use crate::error::CommandError;
use crate::up::facts::Person;

/// What to expect of each of the four.
const REMARKS: [(&str, &str); 4] = [
    ("admin@example.com", "in k8s-admins: may do everything"),
    ("dev@example.com", "in k8s-restricted-users: may read pods and services in default"),
    ("guest@example.com", "in neither group: signs in, and may do nothing"),
    ("outsider@example.com", "not assigned to the application: is refused at sign-in"),
];

/// A password with its hash, by login.
pub(crate) type Passwords = Vec<(Login, Password, PasswordHash)>;

/// The world of the tutorial.
pub(crate) fn first_world() -> Result<FirstWorld, CommandError> {
    FirstWorld::tutorial().map_err(|e| CommandError::because("the first world is inconsistent", &e))
}

/// Passwords for everybody in `world`, hashed side by side: on a blocking thread each.
pub(crate) async fn passwords(
    world: &FirstWorld,
    entropy: &Arc<dyn Entropy>,
) -> Result<Passwords, CommandError> {
    let failed = |e: &dyn std::error::Error| CommandError::because("a password could not be hashed", e);
    let hash = |login: Login| {
        let entropy = entropy.clone();
        tokio::task::spawn_blocking(move || {
            let password = Password::generate(&*entropy);
            let hash = PasswordHasher::default().hash(&password, &*entropy)?;
            Ok::<_, PasswordError>((login, password, hash))
        })
    };
    let hashing: Vec<_> = world.users.iter().map(|user| hash(user.profile.login.clone())).collect();
    let mut passwords = Vec::with_capacity(hashing.len());
    for task in hashing {
        passwords.push(task.await.map_err(|e| failed(&e))?.map_err(|e| failed(&e))?);
    }
    Ok(passwords)
}

/// Creates `world` in one transaction, or finds it.
pub(crate) async fn create_or_find(
    store: &dyn Store,
    mut world: FirstWorld,
    passwords: &Passwords,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Seeded, CommandError> {
    for user in &mut world.users {
        let hash =
            passwords.iter().find(|(login, ..)| *login == user.profile.login).map(|(.., hash)| hash.clone());
        user.password = hash;
    }
    seed(store, clock, entropy, &world)
        .await
        .map_err(|e| CommandError::because("the first people could not be stored", &e))
}

/// Whether nobody has ever been here.
pub(crate) async fn is_empty(store: &dyn Store) -> Result<bool, CommandError> {
    let users = store.users(Page::first(1)).await.map_err(|e| unreadable(&e))?;
    Ok(users.is_empty() && store.snapshot().await.map_err(|e| unreadable(&e))?.servers().next().is_none())
}

/// Those of the four who are (still) there, with their passwords if they have just been made.
pub(crate) async fn present(
    store: &dyn Store,
    seeded: &Seeded,
    passwords: &Passwords,
) -> Result<Vec<Person>, CommandError> {
    let mut people = Vec::new();
    for user in &seeded.users {
        let Some(person) = store.person(&user.id).await.map_err(|e| unreadable(&e))? else { continue };
        let mut groups: Vec<_> = person
            .groups
            .iter()
            .filter(|group| group.group_type != GroupType::BuiltIn)
            .map(|group| group.name.to_string())
            .collect();
        groups.sort();
        let email = user.profile.email.to_string();
        let password = passwords
            .iter()
            .find(|(login, ..)| seeded.created && *login == user.profile.login)
            .map(|(_, password, _)| Secret::new(password.expose()));
        // Without the world's application nobody is assigned to it, and who will be in which group, somebody else says.
        let remark = match &seeded.application {
            Some(_) => REMARKS.iter().find(|(of, _)| *of == email).map_or("", |(_, remark)| remark),
            None => "",
        };
        people.push(Person { email, groups, remark, password });
    }
    Ok(people)
}

fn unreadable(error: &StoreError) -> CommandError {
    CommandError::because("the directory cannot be read", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_remark_for_each_of_the_four() {
        let world = first_world().unwrap();
        let emails: Vec<_> = world.users.iter().map(|user| user.profile.email.as_str()).collect();
        assert_eq!(emails, REMARKS.map(|(email, _)| email));
    }
}
