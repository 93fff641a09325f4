//! What a document says, as JSON: kubectl turns every kubeconfig into JSON before it reads it.
//!
//! The rules are those of go.yaml.in/yaml v2 and sigs.k8s.io/yaml: YAML 1.1 scalars, a later key wins over an
//! earlier one of the same name, and `<<` writes over what stands before it.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::scalar::resolve;
use super::tree::{Kind, Node, Pair, Style};

/// Why a text cannot be read. Says where, never what stands there: that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The parser gave up.
    #[error("line {line} is not valid YAML")]
    Syntax {
        /// From 1.
        line: usize,
    },
    /// Valid YAML that has no JSON, or that kubectl does not take.
    #[error("line {line}: {what}")]
    Meaning {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl Unreadable {
    pub(super) fn syntax(line: usize) -> Self {
        Self::Syntax { line }
    }
}

/// More nodes than any kubeconfig has; aliases of aliases get there in a few lines.
const MOST_NODES: usize = 2_000_000;

/// The value of a document's root.
pub(super) fn evaluate(root: &Node) -> Result<Value, Unreadable> {
    Evaluation { anchors: HashMap::new(), nodes: 0 }.node(root)
}

struct Evaluation {
    /// The values of the anchored nodes so far, with the number of their nodes.
    anchors: HashMap<usize, (Value, usize)>,
    nodes: usize,
}

impl Evaluation {
    fn node(&mut self, node: &Node) -> Result<Value, Unreadable> {
        let before = self.nodes;
        self.count(1, node)?;
        let value = match &node.kind {
            Kind::Alias(id) => {
                let Some((value, nodes)) = self.anchors.get(id) else {
                    return wrong(node, "the alias stands inside what it names");
                };
                let (value, nodes) = (value.clone(), *nodes);
                self.count(nodes, node)?;
                value
            }
            Kind::Scalar { text, style } => {
                let plain = matches!(style, Style::Plain | Style::Empty);
                match resolve(text, plain, node.tag.as_deref()) {
                    Ok(value) => value,
                    Err(what) => return wrong(node, what),
                }
            }
            Kind::Sequence { items, .. } => {
                Value::Array(items.iter().map(|item| self.node(&item.node)).collect::<Result<_, _>>()?)
            }
            Kind::Mapping { pairs, .. } => Value::Object(self.mapping(pairs)?),
        };
        if node.anchor != 0 {
            self.anchors.insert(node.anchor, (value.clone(), self.nodes - before));
        }
        Ok(value)
    }

    fn mapping(&mut self, pairs: &[Pair]) -> Result<Map<String, Value>, Unreadable> {
        let mut object = Map::new();
        for Pair { key, value, .. } in pairs {
            if is_merge(key) {
                self.merge(value, &mut object)?;
                continue;
            }
            let name = match self.node(key)? {
                Value::String(name) => name,
                Value::Bool(name) => name.to_string(),
                Value::Number(name) => name.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    return wrong(key, "a key must be a text");
                }
            };
            let value = self.node(value)?;
            object.insert(name, value);
        }
        Ok(object)
    }

    fn merge(&mut self, from: &Node, object: &mut Map<String, Value>) -> Result<(), Unreadable> {
        const WANTED: &str = "`<<` takes a mapping or a list of mappings";
        match self.node(from)? {
            Value::Object(merged) => object.extend(merged),
            Value::Array(list) if matches!(from.kind, Kind::Sequence { .. }) => {
                // The first of the list wins.
                for merged in list.into_iter().rev() {
                    let Value::Object(merged) = merged else { return wrong(from, WANTED) };
                    object.extend(merged);
                }
            }
            _ => return wrong(from, WANTED),
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize, node: &Node) -> Result<(), Unreadable> {
        self.nodes += nodes;
        if self.nodes > MOST_NODES { wrong(node, "the aliases make the file too large") } else { Ok(()) }
    }
}

fn is_merge(key: &Node) -> bool {
    match &key.kind {
        Kind::Scalar { text, style } => {
            text == "<<"
                && match key.tag.as_deref() {
                    None => *style == Style::Plain,
                    Some(tag) => tag == "tag:yaml.org,2002:merge",
                }
        }
        _ => false,
    }
}

fn wrong<T>(node: &Node, what: &'static str) -> Result<T, Unreadable> {
    Err(Unreadable::Meaning { line: node.line, what })
}
