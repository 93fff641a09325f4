//! What a change does to a file, as people read it.

use std::fmt::Write as _;
use std::path::Path;

use similar::{ChangeTag, DiffTag, DiffableStr as _, TextDiff};

use crate::document::Document;

/// The lines that are shown around a change.
const AROUND: usize = 3;

/// What differs between two texts of one file, in the form of `diff -u`, without their secrets. Empty if nothing does.
/// Very long lines (certificates) are shortened.
pub fn difference(file: &Path, before: &Document, after: &Document) -> String {
    let mut out = String::new();
    if before.text() == after.text() {
        return out;
    }
    let (old, new) = (before.masked(), after.masked());
    let (old, new) = (old.tokenize_lines(), new.tokenize_lines());
    // By what is really there: a secret that changes is a change too.
    let diff = TextDiff::from_lines(before.text(), after.text());
    // Writing to a String cannot fail.
    let _ = writeln!(out, "--- {0}\n+++ {0}", file.display());
    for group in diff.grouped_ops(AROUND) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let range = |start: usize, end: usize| match end - start {
            0 => format!("{start},0"),
            1 => (start + 1).to_string(),
            lines => format!("{},{lines}", start + 1),
        };
        let _ = writeln!(
            out,
            "@@ -{} +{} @@",
            range(first.old_range().start, last.old_range().end),
            range(first.new_range().start, last.new_range().end)
        );
        for op in &group {
            let (tag, was, is) = op.as_tag_tuple();
            let (gone, come) = match tag {
                DiffTag::Equal => (ChangeTag::Equal, None),
                DiffTag::Delete | DiffTag::Insert | DiffTag::Replace => {
                    (ChangeTag::Delete, Some(ChangeTag::Insert))
                }
            };
            old.get(was).unwrap_or_default().iter().for_each(|line| write_line(&mut out, gone, line));
            if let Some(come) = come {
                new.get(is).unwrap_or_default().iter().for_each(|line| write_line(&mut out, come, line));
            }
        }
    }
    out
}

fn write_line(out: &mut String, tag: ChangeTag, line: &str) {
    let content = line.trim_end_matches(['\r', '\n']);
    let _ = writeln!(out, "{tag}{}", shortened(content));
    if content.len() == line.len() {
        out.push_str("\\ No newline at end of file\n");
    }
}

/// The beginning of a line that nobody would read to its end.
fn shortened(line: &str) -> String {
    const LONGEST: usize = 180;
    const KEPT: usize = 80;
    let length = line.chars().count();
    if length <= LONGEST {
        return line.to_owned();
    }
    let begin: String = line.chars().take(KEPT).collect();
    format!("{begin}… ({length} characters)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Place;

    #[test]
    fn a_difference_shows_what_changes_and_no_secret() {
        let text = "# mine\nclusters: []\nusers:\n- name: a\n  user:\n    token: s3cret\n- name: b\n  user: {}\nx: 1\ny: 2\nz: 3\nend: 1";
        let before = Document::parse(text).unwrap();
        let mut after = before.clone();
        after.set(&Place::user("a").key("token"), "n3w").unwrap();
        after.set(&Place::user("b").key("username"), "me").unwrap();
        after.set(&Place::top("end"), "x".repeat(500)).unwrap();
        let shown = difference(Path::new("/home/me/.kube/config"), &before, &after);
        let expected = format!(
            "--- /home/me/.kube/config\n+++ /home/me/.kube/config\n@@ -3,10 +3,11 @@\n users:\n - name: a\n   user:\n\
             -    token: [redacted]\n+    token: [redacted]\n - name: b\n-  user: {{}}\n+  user:\n+    username: me\n x: 1\n y: 2\n z: 3\n\
             -end: 1\n\\ No newline at end of file\n+end: {}… (505 characters)\n\\ No newline at end of file\n",
            "x".repeat(75)
        );
        assert_eq!(shown, expected);
        assert_eq!(difference(Path::new("x"), &before, &before), "");
    }

    #[test]
    fn a_new_file_is_all_added() {
        let before = Document::parse("").unwrap();
        let mut after = before.clone();
        after.set(&Place::top("kind"), "Config").unwrap();
        assert_eq!(
            difference(Path::new("f"), &before, &after),
            "--- f\n+++ f\n@@ -0,0 +1 @@\n+kind: Config\n"
        );
    }
}
