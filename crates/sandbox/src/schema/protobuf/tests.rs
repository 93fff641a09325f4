use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::schema::recorded::{answers, collect_differences};
use crate::schema::{apply_defaults, prune};

#[test]
fn the_protobuf_of_a_real_server_is_its_json() {
    let mut differences = Vec::new();
    for answer in answers() {
        let mut object = decode(&STANDARD.decode(&answer.protobuf).unwrap()).unwrap();
        prune(answer.resource(), &mut object);
        apply_defaults(answer.resource(), &mut object);
        let mut expected = answer.stored.clone();
        prune(answer.resource(), &mut expected);
        apply_defaults(answer.resource(), &mut expected);
        collect_differences(&answer.name(), &object, &expected, &mut differences);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_list_type_in_a_map_is_a_message() {
    // What `kubectl` sends for a SubjectAccessReview with `extra: {"scopes": ["a", "b"]}` and user `jane`.
    let extra = [b"\x0a\x06scopes\x12\x06".as_slice(), b"\x0a\x01a\x0a\x01b"].concat();
    let spec = [b"\x1a\x04jane\x2a".as_slice(), &[u8::try_from(extra.len()).unwrap()], &extra].concat();
    let raw = [b"\x12".as_slice(), &[u8::try_from(spec.len()).unwrap()], &spec].concat();
    let type_meta = [b"\x0a\x17authorization.k8s.io/v1".as_slice(), b"\x12\x13SubjectAccessReview"].concat();
    let message = [
        MAGIC,
        b"\x0a",
        &[u8::try_from(type_meta.len()).unwrap()],
        &type_meta,
        b"\x12",
        &[u8::try_from(raw.len()).unwrap()],
        &raw,
    ]
    .concat();
    assert_eq!(
        decode(&message),
        Ok(json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": { "user": "jane", "extra": { "scopes": ["a", "b"] } },
        }))
    );
}

#[test]
fn what_is_no_message_is_refused() {
    assert_eq!(decode(b"{}"), Err(ProtobufError::NotKubernetes));
    assert_eq!(decode(b"k8s\0\x0a\x7f"), Err(ProtobufError::Truncated));
    assert_eq!(decode(b"k8s\0\x0f"), Err(ProtobufError::Malformed("a field type")));
}

#[test]
fn options_of_a_deletion_are_read_in_any_group() {
    let object =
        decode(b"k8s\0\x0a\x18\x0a\x07apps/v1\x12\x0dDeleteOptions\x12\x0e\x08\x00\x22\x0aBackground")
            .unwrap();
    assert_eq!(object["gracePeriodSeconds"], 0);
    assert_eq!(object["propagationPolicy"], "Background");
}

#[test]
fn of_an_unknown_kind_its_name_is_read() {
    let object = decode(b"k8s\0\x0a\x09\x0a\x02v1\x12\x03Foo\x12\x03\x0a\x01x");
    assert_eq!(object, Ok(json!({ "apiVersion": "v1", "kind": "Foo" })));
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let role = b"k8s\0\x0a\x24\x0a\x1crbac.authorization.k8s.io/v1\x12\x04Role\x12".as_slice();
        let length = u8::try_from(bytes.len().min(127)).unwrap();
        let _refused_or_not = decode(&[role, &[length], &bytes].concat());
        let _refused_or_not = decode(&[MAGIC, &bytes].concat());
    }
}
