//! The oracle as a child process: one JSON line in, one out.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

pub(crate) struct Oracle {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// `None`, with a line that says so, when no peers are there.
    pub(crate) fn start() -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "where the peers are is the test runner's to say")]
        let Ok(folder) = std::env::var("KUBESSO_PEERS_DIR") else {
            println!("skipped: no peers (KUBESSO_PEERS_DIR); run cargo xtask test");
            return None;
        };
        let program = PathBuf::from(folder).join("authz-oracle");
        let mut child = Command::new(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Some(Self { questions: child.stdin.take(), child, answers })
    }

    pub(crate) fn ask(&mut self, question: &Value) -> Value {
        let questions = self.questions.as_mut().expect("open until dropped");
        writeln!(questions, "{question}").expect("the oracle reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the oracle answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?} to {question}"))
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        self.questions.take();
        let _ = self.child.wait();
    }
}
