//! Go's ways of reading bytes, where kube-apiserver's decision or message depends on them.

pub(crate) mod base64;
pub(crate) mod json;
pub(crate) mod time;
