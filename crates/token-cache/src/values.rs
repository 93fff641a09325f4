//! The value syntaxes of kubelogin's flags, which are those of Go's pflag library, and its `~`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// `stringSlice`: the cells of one CSV line. Quoted cells may hold commas, and `""` is a quote in them.
///
/// Outside quotes a quote is an ordinary character here (Go's reader refuses it), so that nothing that a person
/// typed is lost.
pub fn csv_cells(value: &str) -> Vec<String> {
    let mut cells = Vec::new();
    let mut rest = value;
    loop {
        let (cell, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_cell(quoted),
            None => rest.find(',').map_or((rest.to_owned(), ""), |end| {
                let (cell, after) = rest.split_at(end);
                (cell.to_owned(), after)
            }),
        };
        cells.push(cell);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return cells,
        }
    }
}

/// What stands between the quotes, and what follows the next comma (comma included).
fn quoted_cell(text: &str) -> (String, &str) {
    let mut cell = String::new();
    let mut rest = text;
    while let Some(end) = rest.find('"') {
        let (before, from_quote) = rest.split_at(end);
        cell.push_str(before);
        let after = from_quote.strip_prefix('"').unwrap_or_default();
        if let Some(escaped) = after.strip_prefix('"') {
            cell.push('"');
            rest = escaped;
            continue;
        }
        let next = after.find(',').unwrap_or(after.len());
        let (tail, following) = after.split_at(next);
        cell.push_str(tail);
        return (cell, following);
    }
    cell.push_str(rest);
    (cell, "")
}

/// One cell of a CSV line, quoted only where it must be: what [`csv_cells`] and pflag's `StringSlice` read back.
pub fn csv_cell(value: &str) -> String {
    if value.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

/// `stringToString`: a value with exactly one `=` is one pair as it stands (outer quotes trimmed); with more, it
/// is CSV and each cell splits at its first `=`. Later pairs win over earlier ones of the same name.
pub fn key_values(values: &[String]) -> Result<BTreeMap<String, String>, String> {
    let mut pairs = BTreeMap::new();
    for value in values {
        let cells = match value.matches('=').count() {
            0 => return Err(format!("{value:?} must be formatted as key=value")),
            1 => vec![value.trim_matches('"').to_owned()],
            _ => csv_cells(value),
        };
        for cell in cells {
            let (key, text) =
                cell.split_once('=').ok_or_else(|| format!("{cell:?} must be formatted as key=value"))?;
            pairs.insert(key.to_owned(), text.to_owned());
        }
    }
    Ok(pairs)
}

/// `~` and `~/…` become the home directory; any other path stays.
pub fn expand_home(path: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) if rest.as_os_str().is_empty() => home.to_owned(),
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

/// Text from a provider, fit for a terminal and one line: without control characters, and not endless.
pub fn printable(text: &str) -> String {
    const LONGEST: usize = 500;
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let clean = clean.trim();
    match clean.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", clean.get(..end).unwrap_or_default()),
        None => clean.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn key_value_flags_read_as_pflag_reads_them() {
        let read = |value: &str| key_values(&[value.to_owned()]);
        assert_eq!(read("ttl=86400"), Ok(pairs(&[("ttl", "86400")])));
        assert_eq!(read("a=b,c"), Ok(pairs(&[("a", "b,c")])), "one `=` means one pair, commas and all");
        assert_eq!(read("a=b,c=d"), Ok(pairs(&[("a", "b"), ("c", "d")])));
        assert_eq!(read("a=b=c"), Ok(pairs(&[("a", "b=c")])));
        assert_eq!(
            read(r#""claims={""a"":""b=c,d""}""#),
            Ok(pairs(&[("claims", r#"{"a":"b=c,d"}"#)])),
            "CSV quoting protects commas"
        );
        assert!(read("ttl").is_err());
        assert!(read("a=b=c,d").is_err());
    }

    #[test]
    fn a_tilde_is_the_home_directory_and_only_a_whole_first_part() {
        let home = Path::new("/home/dev");
        for (path, expanded) in [
            ("~", "/home/dev"),
            ("~/.kube/ca.pem", "/home/dev/.kube/ca.pem"),
            ("~other/ca.pem", "~other/ca.pem"),
            ("/ca.pem", "/ca.pem"),
            ("ca~.pem", "ca~.pem"),
        ] {
            assert_eq!(expand_home(Path::new(path), Some(home)), Path::new(expanded), "{path}");
        }
        assert_eq!(expand_home(Path::new("~/x"), None), Path::new("~/x"), "without a home it stays");
    }

    #[test]
    fn a_provider_cannot_steer_the_terminal() {
        assert_eq!(printable("not\u{1b}[2Jallowed\r\nhere\n"), "not [2Jallowed  here");
        assert_eq!(printable(&"x".repeat(1000)).chars().count(), 501);
    }

    proptest! {
        #[test]
        fn a_quoted_cell_reads_back(cells in proptest::collection::vec("[ -~]{0,12}", 1..5)) {
            // A cell that begins with a quote is always written quoted, so that every text survives.
            let line = cells.iter().map(|c| csv_cell(c)).collect::<Vec<_>>().join(",");
            prop_assert_eq!(csv_cells(&line), cells);
        }
    }
}
