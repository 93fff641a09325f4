//! Room `signin` of kubesso.
