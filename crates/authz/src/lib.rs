//! Room `authz` of kubesso.
