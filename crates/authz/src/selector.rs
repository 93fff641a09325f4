//! Field and label selectors as texts in a query (`k8s.io/apimachinery/pkg/{fields,labels}`).

mod field;
mod label;
mod validity;

pub use field::{FieldOperator, FieldSelector, FieldTerm};
pub use label::{LabelOperator, LabelRequirement, LabelSelector};

/// Why a selector cannot be read; upstream's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(pub(crate) String);

pub(crate) use label::is_valid_requirement;
