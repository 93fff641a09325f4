//! Serde helpers for the places where Go's JSON differs from serde's defaults.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Go decodes `null` into the zero value of any field.
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A Go slice without `omitempty` that went through protobuf storage comes back as `null` when empty.
pub(crate) fn null_if_empty<S: Serializer, T: Serialize>(
    values: &Vec<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if values.is_empty() { serializer.serialize_none() } else { values.serialize(serializer) }
}

/// `omitempty` on a number or a boolean.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
