//! The plugin from outside: command lines in, streams and exit codes out, against a provider on this machine and a
//! browser that follows redirects.

#![cfg(test)]

mod back_off;
mod cache;
mod client_authentication;
mod concurrency;
mod errors;
mod grants;
mod helper;
mod keyring;
mod list;
mod login;
mod logout;
mod migration;
#[cfg(unix)]
mod processes;
mod refresh;
mod round_trips;
mod setup;
mod setup_write;
mod standalone;
mod stub;
mod ways;
mod world;
