//! Settings of an OAuth client that are kept as they came ([`Application::other`]) and that the provider goes by.

use serde_json::Value;

use super::Application;

impl Application {
    /// Whether it gets only tokens that are bound to a key (`dpop_bound_access_tokens`, RFC 9449 §5.2).
    pub fn has_dpop_bound_access_tokens(&self) -> bool {
        self.client_setting("dpop_bound_access_tokens").and_then(Value::as_bool) == Some(true)
    }

    fn client_setting(&self, name: &str) -> Option<&Value> {
        self.other.get("oauthClient")?.get(name)
    }
}
