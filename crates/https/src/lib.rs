//! Room `https` of kubesso.
