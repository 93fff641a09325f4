//! Room `token` of kubesso.
