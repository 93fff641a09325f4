//! Two texts, line by line: what goes and what comes, with a little of what stays around it.

/// So many lines around a change are shown.
const AROUND: usize = 2;

/// The lines of a change, each behind `-`, `+` or a blank; `…` where lines that stay are left out.
pub(crate) fn line_diff(old: &str, new: &str) -> Vec<(char, String)> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let all = edits(&old, &new);
    let is_near = |index: usize| {
        let from = index.saturating_sub(AROUND);
        all.iter().skip(from).take(index - from + AROUND + 1).any(|(sign, _)| *sign != ' ')
    };
    let mut shown: Vec<(char, String)> = Vec::new();
    for (index, (sign, line)) in all.iter().enumerate() {
        if is_near(index) {
            shown.push((*sign, (*line).to_owned()));
        } else if shown.last().is_none_or(|(sign, _)| *sign != '…') {
            shown.push(('…', String::new()));
        }
    }
    shown
}

/// The longest common subsequence, by the table: files here have some hundred lines.
fn edits<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    let mut longest = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for (at, line) in old.iter().enumerate().rev() {
        for (other, wanted) in new.iter().enumerate().rev() {
            longest[at][other] = if line == wanted {
                longest[at + 1][other + 1] + 1
            } else {
                longest[at + 1][other].max(longest[at][other + 1])
            };
        }
    }
    let (mut at, mut other, mut all) = (0, 0, Vec::new());
    while at < old.len() || other < new.len() {
        if at < old.len() && other < new.len() && old[at] == new[other] {
            all.push((' ', old[at]));
            (at, other) = (at + 1, other + 1);
        } else if at < old.len() && (other == new.len() || longest[at + 1][other] >= longest[at][other + 1]) {
            all.push(('-', old[at]));
            at += 1;
        } else {
            all.push(('+', new[other]));
            other += 1;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_line_is_shown_with_its_neighbours() {
        let old = "a\nb\nc\nd\ne\nf\ng\n";
        let new = "a\nb\nc\nd\nE\nf\ng\nh\n";
        let shown: Vec<String> =
            line_diff(old, new).into_iter().map(|(sign, line)| format!("{sign}{line}")).collect();
        assert_eq!(shown, ["…", " c", " d", "-e", "+E", " f", " g", "+h"]);
    }

    #[test]
    fn what_goes_and_what_stays_is_the_old_text_and_what_comes_and_stays_the_new() {
        let texts = ["", "a", "a\nb", "b\na", "a\nx\nb\ny", "y\ny\ny"];
        for old in texts {
            for new in texts {
                let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
                let all = edits(&old, &new);
                let without =
                    |sign| all.iter().filter(|one| one.0 != sign).map(|one| one.1).collect::<Vec<_>>();
                assert_eq!((without('+'), without('-')), (old, new));
            }
        }
    }
}
