//! Room `cli` of kubesso.
