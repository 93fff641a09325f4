//! The room from outside: tables of cases, properties, and kubectl as the peer.

#![cfg(test)]

mod corpus;
mod editing;
mod edits;
mod files;
mod generate;
mod kubectl;
mod loading;
mod properties;
mod same_as_kubectl;
