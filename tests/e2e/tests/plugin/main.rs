//! The plugin as a black box, against providers that we wrote and providers that we did not.

mod behaviours;
mod grants;
mod stage;
mod standalone;
mod trials;
