//! Two texts, line by line: what goes and what comes, with a little of what stays around it.

use similar::{ChangeTag, TextDiff};

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

fn edits<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    let sign = |tag| match tag {
        ChangeTag::Equal => ' ',
        ChangeTag::Delete => '-',
        ChangeTag::Insert => '+',
    };
    let diff = TextDiff::from_slices(old, new);
    diff.iter_all_changes().map(|change| (sign(change.tag()), change.value())).collect()
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
