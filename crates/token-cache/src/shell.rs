//! Quoting for POSIX shells.

/// `word` as one word of a shell command line: bare where that is safe, in single quotes otherwise.
pub fn quote(word: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "-_=./:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(bare) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The words of a command line, with single and double quotes and backslashes as a shell reads them. Nothing is
/// expanded. `None` when a quote does not end.
pub fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next()? {
                        '"' => break,
                        '\\' => match characters.next()? {
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(characters.next()?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_command_line_splits_as_in_a_shell() {
        let split = |line| words(line).map(|w| w.join("|"));
        assert_eq!(split("firefox -P work %s").as_deref(), Some("firefox|-P|work|%s"));
        assert_eq!(split(r#"'My Browser' --x="a b" c\ d ''"#).as_deref(), Some("My Browser|--x=a b|c d|"));
        assert_eq!(split("  ").as_deref(), Some(""));
        assert_eq!(split("'open"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_shell_reads_back_what_was_quoted(word in "[^\0]{0,24}") {
            let output = Command::new("sh").arg("-c").arg(format!("printf %s {}", quote(&word))).output().unwrap();
            prop_assert_eq!(String::from_utf8(output.stdout).unwrap(), word.clone());
            prop_assert_eq!(words(&quote(&word)), Some(vec![word]));
        }
    }
}
