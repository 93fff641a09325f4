use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::group::{Group, GroupType};
use crate::id::{ApplicationId, GroupId, UserId};
use crate::name::{Email, GroupName, Label};
use crate::user::{User, UserProfile};

fn person() -> Person {
    let mut profile = UserProfile::with_email(Email::parse("dev@example.com").unwrap()).unwrap();
    profile.first_name = Some("Dev".to_owned());
    let other = json!({
        "department": "IT", "level": 5, "contractor": false, "tags": ["a", "b"], "cost-center": "C9",
        "address": {"city": "Bern"}, "empty": "",
    });
    profile.other = other.as_object().unwrap().clone();
    let group = |id: &str, name: &str| {
        let id = GroupId::parse(id).unwrap();
        Group::new(id, GroupName::parse(name).unwrap(), "", Timestamp::UNIX_EPOCH)
    };
    let imported = Group { group_type: GroupType::App, ..group("00g3", "k8s-imported") };
    Person {
        user: User::new(UserId::parse("00u1").unwrap(), profile, Timestamp::UNIX_EPOCH),
        groups: vec![group("00g1", "k8s-admins"), group("00g2", "k8s-users"), imported],
        applications: BTreeSet::new(),
    }
}

fn application() -> Application {
    let id = ApplicationId::parse("0oa1").unwrap();
    let mut application =
        Application::native(id, Label::parse("k8s OIDC").unwrap(), Vec::new(), Timestamp::UNIX_EPOCH);
    application.other.insert("profile".to_owned(), json!({"tier": "gold", "allow": ["00g2", "00g9"]}));
    application.other.insert("secret".to_owned(), "hidden".into());
    application
}

fn evaluated(text: &str) -> Result<Value, String> {
    Expression::new(text).evaluate(&person(), &application()).map_err(|error| error.to_string())
}

fn all_have_values(cases: &[(&str, Value)]) {
    for (text, expected) in cases {
        assert_eq!(evaluated(text), Ok(expected.clone()), "{text}");
        assert_eq!(Expression::new(*text).check(), Ok(()), "{text}");
    }
}

#[test]
fn attributes_and_literals_are_what_they_say() {
    all_have_values(&[
        ("user.email", json!("dev@example.com")),
        ("user.profile.login", json!("dev@example.com")),
        ("appuser.firstName", json!("Dev")),
        ("user.lastName", Value::Null),
        ("user.unknown", Value::Null),
        ("user.status", json!("STAGED")),
        ("user['cost-center']", json!("C9")),
        ("user.profile[ \"department\" ]", json!("IT")),
        ("user.address.city", json!("Bern")),
        ("user.tags[1]", json!("b")),
        ("user.tags[7]", Value::Null),
        ("user.address['city']", json!("Bern")),
        ("user.getInternalProperty('created')", json!("1970-01-01T00:00:00.000Z")),
        ("app.clientId", json!("0oa1")),
        ("app.label", json!("k8s OIDC")),
        ("app.profile.tier", json!("gold")),
        ("app.profile.none", Value::Null),
        ("\"a b\"", json!("a b")),
        (r#"'it''s \'so\' \\ \d' + "" + """""#, json!("it's 'so' \\ \\d\"")),
        ("42", json!(42)),
        ("-1.5", json!(-1.5)),
        ("true", json!(true)),
        ("NULL", Value::Null),
        ("{}", json!([])),
        ("{'a', {1, 2}}", json!(["a", [1, 2]])),
    ]);
}

#[test]
fn operators_bind_as_in_okta() {
    all_have_values(&[
        ("'oidc:' + user.login", json!("oidc:dev@example.com")),
        (" user.firstName + \" \" + user.department ", json!("Dev IT")),
        ("user.firstName + user.lastName", Value::Null),
        ("1 + 2 - 4", json!(-1)),
        ("1 + 0.5", json!(1.5)),
        ("'level ' + user.level", json!("level 5")),
        ("user.department == 'IT'", json!(true)),
        ("user.department == 'it'", json!(false)),
        ("user.department != \"IT\"", json!(false)),
        ("user.unknown == null", json!(true)),
        ("user.level eq 5.0", json!(true)),
        ("user.level == \"5\"", json!(false)),
        ("user.level >= 5 && user.level < 6", json!(true)),
        ("user.unknown < 6 OR user.unknown >= 6", json!(false)),
        ("'a' < 'b'", json!(true)),
        ("user.tags == {'a', 'b'}", json!(true)),
        ("true OR true AND false", json!(true)),
        ("(true || true) and false", json!(false)),
        ("NOT user.level == 5", json!(false)),
        ("!user.contractor && !user.unknown", json!(true)),
        ("true == !false", json!(true)),
        ("!!true", json!(true)),
        ("false AND user.department", json!(false)),
        ("true ? 'a' : 'b'", json!("a")),
        ("false ? 1 : user.level > 4 ? 2 : 3", json!(2)),
        ("user.unknown ?: 'none'", json!("none")),
        ("user.empty ?: user.department", json!("IT")),
        ("user.level?:1", json!(5)),
    ]);
}

#[test]
fn functions_of_texts_do_as_oktas() {
    all_have_values(&[
        ("String.append('This is', ' a test')", json!("This is a test")),
        ("String.join(',', 'This', 'is', null, 'a', 'test')", json!("This,is,a,test")),
        ("String.join('', user.tags)", json!("ab")),
        ("String.len('Thís')", json!(4)),
        ("String.len(user.unknown)", json!(0)),
        ("String.removeSpaces('This is a test')", json!("Thisisatest")),
        ("String.replace('This is a test', 'is', 'at')", json!("That at a test")),
        ("String.replace('abc', '', 'x')", json!("abc")),
        ("String.replaceFirst('This is a test', 'is', 'at')", json!("That is a test")),
        ("String.startsWith(user.login, 'dev@')", json!(true)),
        ("String.startsWith(user.unknown, 'dev@')", json!(false)),
        ("String.stringContains('This is a test', 'test')", json!(true)),
        ("String.stringSwitch('This is a test', 'default', 'key1', 'value1')", json!("default")),
        (
            "String.stringSwitch('First match wins', 'd', 'absent', '1', 'wins', '2', 'match', '3')",
            json!("2"),
        ),
        ("String.stringSwitch('Substrings count', 'default', 'ring', 'value1')", json!("value1")),
        ("String.substring('This is a test', 2, 9)", json!("is is a")),
        ("String.substring('short', String.len('short')-20, 99)", json!("short")),
        ("String.substringBefore(user.login, '@')", json!("dev")),
        ("String.substringBefore('abc', '@')", json!("abc")),
        ("substringAfter(user.login, '@')", json!("example.com")),
        ("String.substringAfter('abc', '@')", json!("")),
        ("String.toUpperCase(user.unknown)", Value::Null),
        ("toUpperCase('This')", json!("THIS")),
        ("String.toLowerCase('ThiS')", json!("this")),
    ]);
}

#[test]
fn functions_of_lists_and_numbers_do_as_oktas() {
    all_have_values(&[
        ("Arrays.add({10, 20}, 30)", json!([10, 20, 30])),
        ("Arrays.add(user.unknown, 1)", json!([1])),
        ("Arrays.remove({10, 20, 30}, 20)", json!([10, 30])),
        ("Arrays.clear({1})", json!([])),
        ("Arrays.get({0, 1, 2}, 0)", json!(0)),
        ("Arrays.flatten(10, {20, 30}, 40)", json!([10, 20, 30, 40])),
        ("Arrays.contains({10, 20}, 10)", json!(true)),
        ("Arrays.contains(user.tags, 'c')", json!(false)),
        ("Arrays.size({10, 20})", json!(2)),
        ("Arrays.size(NULL)", json!(0)),
        ("Arrays.isEmpty(user.unknown)", json!(true)),
        ("Arrays.toCsvString({'This', 'is', ' a ', 'test'})", json!("This,is, a ,test")),
        ("Convert.toInt(' 1234 ')", json!(1234)),
        ("Convert.toInt(123.4)", json!(123)),
        ("Convert.toInt('123.6')", json!(124)),
        ("Convert.toNum('3.25')", json!(3.25)),
        ("Convert.toNum(user.unknown)", Value::Null),
    ]);
}

#[test]
fn functions_of_groups_ask_the_persons_groups() {
    all_have_values(&[
        ("isMemberOfGroup('00g1')", json!(true)),
        ("isMemberOfGroup('00g9')", json!(false)),
        ("isMemberOfAnyGroup('00g9', '00g2')", json!(true)),
        ("isMemberOfAnyGroup(app.profile.allow)", json!(true)),
        ("isMemberOfGroupName('k8s-admins')", json!(true)),
        ("isMemberOfGroupName('K8S-admins')", json!(false)),
        ("isMemberOfGroupNameStartsWith('k8s-')", json!(true)),
        ("isMemberOfGroupNameContains('admin')", json!(true)),
        ("isMemberOfGroupNameRegex('k8s-\\w+')", json!(true)),
        ("isMemberOfGroupNameRegex('k8s')", json!(false)),
        ("isMemberOfGroupName(user.unknown)", json!(false)),
        ("Groups.startsWith('OKTA', 'k8s-', 100)", json!(["k8s-admins", "k8s-users"])),
        ("Groups.contains(\"OKTA\", \"s-\", 1)", json!(["k8s-admins"])),
        ("Groups.endsWith('OKTA', 'users', 10)", json!(["k8s-users"])),
        ("getFilteredGroups(app.profile.allow, 'group.name', 40)", json!(["k8s-users"])),
        ("hasDirectoryUser() OR hasWorkdayUser()", json!(false)),
    ]);
}

#[test]
fn what_cannot_be_read_is_refused_when_it_is_written_and_told_where() {
    let value = "a value: an attribute, a function, a text in quotation marks or a number";
    let names = "user.<attribute>, appuser.<attribute>, app.id, app.clientId, app.label, app.profile.<attribute> or a \
                 function";
    let at = |position: usize, rest: &str| format!("at position {position} of the expression: {rest}");
    let expected =
        |position, expected: &str, found: &str| at(position, &format!("expected {expected}, found {found}"));
    let cases = [
        ("", expected(1, value, "the end")),
        ("user.email +", expected(13, value, "the end")),
        ("user.email user.login", expected(12, "an operator or the end", "`user.login`")),
        ("user.a = 'b'", expected(8, "an operator or the end", "`=`")),
        ("user.a == user.b == user.c", expected(18, "an operator or the end", "`=`")),
        ("'ü' + \"open", expected(7, "a text that ends with the quotation mark it begins with", "`\"`")),
        ("app.secret", expected(1, names, "`app.secret`")),
        ("user.", expected(1, names, "`user.`")),
        ("IT == user.department", expected(1, names, "`IT`")),
        ("true ? 1", expected(9, "`:` and what it is otherwise", "the end")),
        ("(true", expected(6, "an operator or `)`", "the end")),
        ("{1, 2", expected(6, "an operator, `,` or `}`", "the end")),
        ("1.2.3", expected(1, "a number", "`1.2.3`")),
        ("user[1]", expected(6, "an attribute's name in quotation marks", "`1`")),
        (
            "true && String.length(user.login)",
            at(9, "there is no function `String.length`; docs/languages.md lists those there are"),
        ),
        ("String.len()", at(1, "use String.len(text)")),
        ("1 + isMemberOfGroup('a', 'b')", at(5, "use isMemberOfGroup(id)")),
    ];
    for (text, expected) in cases {
        let error = Expression::new(text).check().unwrap_err();
        assert_eq!(error.to_string(), expected, "{text}");
        assert_eq!(evaluated(text), Err(expected), "{text}");
    }
}

#[test]
fn what_has_no_value_says_where_and_why_without_the_attributes_value() {
    let at = |position: usize, rest: &str| format!("at position {position} of the expression: {rest}");
    let cases = [
        ("user.tags + 'x'", at(1, "expected a text, found a list")),
        ("user.department - 1", at(1, "expected a number, found a text")),
        ("1 < user.department", at(5, "expected a number, like what it is compared with, found a text")),
        ("true AND user.department", at(10, "expected true or false, found a text")),
        ("user.department ? 1 : 2", at(1, "expected true or false, found a text")),
        ("Arrays.size(user.department)", at(13, "expected a list, found a text")),
        ("Convert.toInt('x')", at(15, "expected a number, or a text that is one, found a text")),
        ("String.substring('abc', 'x', 1)", at(25, "expected a whole number, found a text")),
        ("Groups.contains('OKTA', 'a', 0)", at(30, "expected a limit from 1 to 100, found another number")),
        (
            "Groups.contains('ldap', 'a', 1)",
            at(17, "expected \"OKTA\", as there are no groups of applications, found something else"),
        ),
        ("String.stringSwitch('a', 'b', 'c')", {
            at(1, "use String.stringSwitch(text, default, key, value, …), a value with each key")
        }),
        ("isMemberOfGroupNameRegex('a)|(b')", {
            at(26, "this is no regular expression: error: unopened group")
        }),
    ];
    for (text, expected) in cases {
        assert_eq!(evaluated(text), Err(expected), "{text}");
    }
}

#[test]
fn length_depth_parts_and_results_are_bounded() {
    let check = |text: String| Expression::new(text).check();
    assert_eq!(check("x".repeat(9000)), Err(ExpressionError::TooLong));
    for deep in ["(", "!", "{", "NOT ", "true ? ", "String.len(", "user.a ?: ", "user.a["] {
        assert_eq!(check(deep.repeat(100)), Err(ExpressionError::TooDeep), "{deep}");
    }
    assert_eq!(check(format!("user.a{}", "[0]".repeat(100))), Err(ExpressionError::TooDeep));
    assert_eq!(check(format!("1{}", " + 1".repeat(600))), Err(ExpressionError::TooManyParts));
    let mut growing = format!("'{}'", "a".repeat(100));
    for _ in 0..20 {
        growing = format!("String.replace({growing}, 'a', 'aaaaaaaaaa')");
    }
    let error = Expression::new(growing).evaluate(&person(), &application()).unwrap_err();
    assert!(matches!(error, ExpressionError::TooLarge { .. }), "{error}");
    let huge = Expression::new("isMemberOfGroupNameRegex('((\\w{100}){100}){100}')");
    assert!(matches!(huge.evaluate(&person(), &application()), Err(ExpressionError::Regex { .. })));
    let number = Expression::new("Convert.toInt('1e300')");
    let error = number.evaluate(&person(), &application()).unwrap_err();
    assert_eq!(error, ExpressionError::TooLarge { position: 15 });
}

#[test]
fn a_condition_can_be_true_or_false_and_knows_no_application() {
    let cases: &[(&str, Result<bool, &str>)] = &[
        ("user.department == 'IT'", Ok(true)),
        ("user.contractor", Ok(false)),
        ("user.unknown", Ok(false)),
        ("isMemberOfGroupName('k8s-admins') AND NOT user.level > 9", Ok(true)),
        ("user.level > 3 ? true : user.contractor", Ok(true)),
        ("true", Ok(true)),
        ("user.unknown ?: true", Ok(true)),
        ("'IT'", Err("1 of the expression: expected a condition, which is true or false, found a text")),
        (" 5", Err("2 of the expression: expected a condition, which is true or false, found a number")),
        ("{true}", Err("1 of the expression: expected a condition, which is true or false, found a list")),
        (
            "user.login",
            Err("1 of the expression: expected a condition, which is true or false, found a text"),
        ),
        (
            "true ? true : 'a'",
            Err("1 of the expression: expected a condition, which is true or false, found a text"),
        ),
        (
            "String.len('a')",
            Err("1 of the expression: expected a condition, which is true or false, found a number"),
        ),
        (
            "user.a == app.id",
            Err(
                "11 of the expression: expected an attribute of the user, found one of the application, which a \
                 condition does not know",
            ),
        ),
    ];
    for (text, expected) in cases {
        let expression = Expression::new(*text);
        let checked = expression.check_condition().and_then(|()| expression.condition(&person()));
        let expected = expected.map_err(|rest| format!("at position {rest}"));
        assert_eq!(checked.map_err(|error| error.to_string()), expected, "{text}");
    }
    let text = Expression::new("user.department").condition(&person()).unwrap_err().to_string();
    assert_eq!(text, "at position 1 of the expression: expected true or false, found a text");
    assert!(Expression::new("app.id == 'x'").condition(&person()).is_err());
}

#[test]
fn without_a_person_nothing_of_the_user_is_set() {
    for (text, expected) in [
        ("user.login", Value::Null),
        ("user.getInternalProperty('id')", Value::Null),
        ("isMemberOfGroupNameStartsWith('')", json!(false)),
        ("Groups.startsWith('OKTA', '', 5)", json!([])),
        ("app.id", json!("0oa1")),
    ] {
        assert_eq!(Expression::new(text).evaluate(None, &application()), Ok(expected), "{text}");
    }
}

const WORDS: [&str; 40] = [
    "user.login",
    "user.tags",
    "user.level",
    "user.unknown",
    "app.id",
    "user['x']",
    "'a'",
    "\"b\"",
    "7",
    "-2.5",
    "true",
    "null",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    "?",
    ":",
    "?:",
    "==",
    "!=",
    "<",
    ">=",
    "AND",
    "or",
    "NOT",
    "!",
    "+",
    "-",
    "String.substring(",
    "String.replace(",
    "Arrays.flatten(",
    "Convert.toInt(",
    "Groups.contains('OKTA',",
    "isMemberOfGroupNameRegex(",
    "String.stringSwitch(",
    "é",
];

proptest! {
    #[test]
    fn any_text_is_an_expression_or_an_error(text in "\\PC{0,80}") {
        let expression = Expression::new(text);
        let _ = (expression.check().map_err(|error| error.to_string()), expression.check_condition());
        let _ = (format!("{expression:?}"), expression.evaluate(&person(), &application()));
    }

    #[test]
    fn any_row_of_words_has_a_value_or_an_error(words in prop::collection::vec(prop::sample::select(&WORDS[..]), 0..12)) {
        let expression = Expression::new(words.join(" "));
        let value = expression.evaluate(&person(), &application());
        if expression.check().is_err() {
            prop_assert!(value.is_err());
        }
        let _ = (expression.condition(&person()), value.map_err(|error| error.to_string()));
    }

    #[test]
    fn a_text_that_is_quoted_is_itself(text in "[^\\\\]{0,20}") {
        for quote in ["'", "\""] {
            let quoted = format!("{quote}{}{quote}", text.replace(quote, &quote.repeat(2)));
            prop_assert_eq!(Expression::new(quoted).evaluate(&person(), &application()), Ok(json!(text)));
        }
    }
}
