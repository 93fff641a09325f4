//! The end-to-end suite: a person, a real kubectl, a real browser and a real kube-apiserver around kubesso.

mod bad_starts;
mod forged_tokens;
mod kubectl_verbs;
mod normalise;
mod rotation;
mod scenario_table;
mod sign_in;
mod starting;
mod tutorial;
