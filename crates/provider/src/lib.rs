//! Room `provider` of kubesso.
