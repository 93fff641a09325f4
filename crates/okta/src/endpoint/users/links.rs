//! Links that work once, by which a person chooses a password. Okta mails them; here the administrator hands them over.

use kubesso_directory::{Change, OneTimePurpose, OneTimeToken, OneTimeTokenValue, User};

use crate::context::Context;
use crate::error::ApiError;
use crate::parameters::Parameters;

/// A link, while its secret part is known.
#[derive(Debug)]
pub(super) struct OneTimeLink {
    value: OneTimeTokenValue,
    token: OneTimeToken,
}

impl OneTimeLink {
    /// For somebody new, to choose the first password.
    pub(super) fn activation(context: &Context, user: &User) -> Self {
        Self::make(context, user, OneTimePurpose::Activation)
    }

    /// For somebody whose password is lost.
    pub(super) fn password_reset(context: &Context, user: &User) -> Self {
        Self::make(context, user, OneTimePurpose::PasswordReset)
    }

    fn make(context: &Context, user: &User, purpose: OneTimePurpose) -> Self {
        let value = OneTimeTokenValue::generate(&*context.entropy);
        let token = OneTimeToken {
            hash: value.hash(),
            user: user.id.clone(),
            purpose,
            ends: context.now().saturating_add(purpose.lifetime()).unwrap_or(jiff::Timestamp::MAX),
        };
        Self { value, token }
    }

    /// The secret part, for its owner.
    pub(super) fn secret(&self) -> &str {
        self.value.expose()
    }

    /// The address to open.
    pub(super) fn url(&self, context: &Context) -> String {
        let page = match self.token.purpose {
            OneTimePurpose::Activation => "welcome",
            OneTimePurpose::PasswordReset => "reset_password",
        };
        context.url(&format!("/{page}/{}", self.value.expose()))
    }

    /// What to write.
    pub(super) fn change(&self) -> Change {
        Change::PutOneTimeToken(self.token.clone())
    }
}

/// Refuses where a mail is asked for and the answer could not say that none went out: the person would wait for it.
pub(super) fn refuse_mail(parameters: &Parameters) -> Result<(), ApiError> {
    if parameters.flag("sendEmail", true)? {
        return Err(ApiError::unsupported(
            "No mail goes out from here: say sendEmail=false, and hand over the link that is answered",
        ));
    }
    Ok(())
}
