//! The end-to-end suite: a person, a real kubectl, a real browser and a real kube-apiserver around kubesso.

mod access_file;
mod administration;
mod api_details;
mod bad_starts;
mod cluster_changes;
mod clusters;
mod crashes;
mod doctor;
mod doctor_access;
mod doctor_live;
mod forged_tokens;
mod grants;
mod kubeconfig;
mod kubectl_verbs;
mod late_provider;
mod managed;
mod moved_clock;
mod normalise;
mod other_clients;
mod pages;
mod proxied;
mod rotation;
mod scenario_table;
mod sign_in;
mod starting;
mod tutorial;
