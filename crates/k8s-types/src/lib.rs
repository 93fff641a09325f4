//! Room `k8s-types` of kubesso.
