//! Room `authn` of kubesso.
