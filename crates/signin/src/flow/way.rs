//! Which way to sign in, when nobody said: where a browser can be opened the browser, elsewhere what works without one.

use kubesso_token_cache::options::{BrowserLogin, BrowserStart};

use super::{device_code, keyboard, loopback};
use crate::browser;
use crate::error::Error;
use crate::relying_party::{RelyingParty, SignIn};

/// A way that needs a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// A browser that we open comes back to us.
    Browser,
    /// A browser elsewhere; its person types a code there.
    DeviceCode,
    /// A browser elsewhere; the address that it ends at is pasted here.
    Keyboard,
}

/// What decides.
#[derive(Clone, Copy, Debug)]
struct Scene {
    has_browser: bool,
    /// The provider has a device flow.
    offers_device_code: bool,
    /// Somebody can read a question and type.
    is_attended: bool,
}

/// The ways to try, one after the other.
fn ways(scene: Scene) -> Vec<Way> {
    if scene.has_browser {
        return vec![Way::Browser];
    }
    let mut ways = Vec::new();
    ways.extend(scene.offers_device_code.then_some(Way::DeviceCode));
    ways.extend(scene.is_attended.then_some(Way::Keyboard));
    ways
}

/// Signs the person in by the first way that the provider takes.
pub(super) async fn sign_in(party: &RelyingParty<'_>, login: &BrowserLogin) -> Result<SignIn, Error> {
    let environment = party.environment;
    let scene = Scene {
        has_browser: browser::can_open(environment),
        offers_device_code: party.metadata().device_authorization_endpoint().is_ok(),
        is_attended: environment.terminal.is_attended(),
    };
    let mut refused = None;
    for way in ways(scene) {
        environment.explain(1, || format!("signing in by {}", describe(way)));
        return match way {
            Way::Browser => loopback::sign_in(party, login).await,
            Way::DeviceCode => match device_code::begin(party).await {
                // The page is shown; trying to open it here would only bring a warning.
                Ok(flow) => {
                    let start = BrowserStart { skip: true, ..login.start.clone() };
                    flow.finish(party, &start, login.timeout_seconds).await
                }
                // Nobody has been asked for anything yet.
                Err(error @ (Error::Refused { .. } | Error::Answer { .. })) => {
                    environment.explain(1, || format!("{error}; going on without a device code"));
                    refused = Some(error.to_string());
                    continue;
                }
                Err(error) => Err(error),
            },
            Way::Keyboard => keyboard::sign_in_elsewhere(party, login).await,
        };
    }
    Err(Error::NoWay(match refused {
        Some(reason) => format!("{reason}, "),
        None => "the provider has no device flow, ".to_owned(),
    }))
}

fn describe(way: Way) -> &'static str {
    match way {
        Way::Browser => "the browser",
        Way::DeviceCode => "a code for a browser elsewhere, since none can be opened here",
        Way::Keyboard => "a pasted address, since no browser can be opened here",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_best_then_a_code_then_a_pasted_address() {
        use Way::{Browser, DeviceCode, Keyboard};

        let cases: [(bool, bool, bool, &[Way]); 8] = [
            (true, true, true, &[Browser]),
            (true, true, false, &[Browser]),
            (true, false, true, &[Browser]),
            (true, false, false, &[Browser]),
            (false, true, true, &[DeviceCode, Keyboard]),
            (false, true, false, &[DeviceCode]),
            (false, false, true, &[Keyboard]),
            (false, false, false, &[]),
        ];
        for (has_browser, offers_device_code, is_attended, expected) in cases {
            let scene = Scene { has_browser, offers_device_code, is_attended };
            assert_eq!(ways(scene), expected, "{scene:?}");
        }
    }
}
