//! Asking the person at the keyboard. A thread waits for the answer, so that Ctrl-C and time limits are not held up.

use std::sync::Arc;

use kubesso_token_cache::Secret;
use tokio::sync::oneshot;

use crate::environment::Environment;
use crate::error::Error;

/// Shows `question` and reads a line. `what` names the answer in errors.
pub(crate) async fn line(
    environment: &Environment,
    question: &str,
    what: &'static str,
) -> Result<Secret, Error> {
    let _ = environment.stderr.write(question);
    read(environment, what).await
}

/// The same without showing what is typed. A pipe works as well as a terminal.
pub(super) async fn hidden(
    environment: &Environment,
    question: &str,
    what: &'static str,
) -> Result<Secret, Error> {
    let _ = environment.stderr.write(question);
    let hidden = environment.terminal.hide_input().map_err(Error::Input)?;
    let answer = read(environment, what).await;
    drop(hidden);
    answer
}

async fn read(environment: &Environment, what: &'static str) -> Result<Secret, Error> {
    let terminal = Arc::clone(&environment.terminal);
    let (sender, receiver) = oneshot::channel();
    std::thread::Builder::new()
        .name("keyboard".to_owned())
        // Nobody listens any more after Ctrl-C.
        .spawn(move || drop(sender.send(terminal.read_line())))
        .map_err(Error::Input)?;
    let mut question = Question { environment, is_answered: false };
    let line = receiver.await.map_err(|_| Error::InputEnded(what))?.map_err(Error::Input)?;
    question.is_answered = line.is_some();
    line.map(Secret::from).ok_or(Error::InputEnded(what))
}

/// A line on the screen that the person's Enter ends, or nobody.
struct Question<'a> {
    environment: &'a Environment,
    is_answered: bool,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        // What follows, after Ctrl-C too, begins on a line of its own.
        if !self.is_answered || !self.environment.terminal.is_terminal() {
            self.environment.say("");
        }
    }
}
