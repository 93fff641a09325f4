//! `kubesso api-token`: tokens of the management API, in the data directory at hand or at a server that one signs in to.

mod local;
mod remote;

use std::collections::BTreeSet;
use std::process::ExitCode;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use kubesso_ambient::{Clock as _, SystemClock};
use kubesso_directory::{AdminRole, Label, Secret};
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use crate::args::{ApiToken as Command, Role};
use crate::error::CommandError;
use crate::output;

/// What Terraform needs to set up access, and no more: nobody becomes an administrator by it.
const SETS_UP_ACCESS: [AdminRole; 3] =
    [AdminRole::OrgAdmin, AdminRole::AppAdmin, AdminRole::ApiAccessManagementAdmin];

/// A token in the list.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Listed {
    id: String,
    name: String,
    roles: Vec<String>,
    /// Whose it is; `None`: made on the machine itself.
    user: Option<String>,
    created: Timestamp,
    expires: Option<Timestamp>,
}

/// What to make.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    name: Label,
    roles: BTreeSet<AdminRole>,
    expires: Option<Timestamp>,
}

/// A token for whoever asked for it.
#[derive(Debug)]
pub(crate) struct Made {
    listed: Listed,
    token: Secret,
}

/// The one place where a token is serialised: this is its only showing.
impl Serialize for Made {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut made = serializer.serialize_struct("Made", 5)?;
        made.serialize_field("token", self.token.expose())?;
        made.serialize_field("id", &self.listed.id)?;
        made.serialize_field("name", &self.listed.name)?;
        made.serialize_field("roles", &self.listed.roles)?;
        made.serialize_field("expires", &self.listed.expires)?;
        made.end()
    }
}

/// Runs `kubesso api-token …`.
pub(crate) fn run(command: Command) -> Result<ExitCode, CommandError> {
    match command {
        Command::Create { name, roles, expires, place, output } => {
            let wanted = Wanted::check(&name, &roles, expires, SystemClock.now())?;
            let made = match &place.server {
                Some(server) => remote::create(server, &place, &wanted)?,
                None => crate::runtime()?.block_on(local::create(&place.data, &wanted))?,
            };
            output::print(output.format, &made, || sentence(&made))?;
        }
        Command::List { place, output } => {
            let tokens = match &place.server {
                Some(server) => remote::list(server, &place)?,
                None => crate::runtime()?.block_on(local::list(&place.data))?,
            };
            output::print(output.format, &tokens, || table(&tokens))?;
        }
        Command::Revoke { token, place } => {
            let revoked = match &place.server {
                Some(server) => remote::revoke(server, &place, &token)?,
                None => crate::runtime()?.block_on(local::revoke(&place.data, &token))?,
            };
            println!("{} ({}) is revoked: it is refused from the next request on", revoked.name, revoked.id);
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Wanted {
    fn check(
        name: &str,
        roles: &[Role],
        expires: Option<jiff::Span>,
        now: Timestamp,
    ) -> Result<Self, CommandError> {
        let name = Label::parse(name).map_err(|e| CommandError::usage(e.to_string()))?;
        let roles = if roles.is_empty() {
            SETS_UP_ACCESS.into()
        } else {
            roles.iter().map(|role| role.admin_role()).collect()
        };
        let expires = match expires {
            None => None,
            Some(span) => {
                let end = now.to_zoned(TimeZone::UTC).checked_add(span).map(|end| end.timestamp());
                let end = end.map_err(|e| CommandError::because("--expires is too far away", &e))?;
                if end <= now {
                    return Err(CommandError::usage("--expires must be a time ahead, 30d say"));
                }
                Some(end)
            }
        };
        Ok(Self { name, roles, expires })
    }
}

impl Role {
    pub(crate) fn admin_role(self) -> AdminRole {
        match self {
            Self::Super => AdminRole::SuperAdmin,
            Self::Organization => AdminRole::OrgAdmin,
            Self::Applications => AdminRole::AppAdmin,
            Self::Groups => AdminRole::UserAdmin,
            Self::ApiAccessManagement => AdminRole::ApiAccessManagementAdmin,
            Self::ReadOnly => AdminRole::ReadOnlyAdmin,
        }
    }
}

/// The token among `tokens` with that id, or else that name.
fn find<'a>(tokens: &'a [Listed], wanted: &str) -> Result<&'a Listed, CommandError> {
    let by_id = tokens.iter().find(|token| token.id == wanted);
    by_id.or_else(|| tokens.iter().find(|token| token.name == wanted)).ok_or_else(|| {
        CommandError::new(format!("there is no API token {wanted:?}")).mend("see `kubesso api-token list`")
    })
}

fn sentence(made: &Made) -> String {
    let until = match made.listed.expires {
        Some(expires) => format!("until {}", text(expires)),
        None => "until it is revoked".to_owned(),
    };
    format!(
        "{}\n\n{} ({}), shown this once; {}; taken {until}",
        made.token.expose(),
        made.listed.name,
        made.listed.id,
        made.listed.roles.join(", "),
    )
}

fn text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn table(tokens: &[Listed]) -> String {
    output::table(
        &["NAME", "ID", "ROLES", "OF", "CREATED", "EXPIRES"],
        tokens.iter().map(|token| {
            vec![
                token.name.clone(),
                token.id.clone(),
                token.roles.join(", "),
                token.user.clone().unwrap_or_else(|| "this machine".to_owned()),
                text(token.created),
                token.expires.map_or_else(|| "never".to_owned(), text),
            ]
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-22T08:00:00Z".parse().unwrap()
    }

    #[test]
    fn without_a_role_a_token_can_set_up_access_and_make_no_administrator() {
        let wanted = Wanted::check("terraform", &[], None, now()).unwrap();
        assert_eq!(wanted.roles, SETS_UP_ACCESS.into());
        assert!(!wanted.roles.contains(&AdminRole::SuperAdmin));
    }

    #[test]
    fn an_end_is_a_time_ahead() {
        let end = |span: &str| {
            Wanted::check("x", &[], Some(span.parse().unwrap()), now()).map(|wanted| wanted.expires)
        };
        assert_eq!(end("30d").unwrap(), Some("2026-12-22T08:00:00Z".parse().unwrap()));
        assert_eq!(end("1y").unwrap(), Some("2027-11-22T08:00:00Z".parse().unwrap()));
        assert!(end("-1d").is_err() && end("0s").is_err());
    }
}
