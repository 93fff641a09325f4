//! Room `directory` of kubesso.
