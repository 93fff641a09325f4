//! What people read: one verdict first, then the evidence, then what to do.

mod report;

use std::fmt::Write as _;

use crate::explain::{Explanation, Finding, Pair, Side, Undecided};
use crate::facts::Facts;
use crate::row::{Row, Strength};
use kubesso_clusters::Target;

pub use report::report;

/// Whether the terminal shows colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// ANSI colours.
    Colours,
    /// Text only.
    Plain,
}

const WIDTH: usize = 100;
const INDENT: &str = "    ";

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        match self {
            Self::Colours => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Plain => text.to_owned(),
        }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }
}

/// What a text says.
pub fn explanation(explanation: &Explanation, paint: Paint) -> String {
    let mut page = format!("{}\n", paint.bold(&verdict(explanation)));
    for finding in &explanation.findings {
        // Of a single one the verdict was the heading.
        if explanation.findings.len() > 1 {
            heading(&mut page, &finding.id.to_string(), finding.title, paint);
        }
        write_finding(&mut page, finding, explanation, paint);
    }
    if let Some(undecided) = &explanation.undecided {
        write_undecided(&mut page, undecided, paint);
    }
    if explanation.findings.is_empty() && explanation.undecided.is_none() {
        page.push('\n');
        paragraph(
            &mut page,
            "",
            "What helps most is the API server's log of the moment (kubectl -n kube-system logs -l component=kube-apiserver \
             --tail=5000 | kubesso doctor explain -), or what kubectl and the plugin said, letter by letter. `kubesso doctor \
             list` shows what is known.",
        );
    }
    page
}

/// One sentence.
fn verdict(explanation: &Explanation) -> String {
    match (explanation.findings.as_slice(), &explanation.undecided) {
        ([], None) => "Nothing in this text is known to the doctor.".to_owned(),
        ([], Some(undecided)) => {
            let number = undecided.candidates.len();
            format!("This text alone does not decide it: {number} causes give the same.")
        }
        ([only], _) if only.strength == Strength::Possible => format!("Perhaps {}: {}.", only.id, only.title),
        ([only], _) => format!("{}: {}.", only.id, only.title),
        ([first, rest @ ..], _) => {
            let others: Vec<_> = rest.iter().map(|finding| finding.id.to_string()).collect();
            format!("{}: {}. Also {}.", first.id, first.title, others.join(", "))
        }
    }
}

fn write_finding(page: &mut String, finding: &Finding, explanation: &Explanation, paint: Paint) {
    let place = match (explanation.lines, finding.times) {
        (0 | 1, _) => String::new(),
        (_, 1) => format!(" (line {})", finding.line),
        (_, times) => format!(" (line {} and {} more)", finding.line, times - 1),
    };
    field(page, "text", &format!("{}{}", finding.text, paint.dim(&place)), paint);
    write_pair(page, finding.pair.as_ref(), paint);
    for (name, value) in finding.facts.besides_the_pair() {
        field(page, name, &value, paint);
    }
    field(page, "cause", finding.cause, paint);
    field(page, "why", finding.why, paint);
    for mend in &finding.mend {
        field(page, "mend", &format!("{}: {}", mend.at, mend.line), paint);
    }
    field(page, "retest", &finding.retest, paint);
}

fn write_pair(page: &mut String, pair: Option<&Pair>, paint: Paint) {
    let Some(pair) = pair else { return };
    // Of a side whose value nobody said, what it is stands in its place.
    let value = |side: &Side| side.value.clone().unwrap_or_else(|| side.what.to_owned());
    let (expected, got) = (value(&pair.expected), value(&pair.got));
    let width = expected.chars().count().max(got.chars().count()).min(60);
    let line = |shown: String, plain: &str, side: &Side| {
        let gap = " ".repeat(width.saturating_sub(plain.chars().count()) + 2);
        let what = side.value.as_ref().map(|_| format!("{gap}{}", paint.dim(&format!("({})", side.what))));
        format!("{shown}{}", what.unwrap_or_default())
    };
    raw_field(page, "expected", &line(paint.green(&expected), &expected, &pair.expected), paint);
    raw_field(page, "got", &line(paint.red(&got), &got, &pair.got), paint);
}

fn write_undecided(page: &mut String, undecided: &Undecided, paint: Paint) {
    page.push('\n');
    paragraph(page, "", undecided.said);
    for (name, value) in undecided.facts.besides_the_pair() {
        field(page, name, &value, paint);
    }
    for (number, question) in undecided.questions.iter().enumerate() {
        let _ = write!(page, "\n{}\n", paint.bold(&format!("{}. {}", number + 1, question.ask)));
        if !question.command.is_empty() {
            // In one piece, to be copied.
            let _ = writeln!(page, "{INDENT}$ {}", question.command);
        }
        for answer in &question.answers {
            let rows: Vec<_> = answer.rows.iter().map(ToString::to_string).collect();
            paragraph(page, INDENT, &format!("{} → {}", answer.answer, rows.join(" ")));
        }
    }
    let _ = write!(page, "\n{}\n", paint.bold("What it can be, the likeliest first"));
    for candidate in &undecided.candidates {
        paragraph(page, INDENT, &format!("{}  {}", candidate.id, candidate.title));
    }
    let _ = write!(page, "\n{}\n", paint.dim("kubesso doctor explain KS… says more about one."));
}

/// All that the catalogue says of a row.
pub fn row(row: &Row, target: Target, paint: Paint) -> String {
    let mut page = format!("{}\n", paint.bold(&format!("{}: {}.", row.id, row.title)));
    page.push('\n');
    field(&mut page, "symptom", row.symptom, paint);
    if row.log.is_empty() {
        field(&mut page, "log", "(the API server's log says nothing)", paint);
    }
    for line in row.log {
        field(&mut page, "log", line, paint);
    }
    field(&mut page, "cause", row.cause, paint);
    field(&mut page, "why", row.why, paint);
    let sources: Vec<_> = row.looks_at.iter().map(|source| source.name()).collect();
    field(&mut page, "look at", &sources.join("; "), paint);
    if let Some(words) = row.compares {
        field(&mut page, "compare", &format!("{} — with — {}", words.expected, words.got), paint);
    }
    let facts = Facts::default();
    for mend in facts.mends(row, target) {
        field(&mut page, "mend", &format!("{}: {}", mend.at, mend.line), paint);
    }
    field(&mut page, "retest", &facts.fill(row.retest, row.compares), paint);
    page
}

fn heading(page: &mut String, id: &str, title: &str, paint: Paint) {
    let _ = write!(page, "\n{}  {}\n", paint.red(id), paint.bold(title));
}

/// `name` with a text that is wrapped beside it.
fn field(page: &mut String, name: &str, text: &str, paint: Paint) {
    let indent = " ".repeat(INDENT.len() + 10);
    let wrapped = wrap(text, WIDTH - indent.len());
    raw_field(page, name, &wrapped.join(&format!("\n{indent}")), paint);
}

fn raw_field(page: &mut String, name: &str, text: &str, paint: Paint) {
    let gap = " ".repeat(10_usize.saturating_sub(name.chars().count()).max(1));
    let _ = writeln!(page, "{INDENT}{}{gap}{text}", paint.dim(name));
}

fn paragraph(page: &mut String, indent: &str, text: &str) {
    for line in wrap(text, WIDTH - indent.len()) {
        let _ = writeln!(page, "{indent}{line}");
    }
}

/// At spaces; a word that is longer than a line stays whole, so that it can be copied.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let last = lines.last_mut();
        match last {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
