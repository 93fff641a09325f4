//! Room `sandbox` of kubesso.
