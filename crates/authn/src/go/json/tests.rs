use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Recorded from Go 1.26.8's `json.Unmarshal`.
#[test]
fn what_is_not_json_is_refused_in_gos_words() {
    for (text, error) in [
        ("", "unexpected end of JSON input"),
        (" ", "unexpected end of JSON input"),
        ("{", "unexpected end of JSON input"),
        ("[1,", "unexpected end of JSON input"),
        (r#"{"a""#, "unexpected end of JSON input"),
        (r#"{"a":"#, "unexpected end of JSON input"),
        (r#""a"#, "unexpected end of JSON input"),
        ("x", "invalid character 'x' looking for beginning of value"),
        ("\u{e9}", "invalid character 'Ã' looking for beginning of value"),
        ("'", r"invalid character '\'' looking for beginning of value"),
        ("\u{1}", r"invalid character '\x01' looking for beginning of value"),
        ("[,]", "invalid character ',' looking for beginning of value"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ("{1:2}", "invalid character '1' looking for beginning of object key string"),
        (r#"{"a":1,}"#, "invalid character '}' looking for beginning of object key string"),
        (r#"{"a" "b"}"#, "invalid character '\"' after object key"),
        (r#"{"a":1 "b"}"#, "invalid character '\"' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("{} {}", "invalid character '{' after top-level value"),
        ("01", "invalid character '1' after top-level value"),
        ("tru", "invalid character ' ' in literal true (expecting 'e')"),
        ("fxlse", "invalid character 'x' in literal false (expecting 'a')"),
        ("nul", "invalid character ' ' in literal null (expecting 'l')"),
        ("-", "invalid character ' ' in numeric literal"),
        ("1.", "invalid character ' ' after decimal point in numeric literal"),
        ("1e+", "invalid character ' ' in exponent of numeric literal"),
        ("\"\\x\"", "invalid character 'x' in string escape code"),
        ("\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape"),
        ("\"\n\"", r"invalid character '\n' in string literal"),
    ] {
        assert_eq!(Json::parse(text.as_bytes()).map(Json::kind), Err(error.to_owned()), "{text}");
    }
    let deep = "[".repeat(10_001);
    assert_eq!(Json::parse(deep.as_bytes()).err().unwrap(), "invalid character '[' exceeded max depth");
    let deepest = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(Json::parse(deepest.as_bytes()).is_ok());
}

#[test]
fn members_keep_order_and_duplicates() {
    let json = Json::parse(br#" { "a" : 1 , "b":{"c":[1,"}"]}, "a":null,"\u0064":"x" } "#).unwrap();
    let members: Vec<(String, String)> =
        json.members().map(|(name, value)| (name, value.text().into_owned())).collect();
    let expected = [("a", "1"), ("b", r#"{"c":[1,"}"]}"#), ("a", "null"), ("d", r#""x""#)];
    assert_eq!(members, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(json.elements().count(), 0);
    assert_eq!(Json::parse(b"[]").unwrap().elements().count(), 0);
    assert_eq!(Json::parse(b"{ }").unwrap().members().count(), 0);
    assert_eq!(Json::parse(b"[ 1 ,[2], 3 ]").unwrap().elements().count(), 3);
}

#[test]
fn strings_are_read_as_go_reads_them() {
    for (text, content) in [
        (&br#""a\"\\\/\b\f\n\r\t\u00e9""#[..], "a\"\\/\u{8}\u{c}\n\r\t\u{e9}"),
        (br#""\ud83d\ude00""#, "\u{1f600}"),
        (br#""\ud83d""#, "\u{fffd}"),
        (br#""\ud83dx""#, "\u{fffd}x"),
        (br#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
        (br#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
        (b"\"\xff\xfe\"", "\u{fffd}\u{fffd}"),
        (b"\"\xe2\x82\"", "\u{fffd}\u{fffd}"),
        (b"\"\xc3\xa9\"", "\u{e9}"),
    ] {
        assert_eq!(Json::parse(text).unwrap().string().as_deref(), Some(content));
    }
    assert_eq!(Json::parse(b"1").unwrap().string(), None);
}

#[test]
fn names_of_fields_match_without_regard_to_case() {
    assert!(names_field("ISS", "iss"));
    assert!(names_field("i\u{17f}\u{17f}", "iss"));
    assert!(names_field("JWK\u{17f}_uri", "jwks_uri"));
    assert!(names_field("jw\u{212a}s_uri", "jwks_uri"));
    assert!(!names_field("is", "iss"));
    assert!(!names_field("\u{131}ss", "iss"));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn rebuilt(json: Json<'_>) -> Value {
    match json.kind() {
        Kind::Null => Value::Null,
        Kind::Bool(value) => Value::from(value),
        Kind::Number => serde_json::from_slice(json.raw()).unwrap(),
        Kind::String => Value::from(json.string().unwrap()),
        Kind::Array => json.elements().map(rebuilt).collect::<Vec<_>>().into(),
        Kind::Object => Value::Object(json.members().map(|(name, value)| (name, rebuilt(value))).collect()),
    }
}

proptest! {
    #[test]
    fn what_serde_json_writes_is_read_back(value in value()) {
        for text in [serde_json::to_string(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap()] {
            let read: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(rebuilt(Json::parse(text.as_bytes()).unwrap()), read);
        }
    }

    #[test]
    fn serde_json_and_we_agree_on_what_is_json(text in "[\\[\\]{}:,\"a\\\\u0 1tfnrulesE+.-]{0,24}") {
        // serde_json refuses lone surrogates and numbers beyond f64, Go's scanner does not.
        if serde_json::from_str::<Value>(&text).is_ok() {
            prop_assert!(Json::parse(text.as_bytes()).is_ok());
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
        if let Ok(json) = Json::parse(&bytes) {
            json.members().for_each(drop);
            json.elements().for_each(drop);
        }
    }
}
