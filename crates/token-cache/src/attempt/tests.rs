use kubesso_ambient::SeededEntropy;

use super::*;
use crate::testing;

const NOW: i64 = 1_800_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(NOW + second).unwrap()
}

fn after(prompts: u32) -> Record {
    let mut record = Record::default();
    for _ in 0..prompts {
        record.prompt_failed("nobody signed in".to_owned(), at(0));
    }
    record
}

#[test]
fn prompts_that_come_to_nothing_are_followed_by_longer_and_longer_pauses() {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 3600;
    for (prompts, unattended, attended) in [
        (0, 0, 0),
        (1, MINUTE, 0),
        (2, 2 * MINUTE, 0),
        (3, 4 * MINUTE, MINUTE),
        (4, 8 * MINUTE, 2 * MINUTE),
        (6, 32 * MINUTE, 8 * MINUTE),
        (7, HOUR, 16 * MINUTE),
        (8, HOUR, 32 * MINUTE),
        (9, HOUR, HOUR),
        (500, HOUR, HOUR),
    ] {
        let record = after(prompts);
        for (attendance, pause) in [(Attendance::Unattended, unattended), (Attendance::Attended, attended)] {
            let left = |second| record.back_off(at(second), attendance).map(|b| b.remaining.as_secs());
            assert_eq!(left(0).unwrap_or(0), pause, "{prompts} {attendance:?}");
            assert_eq!(left(pause), None, "{prompts} {attendance:?}");
            assert_eq!(left(pause - 1), (pause > 0).then_some(1), "{prompts} {attendance:?}");
        }
    }
}

#[test]
fn a_clock_that_was_moved_back_locks_nobody_out() {
    assert_eq!(after(9).back_off(at(-1), Attendance::Unattended), None);
    let mut record = Record::default();
    record.refresh_failed("down".to_owned(), at(0));
    assert!(record.permits_refresh(at(-1)));
}

#[test]
fn a_success_begins_anew() {
    let mut record = after(5);
    record.refresh_failed("down".to_owned(), at(0));
    record.succeeded();
    assert_eq!(record, Record::default());
}

#[test]
fn a_refresh_that_fails_is_not_repeated_at_once() {
    let mut record = Record::default();
    for (pause, failures) in [(0, 0), (10, 1), (20, 2), (40, 3), (300, 6), (300, 60)] {
        while record.refreshes.count < failures {
            record.refresh_failed("down".to_owned(), at(0));
        }
        assert_eq!(record.permits_refresh(at(pause - 1)), pause == 0, "{failures}");
        assert!(record.permits_refresh(at(pause)), "{failures}");
    }
}

fn attempt(prompt: Option<Prompt>, outcome: Option<Outcome>) -> Record {
    let attempt = Attempt {
        id: 1,
        process: 7,
        started_at: NOW,
        prompt,
        is_handed_over: false,
        outcome,
        ended_at: None,
    };
    Record { latest: Some(attempt), ..Record::default() }
}

#[test]
fn a_refresh_does_not_begin_beside_one_that_is_under_way() {
    let under_way = attempt(None, None);
    for (second, permitted) in [(-1, true), (0, false), (59, false), (60, true)] {
        assert_eq!(under_way.permits_refresh(at(second)), permitted, "{second}");
    }
    assert!(attempt(None, Some(Outcome::Succeeded)).permits_refresh(at(0)));
}

#[test]
fn a_prompt_whose_process_was_killed_came_to_nothing() {
    for (mut record, pause) in [
        (attempt(Some(Prompt::Browser), None), Some(50)),
        (attempt(Some(Prompt::Code), None), Some(50)),
        (attempt(None, None), None),
        (attempt(Some(Prompt::Browser), Some(Outcome::Succeeded)), None),
        (Record::default(), None),
    ] {
        record.bury();
        record.bury();
        let left = record.back_off(at(10), Attendance::Unattended).map(|b| b.remaining.as_secs());
        assert_eq!(left, pause, "{record:?}");
    }
}

#[test]
fn a_record_that_cannot_be_read_is_empty() {
    let directory = tempfile::tempdir().unwrap();
    let paths = testing::paths(directory.path());
    assert_eq!(Record::load(&paths), Record::default());
    let record =
        Record { prompts: after(2).prompts, ..attempt(Some(Prompt::Code), Some(Outcome::Interrupted)) };
    record.save(&paths, &SeededEntropy::new(1)).unwrap();
    assert_eq!(Record::load(&paths), record);
    for text in ["", "{", "[]", "null", r#"{"prompts":{"count":-1}}"#, "{\"latest\":7}"] {
        fs::write(paths.attempt(), text).unwrap();
        assert_eq!(Record::load(&paths), Record::default(), "{text}");
    }
    fs::write(paths.attempt(), r#"{"later":1,"prompts":{"count":4294967295,"at":-9223372036854775808}}"#)
        .unwrap();
    assert_eq!(Record::load(&paths).back_off(at(0), Attendance::Unattended), None);
}
