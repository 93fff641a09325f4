//! From a text (an error, a screenshot's worth of it, a log) to the rows that it speaks of.

use serde::Serialize;

use crate::ambiguity::{self, Ambiguity};
use crate::check_id::CheckId;
use crate::checks::readable;
use crate::facts::{Facts, FilledMend};
use crate::log_time;
use crate::redact::Redactor;
use crate::row::{Row, Strength};
use crate::signs::{self, Recognised};
use kubesso_clusters::Target;

/// The row of a token that has expired.
const EXPIRED: CheckId = CheckId::new(11);

/// A text this short may be one message that a terminal or a chat broke into lines.
const LINES_OF_A_MESSAGE: usize = 40;

/// Reads a text line by line and keeps what it recognises, not the text.
#[derive(Debug, Default)]
pub struct Explainer {
    redactor: Redactor,
    lines: usize,
    found: Vec<Seen>,
    unclear: Vec<&'static Ambiguity>,
    /// The first lines, redacted, for messages that go over several.
    beginning: Vec<String>,
}

/// A row, as often as it was seen.
#[derive(Debug)]
struct Seen {
    row: &'static Row,
    strength: Strength,
    facts: Facts,
    text: String,
    line: usize,
    times: usize,
}

impl Explainer {
    /// Takes the next line.
    pub fn read(&mut self, line: &str) {
        self.lines += 1;
        let begins = self.beginning.len() <= LINES_OF_A_MESSAGE;
        // A log is long, and hardly a line of it is of interest; the redactor has to see where a key begins and ends.
        if !begins && !may_say_something(line) && !line.contains("PRIVATE KEY-----") {
            return;
        }
        let line = self.redactor.line(line);
        self.look_at(&line, self.lines);
        if begins {
            self.beginning.push(line);
        }
    }

    fn look_at(&mut self, line: &str, number: usize) {
        for mut recognised in signs::recognise(line) {
            // Moments, and it is the clocks; hours, and it is an old token.
            let end = recognised.facts.shown("got").filter(|_| recognised.row.id == EXPIRED);
            if let Some(passed) = end.and_then(|end| log_time::before(line, &end)) {
                recognised.facts.add("ended", &format!("{} before the request", readable(passed)));
            }
            self.remember(recognised, number);
        }
        for it in ambiguity::ALL {
            if it.is_said_by(line) && !self.unclear.iter().any(|known| known.name == it.name) {
                self.unclear.push(it);
            }
        }
    }

    /// One finding for a row; what stands in it is from its strongest and first text.
    fn remember(&mut self, new: Recognised, line: usize) {
        let Recognised { row, strength, facts, text } = new;
        match self.found.iter_mut().find(|seen| seen.row.id == row.id) {
            Some(seen) if seen.strength >= strength => {
                seen.times += 1;
                seen.facts.complete_with(&facts);
            }
            Some(seen) => {
                let times = seen.times + 1;
                *seen = Seen { row, strength, facts, text, line, times };
            }
            None => self.found.push(Seen { row, strength, facts, text, line, times: 1 }),
        }
    }

    /// A message over several lines is looked at as one, if its lines alone said nothing sure.
    fn look_at_all_as_one(&mut self) {
        let is_sure = self.found.iter().any(|seen| seen.strength >= Strength::Likely);
        if is_sure || !(2..=LINES_OF_A_MESSAGE).contains(&self.beginning.len()) {
            return;
        }
        let words: Vec<_> = self.beginning.iter().flat_map(|line| line.split_whitespace()).collect();
        let whole = words.join(" ");
        self.look_at(&whole, 1);
    }

    /// What the text says; lines to change as `target` has them.
    pub fn explain(mut self, target: Target) -> Explanation {
        self.look_at_all_as_one();
        let mut found = self.found;
        found.sort_by_key(|seen| (std::cmp::Reverse(seen.strength), seen.line, seen.row.id));
        let sure: Vec<_> =
            found.iter().filter(|seen| seen.strength >= Strength::Likely).map(|seen| seen.row.id).collect();
        let mut all = Facts::default();
        for seen in &found {
            all.complete_with(&seen.facts);
        }
        // What is clear answers the question that a vaguer text leaves; and one question is enough at a time.
        let unclear = self.unclear.into_iter().filter(|it| !it.candidates().any(|id| sure.contains(&id)));
        let order = |it: &&Ambiguity| ambiguity::ALL.iter().position(|known| known.name == it.name);
        let undecided = unclear.filter(|_| sure.is_empty()).min_by_key(order);
        let open = undecided.map(|it| it.candidates().collect::<Vec<_>>()).unwrap_or_default();
        Explanation {
            lines: self.lines,
            findings: found
                .iter()
                .filter(|seen| {
                    seen.strength >= Strength::Likely || !open.contains(&seen.row.id) && sure.is_empty()
                })
                .map(|seen| Finding::new(seen, target))
                .collect(),
            undecided: undecided.map(|it| Undecided::new(it, all)),
        }
    }
}

fn may_say_something(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    signs::may_say_something(&lower) || ambiguity::ALL.iter().any(|it| it.may_be_said_by(&lower))
}

/// Explains a whole text.
pub fn explain(text: &str, target: Target) -> Explanation {
    let mut explainer = Explainer::default();
    text.lines().for_each(|line| explainer.read(line));
    explainer.explain(target)
}

/// What a text says.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// How many lines were read.
    pub lines: usize,
    /// The rows that it speaks of, the surest first.
    pub findings: Vec<Finding>,
    /// Where it says too little: what to look at next.
    pub undecided: Option<Undecided>,
}

/// A row that a text speaks of.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// Its name.
    pub id: CheckId,
    /// What is wrong.
    pub title: &'static str,
    /// How sure that is.
    pub strength: Strength,
    /// The line that says it, counted from 1.
    pub line: usize,
    /// In how many lines.
    pub times: usize,
    /// The part of the line that says it, redacted.
    pub text: String,
    /// What was expected, and what came, where the text has either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair: Option<Pair>,
    /// All that the text names.
    pub facts: Facts,
    /// How it comes about.
    pub cause: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to change.
    pub mend: Vec<FilledMend>,
    /// How to see that it is mended.
    pub retest: String,
}

/// Two things that ought to be the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// What was expected.
    pub expected: Side,
    /// What came.
    pub got: Side,
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// What it is.
    pub what: &'static str,
    /// Its value; none where the text does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// A text that says too little.
#[derive(Debug, Serialize)]
pub struct Undecided {
    /// Its name.
    pub name: &'static str,
    /// What it says and does not say.
    pub said: &'static str,
    /// What it names all the same: the user, what was asked for.
    pub facts: Facts,
    /// The rows that it can be, likeliest first.
    pub candidates: Vec<Candidate>,
    /// What to look at, in this order.
    pub questions: Vec<Asked>,
}

/// A row that may be the cause.
#[derive(Debug, Serialize)]
pub struct Candidate {
    /// Its name.
    pub id: CheckId,
    /// What would be wrong.
    pub title: &'static str,
}

/// Something to look at.
#[derive(Debug, Serialize)]
pub struct Asked {
    /// What is asked.
    pub ask: &'static str,
    /// The command that answers it.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub command: &'static str,
    /// What can come of it.
    pub answers: Vec<Answer>,
}

/// What can come of a look.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// What one sees.
    pub answer: &'static str,
    /// The rows that it leaves.
    pub rows: Vec<CheckId>,
}

impl Finding {
    fn new(seen: &Seen, target: Target) -> Self {
        let row = seen.row;
        let side = |what, name| Side { what, value: seen.facts.shown(name) };
        let pair = row
            .compares
            .map(|words| Pair { expected: side(words.expected, "expected"), got: side(words.got, "got") })
            .filter(|pair| pair.expected.value.is_some() || pair.got.value.is_some());
        Self {
            id: row.id,
            title: row.title,
            strength: seen.strength,
            line: seen.line,
            times: seen.times,
            text: seen.text.clone(),
            pair,
            facts: seen.facts.clone(),
            cause: row.cause,
            why: row.why,
            mend: seen.facts.mends(row, target),
            retest: seen.facts.fill(row.retest, row.compares),
        }
    }
}

impl Undecided {
    fn new(it: &'static Ambiguity, facts: Facts) -> Self {
        let candidate = |id| crate::catalogue::row(id).map(|row| Candidate { id, title: row.title });
        let answer = |&(answer, rows): &(&'static str, &'static [u8])| Answer {
            answer,
            rows: rows.iter().copied().map(CheckId::new).collect(),
        };
        Self {
            name: it.name,
            said: it.said,
            facts,
            candidates: it.candidates().filter_map(candidate).collect(),
            questions: it
                .questions
                .iter()
                .map(|question| Asked {
                    ask: question.ask,
                    command: question.command,
                    answers: question.answers.iter().map(answer).collect(),
                })
                .collect(),
        }
    }
}
