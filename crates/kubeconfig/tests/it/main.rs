//! The room from outside: tables of cases, properties, and kubectl as the peer.

#![cfg(test)]

mod edits;
