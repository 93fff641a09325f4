//! The texts that people paste, and what the doctor says of them.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::print::{self, Paint};
use crate::{CheckId, Explanation, Strength, Target, explain, row, rows};

mod texts;

fn explained(text: &str) -> Explanation {
    explain(text, Target::StaticPod)
}

fn screen(text: &str) -> String {
    print::explanation(&explained(text), Paint::Plain)
}

#[test]
fn each_text_names_its_row_first() {
    for (number, text, facts) in texts::NAMED {
        let explanation = explained(text);
        let first = explanation.findings.first().unwrap_or_else(|| panic!("nothing recognised in {text}"));
        assert_eq!(first.id, CheckId::new(*number), "{text}\n{explanation:#?}");
        for (name, value) in *facts {
            assert_eq!(first.facts.shown(name).as_deref(), Some(*value), "{name} of {text}");
        }
    }
}

#[test]
fn every_row_that_a_text_can_name_has_such_a_text_among_the_tests() {
    let tested: BTreeSet<_> = texts::NAMED.iter().map(|(number, ..)| *number).collect();
    let recognisable: BTreeSet<_> =
        rows().iter().filter(|row| !row.signs.is_empty()).map(|row| row.id.number()).collect();
    assert_eq!(tested, recognisable);
}

#[test]
fn texts_that_say_too_little_are_answered_with_questions() {
    for (name, text) in texts::UNCLEAR {
        let explanation = explained(text);
        assert_eq!(explanation.undecided.as_ref().map(|it| it.name), Some(*name), "{text}\n{explanation:#?}");
        assert!(explanation.findings.iter().all(|it| it.strength == Strength::Possible), "{explanation:#?}");
    }
}

#[test]
fn texts_of_other_things_are_not_recognised() {
    for text in [
        "",
        "\n\n",
        "pods \"web\" not found",
        "I1128 12:00:00.1 1 controller.go:1] \"Starting\" controller=\"oidc\"",
        "E1128 12:00:00.1 1 authentication.go:75] \"Unable\" err=\"service account token has expired\"",
    ] {
        let explanation = explained(text);
        assert!(
            explanation.findings.is_empty() && explanation.undecided.is_none(),
            "{text}: {explanation:#?}"
        );
    }
}

#[test]
fn a_cause_in_the_log_answers_the_question_of_the_error() {
    let text = format!("{}\n{}", texts::UNAUTHORIZED, texts::NAMED[0].1);
    let explanation = explained(&text);
    assert!(explanation.undecided.is_none());
    assert_eq!(explanation.findings[0].id, CheckId::new(texts::NAMED[0].0));
    assert_eq!(explanation.findings[0].line, 2);
}

#[test]
fn how_long_ago_a_token_ended_tells_an_old_token_from_a_wrong_clock() {
    let line = "E1128 12:00:03.1       1 authentication.go:75] \"Unable to authenticate the request\" err=\"[invalid bearer token, oidc: verify \
                token: oidc: token is expired (Token Expiry: 2026-11-28 12:00:00 +0000 UTC)]\"";
    assert_eq!(explained(line).findings[0].facts.shown("ended").as_deref(), Some("3 s before the request"));
}

#[test]
fn a_message_that_was_broken_into_lines_is_recognised() {
    let explanation =
        explained("oidc: verify token: oidc: expected\n   audience \"kubernetes\" got\n[\"headlamp\"]");
    assert_eq!(explanation.findings[0].id, CheckId::new(9));
}

#[test]
fn a_log_is_counted_and_what_is_not_of_interest_is_passed_over() {
    let noise = "I1128 12:00:00.000000       1 httplog.go:134] \"HTTP\" verb=\"GET\" URI=\"/healthz\" latency=\"1ms\"\n";
    let error = format!("{}\n", texts::AUDIENCE);
    let log = format!("{}{}{}{error}", noise.repeat(500), error.repeat(41), noise.repeat(500));
    let explanation = explained(&log);
    assert_eq!(explanation.lines, 1042);
    assert_eq!((explanation.findings[0].times, explanation.findings[0].line), (42, 501));
}

#[test]
fn what_people_read_of_an_expected_and_a_given_audience() {
    insta::assert_snapshot!(screen(texts::AUDIENCE));
}

#[test]
fn what_people_read_of_a_bare_unauthorized() {
    insta::assert_snapshot!(screen(texts::UNAUTHORIZED));
}

#[test]
fn what_people_read_of_a_bare_forbidden() {
    insta::assert_snapshot!(screen(texts::FORBIDDEN));
}

#[test]
fn what_people_read_of_an_unknown_text() {
    insta::assert_snapshot!(screen("the coffee is cold"));
}

#[test]
fn what_people_read_of_a_row() {
    let row = row(CheckId::new(13)).unwrap();
    insta::assert_snapshot!(print::row(row, Target::StaticPod, Paint::Plain));
}

#[test]
fn lines_to_change_are_those_of_the_kind_of_cluster() {
    let explanation = explain(texts::AUDIENCE, Target::K3s);
    let lines: Vec<_> =
        explanation.findings[0].mend.iter().map(|mend| format!("{}: {}", mend.at, mend.line)).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn what_scripts_read() {
    let explanation = explained(texts::AUDIENCE);
    insta::assert_json_snapshot!(explanation);
}

#[test]
fn colours_do_not_change_the_words() {
    let coloured = print::explanation(&explained(texts::AUDIENCE), Paint::Colours);
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, behind)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = behind.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    // Colours count for the width of a line, which may then break a word earlier.
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&plain), words(&screen(texts::AUDIENCE)));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(?s).{0,400}") {
        let _ = screen(&text);
    }

    #[test]
    fn no_mutilated_message_makes_it_panic(which in 0..texts::NAMED.len(), from in 0..200_usize, length in 0..300_usize) {
        let text: String = texts::NAMED[which].1.chars().skip(from).take(length).collect();
        let _ = screen(&text);
    }

    #[test]
    fn no_token_comes_out_again(
        which in 0..texts::NAMED.len(),
        payload in "[A-Za-z0-9_-]{24,60}",
        signature in "[A-Za-z0-9_-]{24,80}",
        carrier in prop::sample::select(vec![
            "Authorization: Bearer {}", "\"id_token\":\"{}\"", "--token={}", "got [\"{}\"]", "Got = {}, want = x", "{}", "name={}",
        ]),
        at in 0..300_usize,
    ) {
        let token = format!("eyJhbGciOiJSUzI1NiJ9.eyJ{payload}.{signature}");
        let carried = carrier.replace("{}", &token);
        let text = texts::NAMED[which].1;
        let at = text.char_indices().map(|(index, _)| index).nth(at).unwrap_or(text.len());
        let pasted = format!("{} {carried} {}", &text[..at], &text[at..]);
        let explanation = explained(&pasted);
        let json = serde_json::to_string(&explanation).unwrap();
        for said in [json, screen(&pasted)] {
            prop_assert!(!said.contains(&payload) && !said.contains(&signature), "{said}");
        }
    }

    #[test]
    fn a_refresh_token_or_code_does_not_come_out_again(secret in "[A-Za-z0-9]{16,60}", which in 0..texts::NAMED.len()) {
        let secret = format!("a1{secret}");
        for carrier in ["refresh_token={}", "\"refresh_token\": \"{}\"", "?code={}&state=x", "https://jo:{}@sso.example"] {
            let pasted = format!("{} {}", carrier.replace("{}", &secret), texts::NAMED[which].1);
            prop_assert!(!screen(&pasted).contains(&secret), "{}", screen(&pasted));
        }
    }
}
