//! Random kubeconfigs, written in random styles.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A file with what it says.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) text: String,
    pub(crate) value: Value,
    /// Everything is in block style, with at most one entry a line.
    pub(crate) block: bool,
}

/// Names that people give, with some that need quotes.
pub(crate) fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-c]",
        1 => Just("gke_project_zone".to_owned()),
        1 => Just("arn:aws:eks:eu:1:cluster/x".to_owned()),
        1 => Just("kubernetes-admin@k 8s".to_owned()),
        1 => Just("yes".to_owned()),
        1 => Just("12".to_owned()),
        1 => Just("a: #b".to_owned()),
        1 => Just("é'\"\\".to_owned()),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        name(),
        "[ -~]{0,12}",
        Just("line one\nline two\n".to_owned()),
        Just(" leading and trailing ".to_owned()),
        Just("QUJD".to_owned()),
        "[a-z]{60,90}",
    ]
}

fn exec() -> impl Strategy<Value = Value> {
    (text(), proptest::collection::vec(text(), 0..4), any::<bool>()).prop_map(|(command, args, info)| {
        let env = if info { json!([{"name": "A", "value": command}]) } else { Value::Null };
        json!({"apiVersion": "client.authentication.k8s.io/v1", "command": command, "args": args,
            "env": env, "interactiveMode": "Never", "provideClusterInfo": info})
    })
}

fn user() -> impl Strategy<Value = Value> {
    let field = prop_oneof![
        text().prop_map(|text| ("token", json!(text))),
        text().prop_map(|text| ("username", json!(text))),
        exec().prop_map(|exec| ("exec", exec)),
        proptest::collection::btree_map("id-token|refresh-token|client-id", text(), 0..3)
            .prop_map(|config| ("auth-provider", json!({"name": "oidc", "config": config}))),
    ];
    proptest::collection::vec(field, 0..4).prop_map(|fields| {
        Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    })
}

fn entries(key: &'static str, value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    proptest::collection::btree_map(name(), value, 0..4).prop_map(move |entries| {
        entries.into_iter().map(|(name, value)| json!({"name": name, key: value})).collect()
    })
}

fn kubeconfig() -> impl Strategy<Value = Value> {
    let context = (name(), name()).prop_map(|(user, cluster)| json!({"user": user, "cluster": cluster}));
    (entries("user", user()), entries("context", context), proptest::option::of(name()), any::<bool>())
        .prop_map(|(users, contexts, current, header)| {
            let mut root = Map::new();
            if header {
                root.insert("apiVersion".into(), json!("v1"));
                root.insert("kind".into(), json!("Config"));
            }
            if let Some(current) = current {
                root.insert("current-context".into(), json!(current));
            }
            root.insert("contexts".into(), contexts);
            root.insert("users".into(), users);
            Value::Object(root)
        })
}

/// A random kubeconfig in a random style.
pub(crate) fn written() -> impl Strategy<Value = Written> {
    any::<bool>().prop_flat_map(written_in)
}

/// A random kubeconfig, in block style only or in any.
pub(crate) fn written_in(block: bool) -> impl Strategy<Value = Written> {
    (kubeconfig(), proptest::collection::vec(any::<u8>(), 64), Just(block)).prop_map(
        |(value, dice, block)| {
            let mut writer = Writer { dice, thrown: 0, block, step: 2, dash: 0, eol: "\n" };
            writer.step = if writer.one_in(3) { 4 } else { 2 };
            writer.dash = if writer.one_in(3) { writer.step } else { 0 };
            writer.eol = if writer.one_in(5) { "\r\n" } else { "\n" };
            let text = writer.file(&value);
            Written { text, value, block }
        },
    )
}

struct Writer {
    dice: Vec<u8>,
    thrown: usize,
    block: bool,
    step: usize,
    dash: usize,
    eol: &'static str,
}

impl Writer {
    fn throw(&mut self) -> u8 {
        self.thrown += 1;
        let round = u8::try_from(self.thrown / self.dice.len() % 256).unwrap();
        self.dice[self.thrown % self.dice.len()].wrapping_add(round)
    }

    fn one_in(&mut self, sides: u8) -> bool {
        self.throw().is_multiple_of(sides)
    }

    fn file(&mut self, value: &Value) -> String {
        if !self.block && self.one_in(4) {
            return if self.one_in(2) {
                serde_json::to_string_pretty(value).unwrap()
            } else {
                value.to_string()
            };
        }
        let start = if self.one_in(4) { format!("---{}", self.eol) } else { String::new() };
        let comment = self.comment_lines(0);
        let mut text = format!("{start}{comment}{}", self.block_of(value, 0));
        // A block scalar that ends without a line break does not end with one.
        if text.ends_with("line two") || !self.one_in(4) {
            text.push_str(self.eol);
            text.push_str(&self.comment_lines(0));
        }
        text
    }

    /// Comments and blank lines of their own.
    fn comment_lines(&mut self, column: usize) -> String {
        match self.throw() % 6 {
            0 => format!("{:column$}# c{}{}", "", self.thrown, self.eol),
            1 => self.eol.to_owned(),
            _ => String::new(),
        }
    }

    fn beside(&mut self) -> String {
        if self.one_in(4) { format!("  # c{}", self.thrown) } else { String::new() }
    }

    fn block_of(&mut self, value: &Value, column: usize) -> String {
        let mut lines = Vec::new();
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    let before = if lines.is_empty() { String::new() } else { self.comment_lines(column) };
                    let key = if self.one_in(6) { json!(key).to_string() } else { key.clone() };
                    let beside = self.beside();
                    let line = match value {
                        Value::Object(inner) if !inner.is_empty() && !self.flows() => {
                            self.under(&format!("{key}:{beside}"), value, column + self.step)
                        }
                        Value::Array(inner) if !inner.is_empty() && !self.flows() => {
                            self.under(&format!("{key}:{beside}"), value, column + self.dash)
                        }
                        _ => match self.inline(value, column) {
                            text if text.is_empty() => format!("{key}:{beside}"),
                            text if text.starts_with('|') => format!("{key}: {text}"),
                            text => format!("{key}: {text}{beside}"),
                        },
                    };
                    lines.push((before, line));
                }
            }
            Value::Array(list) => {
                for value in list {
                    let before = if lines.is_empty() { String::new() } else { self.comment_lines(column) };
                    let line = match value {
                        Value::Object(inner) if !inner.is_empty() && !self.flows() => {
                            self.block_of(value, column + 2)
                        }
                        _ => match self.inline(value, column) {
                            text if text.starts_with('|') => text,
                            text => format!("{text}{}", self.beside()),
                        },
                    };
                    lines.push((before, format!("- {line}")));
                }
            }
            _ => unreachable!("only collections are blocks"),
        }
        let mut text = String::new();
        for (position, (before, line)) in lines.into_iter().enumerate() {
            if position > 0 {
                text.push_str(self.eol);
                text.push_str(&before);
                text.push_str(&" ".repeat(column));
            }
            text.push_str(&line);
        }
        text
    }

    fn under(&mut self, line: &str, value: &Value, column: usize) -> String {
        let block = self.block_of(value, column);
        format!("{line}{}{:column$}{block}", self.eol, "")
    }

    fn flows(&mut self) -> bool {
        !self.block && self.one_in(4)
    }

    /// Something that stands behind its key or dash.
    fn inline(&mut self, value: &Value, column: usize) -> String {
        match value {
            Value::String(text) => self.scalar(text, column),
            Value::Null => ["null", "~", ""][usize::from(self.throw() % 3)].to_owned(),
            value => self.flow(value),
        }
    }

    fn scalar(&mut self, text: &str, column: usize) -> String {
        let words = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase());
        match self.throw() % 4 {
            0 | 1
                if words
                    && !matches!(
                        text,
                        "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
                    ) =>
            {
                text.to_owned()
            }
            2 if !text.contains('\n') => format!("'{}'", text.replace('\'', "''")),
            3 if text == "line one\nline two\n" => {
                let (eol, column) = (self.eol, column + 3);
                format!("|{eol}{:column$}line one{eol}{:column$}line two", "", "")
            }
            _ => json!(text).to_string(),
        }
    }

    fn flow(&mut self, value: &Value) -> String {
        let trailing = |any: bool, one: bool| if any && one { "," } else { "" };
        match value {
            Value::Object(object) => {
                let pairs: Vec<_> =
                    object.iter().map(|(key, value)| format!("{}: {}", key, self.flow(value))).collect();
                let trailing = trailing(!pairs.is_empty(), self.one_in(5));
                format!("{{{}{trailing}}}", pairs.join(", "))
            }
            Value::Array(list) => {
                let items: Vec<_> = list.iter().map(|value| self.flow(value)).collect();
                let trailing = trailing(!items.is_empty(), self.one_in(5));
                format!("[{}{trailing}]", items.join(", "))
            }
            value => value.to_string(),
        }
    }
}
