use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn a_filter_is_read_and_written_again() {
    let cases = [
        (r#"profile.email eq "a@x""#, r#"profile.email eq "a@x""#),
        (r#"status EQ "ACTIVE" AND NOT (a pr)"#, r#"status eq "ACTIVE" and not (a pr)"#),
        ("a pr or b pr and c pr", "a pr or (b pr and c pr)"),
        ("(a pr or b pr) and c pr", "(a pr or b pr) and c pr"),
        ("((a pr))", "a pr"),
        (
            r#"a sw "x\"y" and n ge -5 and b eq true and z ne null"#,
            r#"a sw "x\"y" and n ge -5 and b eq true and z ne null"#,
        ),
        ("not pr", "not pr"),
        (r#"lastUpdated gt "2026-11-22T00:00:00.000Z""#, r#"lastUpdated gt "2026-11-22T00:00:00.000Z""#),
        (r#"(a eq "x")and(b pr)"#, r#"a eq "x" and b pr"#),
    ];
    for (text, written) in cases {
        let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(filter.to_string(), written);
        assert_eq!(Filter::parse(written).as_ref(), Ok(&filter));
    }
}

#[test]
fn what_is_no_filter_is_refused_with_the_place_and_what_should_be_there() {
    let cases = [
        ("", "at character 1 of the filter there should be an attribute"),
        ("a", "at character 2 of the filter there should be eq, ne, co, sw, ew, gt, ge, lt, le or pr"),
        ("a is 5", "at character 3 of the filter there should be eq, ne, co, sw, ew, gt, ge, lt, le or pr"),
        (
            "a eq x",
            "at character 6 of the filter there should be a text in quotation marks, a number, true, false or null",
        ),
        ("ä eq 1", "`ä` is no attribute: use names of letters, digits, - and _ with dots between"),
        ("a..b pr", "`a..b` is no attribute: use names of letters, digits, - and _ with dots between"),
        ("(a pr", "at character 6 of the filter there should be `and`, `or` or `)`"),
        ("a pr b pr", "at character 6 of the filter there should be `and`, `or` or the end"),
        (
            r#"a eq "x"#,
            "at character 6 of the filter there should be a text in quotation marks, a number, true, false or null",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(Filter::parse(text).unwrap_err().to_string(), expected, "{text}");
    }
    assert_eq!(Filter::parse(&"a pr and ".repeat(300)), Err(FilterSyntaxError::TooManyTerms));
    assert_eq!(Filter::parse(&"(".repeat(100)), Err(FilterSyntaxError::TooDeep));
    assert_eq!(Filter::parse(&"x".repeat(9000)), Err(FilterSyntaxError::TooLong));
}

#[test]
fn a_filter_fits_an_object_or_not() {
    let object = json!({
        "login": "Dev@Example.com", "age": 30, "on": true, "tags": ["a", "b"], "nothing": null,
        "at": "2026-11-22T12:00:00.000Z",
    });
    let attribute = |path: &AttributePath| object.get(path.as_str()).cloned();
    let cases = [
        (r#"login eq "dev@example.com""#, true),
        (r#"login sw "DEV""#, true),
        (r#"login co "@exam" and login ew ".com""#, true),
        (r#"login ne "other""#, true),
        (r#"missing ne "other""#, true),
        (r#"missing eq "other""#, false),
        ("missing pr", false),
        ("nothing pr", false),
        ("nothing eq null", true),
        ("age gt 29.5 and age le 30", true),
        (r#"age eq "30""#, false),
        ("on eq true", true),
        (r#"tags eq "b""#, true),
        (r#"tags ne "b""#, false),
        (r#"at gt "2026-11-22T13:00:00+02:00""#, true),
        (r#"at lt "2026-11-22T12:00:00Z""#, false),
        ("not (login pr)", false),
    ];
    for (text, expected) in cases {
        assert_eq!(Filter::parse(text).unwrap().matches(&attribute), expected, "{text}");
    }
}

fn filters() -> impl Strategy<Value = Filter> {
    let attribute = "[a-z_][A-Za-z0-9_-]{0,6}(\\.[a-z][a-z0-9]{0,3}){0,2}".prop_map(AttributePath);
    let value = prop_oneof![
        any::<String>().prop_map(Literal::Text),
        any::<i64>().prop_map(|number| Literal::Number(number.into())),
        any::<bool>().prop_map(Literal::Boolean),
        Just(Literal::Null),
    ];
    let operator = prop::sample::select(&Comparison::ALL[..]);
    let leaf = prop_oneof![
        attribute.clone().prop_map(Filter::Present),
        (attribute, operator, value).prop_map(|(attribute, operator, value)| Filter::Compare {
            attribute,
            operator,
            value
        }),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|one| Filter::Not(Box::new(one))),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_a_filter_or_an_error(text in "\\PC{0,60}") {
        let _ = Filter::parse(&text);
    }

    #[test]
    fn a_filter_that_is_written_and_read_is_the_same(filter in filters()) {
        prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter));
    }
}
