//! What goes wrong between kubectl, the provider and the API server: recognised, explained, mended.
//!
//! The [`row`]s of the catalogue are failures that people have had, each with a stable [`CheckId`]. There are two ways to
//! them:
//!
//! - [`explain`] takes a text (an error, a screenshot's worth of it, a log of the API server) and names the rows that it
//!   speaks of; where the text says too little, it says what to look at next.
//! - [`examine`] takes [`Evidence`](evidence::Evidence) (a token, an API server's settings, a kubeconfig, bindings, an
//!   issuer's answers, a cluster's) and runs a check for each row that evidence can decide. [`probe()`] asks the issuer before, [`ask_cluster`] the cluster.
//!
//! Every text is redacted before anything looks at it, and every value before it is shown; a token is never printed.

mod ambiguity;
mod bundle;
mod catalogue;
mod check_id;
mod checks;
pub mod evidence;
mod examination;
mod explain;
mod facts;
mod handbook;
mod judgement;
mod live;
mod log_time;
mod place;
pub mod print;
mod probe;
mod probe_authorization;
mod redact;
mod row;
mod signs;
mod verdict;

pub use crate::ambiguity::{Ambiguity, Question};
pub use crate::bundle::{Bundle, bundle};
pub use crate::catalogue::{row, rows};
pub use crate::check_id::{CheckId, NoSuchCheck, NotAName};
pub use crate::examination::{Access, Checked, Diagnosis, Identity, Outcome, Report, examine};
pub use crate::explain::{
    Answer, Asked, Candidate, Explainer, Explanation, Finding, Pair, Side, Undecided, explain,
};
pub use crate::facts::{Facts, FilledMend};
pub use crate::handbook::handbook;
pub use crate::live::{Cluster, Credentials, EchoWish, ask_cluster};
pub use crate::place::Place;
pub use crate::probe::probe;
pub use crate::row::{Compared, Mend, Row, Sign, Source, Strength};
pub use crate::verdict::{Found, Severity, Verdict};
pub use kubesso_clusters::Target;

#[cfg(test)]
mod tests;
