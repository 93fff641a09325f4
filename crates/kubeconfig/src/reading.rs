//! Any file of YAML as Kubernetes reads it, with the lines on which things stand.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::yaml::{self, Kind, Node, Pair, Unreadable};

/// The first document of a file. sigs.k8s.io/yaml, which all of Kubernetes reads YAML with, ignores the others.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// What it says; `null` when it says nothing.
    pub value: Value,
    /// Keys that stand in one mapping more than once. Strict readers refuse them; for others the last one counts.
    pub twice: Vec<Twice>,
    lines: HashMap<String, usize>,
}

/// A key that stands there once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twice {
    /// The path that leads to it: `jwt[0].issuer.url`.
    pub path: String,
    /// The key.
    pub key: String,
    /// The line of the key, from 1.
    pub line: usize,
    /// The line of what it says, which Kubernetes' parser names.
    pub value_line: usize,
}

impl Reading {
    /// Reads a text.
    ///
    /// # Errors
    /// It is no YAML, or says something that JSON cannot.
    pub fn of(text: &str) -> Result<Self, Unreadable> {
        let parsed = yaml::parse(text)?;
        let mut reading = Self { value: parsed.value, ..Self::default() };
        if let Some(root) = &parsed.root {
            let mut anchors = HashMap::new();
            if let Some(line) = indented_by_a_tab(text, root) {
                return Err(Unreadable::Meaning { line, what: "it is indented by a tab" });
            }
            reading.walk(root, String::new(), root.line, &mut anchors);
        }
        Ok(reading)
    }

    /// The line of what a path leads to (`jwt[0].issuer.url`); if it is not there, of the nearest thing around it.
    pub fn line(&self, path: &str) -> Option<usize> {
        let mut path = path;
        loop {
            if let Some(line) = self.lines.get(path) {
                return Some(*line);
            }
            path = path.get(..path.rfind(['.', '['])?)?;
        }
    }

    /// Everything is visited once: an alias is where it stands, not what it stands for.
    fn walk<'a>(
        &mut self,
        node: &'a Node,
        path: String,
        line: usize,
        anchors: &mut HashMap<usize, &'a Node>,
    ) {
        if node.anchor != 0 {
            anchors.insert(node.anchor, node);
        }
        match &node.kind {
            Kind::Mapping { pairs, .. } => {
                let mut seen = HashSet::new();
                for pair in pairs {
                    let place = |name: &str| {
                        if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
                    };
                    for key in keys(pair, anchors) {
                        if !seen.insert(key.clone()) {
                            let path = place(&key);
                            self.twice.push(Twice {
                                path,
                                key,
                                line: pair.key.line,
                                value_line: pair.value.line,
                            });
                        }
                    }
                    if let Some(name) = name(&pair.key) {
                        self.walk(&pair.value, place(name), pair.key.line, anchors);
                    }
                }
            }
            Kind::Sequence { items, .. } => {
                for (index, item) in items.iter().enumerate() {
                    self.walk(&item.node, format!("{path}[{index}]"), item.node.line, anchors);
                }
            }
            Kind::Alias(_) | Kind::Scalar { .. } => {}
        }
        self.lines.insert(path, line);
    }
}

/// The line of a key with a tab before it. The parser of Kubernetes takes none, ours does.
fn indented_by_a_tab(text: &str, node: &Node) -> Option<usize> {
    match &node.kind {
        Kind::Mapping { flow: false, pairs } => pairs.iter().find_map(|pair| {
            let before = text.get(..pair.key.start).unwrap_or_default();
            let indentation = before.rsplit(['\n', '\r']).next().unwrap_or_default();
            if indentation.contains('\t') {
                Some(pair.key.line)
            } else {
                indented_by_a_tab(text, &pair.value)
            }
        }),
        Kind::Sequence { flow: false, items } => {
            items.iter().find_map(|item| indented_by_a_tab(text, &item.node))
        }
        _ => None,
    }
}

/// What a pair adds to its mapping: its own key, or those of what it merges.
fn keys(pair: &Pair, anchors: &HashMap<usize, &Node>) -> Vec<String> {
    match name(&pair.key) {
        Some("<<") => merged(&pair.value, anchors),
        Some(name) => vec![name.to_owned()],
        None => Vec::new(),
    }
}

fn merged(node: &Node, anchors: &HashMap<usize, &Node>) -> Vec<String> {
    let node = match &node.kind {
        Kind::Alias(id) => anchors.get(id).copied().unwrap_or(node),
        _ => node,
    };
    match &node.kind {
        Kind::Mapping { pairs, .. } => {
            pairs.iter().filter_map(|pair| name(&pair.key)).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

fn name(key: &Node) -> Option<&str> {
    match &key.kind {
        Kind::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_line_of_its_key_or_of_what_is_around_it() {
        let reading = Reading::of("a: 1\nb:\n- c: 2\n  d: {e: 3}\n- [x,\n   y]\n").unwrap();
        for (path, line) in [
            ("a", 1),
            ("b", 2),
            ("b[0].c", 3),
            ("b[0].d.e", 4),
            ("b[0].d.missing", 4),
            ("b[1][1]", 6),
            ("b[7].c", 2),
            ("missing", 1),
        ] {
            let found = reading.line(path).or_else(|| reading.line(""));
            assert_eq!(found, Some(line), "{path}");
        }
    }

    #[test]
    fn a_tab_is_no_indentation_but_may_stand_between_words() {
        let line = |text: &str| Reading::of(text).err().map(|error| error.to_string());
        assert!(line("a:\n  b: 1\n\tc: 2\n").is_some());
        assert_eq!(line("- a\n-\tb: 1\n"), Some("line 2: it is indented by a tab".to_owned()));
        assert_eq!(line("a:\t1\nb:\t{c:\t2}\t# x\nd: |\n  \tx\n"), None);
    }

    #[test]
    fn a_key_that_is_there_once_more_is_found_also_where_it_is_merged() {
        let twice = |text: &str| {
            let reading = Reading::of(text).unwrap();
            reading.twice.into_iter().map(|it| (it.path, it.line)).collect::<Vec<_>>()
        };
        assert_eq!(twice("a: 1\nb: {c: 1, c: 2}\na: 3\n"), [("b.c".to_owned(), 2), ("a".to_owned(), 3)]);
        assert_eq!(twice("x: &x {a: 1}\ny:\n  <<: *x\n  a: 2\n"), [("y.a".to_owned(), 4)]);
        assert_eq!(twice("- {a: 1}\n- {a: 1}\n"), []);
    }
}
