//! Room `store-sqlite` of kubesso.
