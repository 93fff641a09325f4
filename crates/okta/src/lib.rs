//! The Okta-compatible management API.
