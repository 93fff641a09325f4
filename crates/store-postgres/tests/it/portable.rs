//! What the SQL that we send asks of a database that speaks PostgreSQL's protocol and is none. Neither CockroachDB nor
//! YugabyteDB runs in these tests: their own lists of what they lack are what it is held against
//! (<https://www.cockroachlabs.com/docs/stable/postgresql-compatibility>,
//! <https://docs.yugabyte.com/stable/explore/ysql-language-features/postgresql-compatibility/>).

use std::fs;
use std::path::{Path, PathBuf};

/// Words that stand for something that one of them lacks, and what.
const LACKING: [(&str, &str); 17] = [
    ("pg_advisory", "advisory locks"),
    ("pg_try_advisory", "advisory locks"),
    ("LISTEN", "events"),
    ("NOTIFY", "events"),
    ("pg_notify", "events"),
    ("DEFERRABLE", "deferrable constraints"),
    ("DEFERRED", "deferrable constraints"),
    ("EXCLUDE", "exclusion constraints"),
    ("INHERITS", "table inheritance"),
    ("LOCK TABLE", "locks of a table"),
    ("GIST", "GiST indexes"),
    ("PREPARE TRANSACTION", "two-phase commit"),
    ("CREATE TRIGGER", "triggers"),
    ("CREATE EXTENSION", "extensions"),
    ("ALTER TYPE", "changed types"),
    ("ctid", "the place of a row"),
    ("xmin", "the transaction of a row"),
];

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A file without its comments.
fn text(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let is_said = |line: &&str| !line.trim_start().starts_with("//") && !line.trim_start().starts_with("--");
    text.lines().filter(is_said).collect::<Vec<_>>().join("\n")
}

/// Whether a word stands in a text, and not within a longer one. `pg_advisory` is the beginning of several.
fn says(text: &str, word: &str) -> bool {
    let is_letter = |letter: Option<char>| letter.is_some_and(|it| it.is_alphanumeric() || it == '_');
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + word.len()..].chars().next());
        !is_letter(before) && (!is_letter(after) || word.starts_with("pg_"))
    })
}

#[test]
fn no_statement_needs_what_one_of_them_lacks() {
    assert!(says("SELECT pg_advisory_lock(1)", "pg_advisory") && says("LISTEN x", "LISTEN"));
    assert!(!says("TcpLISTENer", "LISTEN") && !says("maxctids", "ctid"));
    let mut files: Vec<_> = [("migrations", "sql"), ("src", "rs"), ("../store-sql/src", "rs")]
        .iter()
        .flat_map(|(folder, ending)| files(folder, ending))
        .collect();
    // What tests do to a server of their own is PostgreSQL's.
    files.retain(|file| !file.to_string_lossy().contains("testkit"));
    assert!(files.len() > 20, "{files:?}");
    let mut found = Vec::new();
    for file in &files {
        let text = text(file);
        for (word, what) in LACKING.iter().filter(|(word, _)| says(&text, word)) {
            found.push(format!("{}: {word} ({what})", file.display()));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// What stands in the way of one of them today (docs/serve.md says so), and no more of it.
#[test]
fn what_is_known_to_be_in_the_way_does_not_become_more() {
    let mut stored = Vec::new();
    let mut indexes = Vec::new();
    for file in files("migrations", "sql") {
        let text = text(&file);
        for line in text.lines() {
            if line.contains("GENERATED ALWAYS AS (") {
                stored.push(line.split_whitespace().next().unwrap().to_owned());
            }
        }
        let made = text.split(';').filter(|statement| statement.trim_start().starts_with("CREATE INDEX"));
        let computed = made.filter(|statement| statement.contains("_json"));
        indexes.extend(computed.map(|statement| statement.trim().to_owned()));
    }
    // YugabyteDB has them since 2025.1 (<https://docs.yugabyte.com/stable/api/ysql/pg15-features>).
    assert_eq!(stored, ["profile_json", "other_json"]);
    // CockroachDB has no index of an expression over a computed column
    // (<https://github.com/cockroachdb/cockroach/issues/67900>).
    assert!(indexes.is_empty(), "{indexes:?}");
}
