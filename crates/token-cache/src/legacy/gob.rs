//! As much of Go's `encoding/gob` as names an entry: structs, lists and maps of strings, numbers and booleans.
//!
//! A stream is one message for each type, in the order in which the types are met, then one for the value. A message is
//! its length, its type's number (negative for a definition) and its content. Numbers count up from 64 in the order in
//! which a process meets the types, which is why a program's stream can be foretold: kubelogin encodes nothing else.
//! The format is described at <https://pkg.go.dev/encoding/gob>; the tests compare with Go's own encoder.

/// A type's number.
#[derive(Clone, Copy)]
pub(super) struct TypeId(i64);

pub(super) const BOOL: TypeId = TypeId(1);
pub(super) const INT: TypeId = TypeId(2);
pub(super) const STRING: TypeId = TypeId(6);
const FIRST: i64 = 64;

impl TypeId {
    /// The `place`-th type that the program meets.
    pub(super) const fn met(place: i64) -> Self {
        Self(FIRST + place)
    }
}

/// Which member of gob's `wireType` a definition is.
#[derive(Clone, Copy)]
enum Kind {
    Slice = 2,
    Struct = 3,
    Map = 4,
}

/// The message that defines a struct.
pub(super) fn define_struct(id: TypeId, name: &str, fields: &[(&str, TypeId)]) -> Vec<u8> {
    define(Kind::Struct, id, name, |definition| {
        definition.push(1);
        unsigned(definition, fields.len());
        for (name, id) in fields {
            definition.push(1);
            string(definition, name);
            definition.push(1);
            signed(definition, id.0);
            definition.push(END);
        }
    })
}

/// The message that defines `[]string`.
pub(super) fn define_strings(id: TypeId) -> Vec<u8> {
    define(Kind::Slice, id, "[]string", |definition| {
        definition.push(1);
        signed(definition, STRING.0);
    })
}

/// The message that defines `map[string]string`.
pub(super) fn define_string_map(id: TypeId) -> Vec<u8> {
    define(Kind::Map, id, "map[string]string", |definition| {
        for _ in ["key", "element"] {
            definition.push(1);
            signed(definition, STRING.0);
        }
    })
}

fn define(kind: Kind, id: TypeId, name: &str, rest: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut content = Vec::new();
    signed(&mut content, -id.0);
    content.extend([kind as u8, 1, 1]);
    string(&mut content, name);
    content.push(1);
    signed(&mut content, id.0);
    content.push(END);
    rest(&mut content);
    content.extend([END, END]);
    message(&content)
}

/// The message of a value.
pub(super) fn value(id: TypeId, fields: Fields) -> Vec<u8> {
    let mut content = Vec::new();
    signed(&mut content, id.0);
    content.extend(fields.end());
    message(&content)
}

fn message(content: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(content.len() + 4);
    unsigned(&mut message, content.len());
    message.extend(content);
    message
}

/// The fields of a struct, in order. A field with its type's zero value is not written; the next one that is says how many
/// it is away.
#[derive(Default)]
pub(super) struct Fields {
    bytes: Vec<u8>,
    skipped: u8,
}

/// Ends a struct.
const END: u8 = 0;

impl Fields {
    pub(super) fn string(&mut self, text: &[u8]) -> &mut Self {
        self.field((!text.is_empty()).then_some(()), |bytes, ()| byte_string(bytes, text))
    }

    pub(super) fn boolean(&mut self, value: bool) -> &mut Self {
        self.field(value.then_some(()), |bytes, ()| bytes.push(1))
    }

    pub(super) fn int(&mut self, value: i64) -> &mut Self {
        self.field((value != 0).then_some(()), |bytes, ()| signed(bytes, value))
    }

    pub(super) fn strings<T: AsRef<[u8]>>(&mut self, list: &[T]) -> &mut Self {
        self.field((!list.is_empty()).then_some(()), |bytes, ()| {
            unsigned(bytes, list.len());
            for text in list {
                byte_string(bytes, text.as_ref());
            }
        })
    }

    /// A map, in this order. An empty map is written; one that was never made (none) is not.
    pub(super) fn map(&mut self, pairs: Option<&[(&str, &str)]>) -> &mut Self {
        self.field(pairs, |bytes, pairs| {
            unsigned(bytes, pairs.len());
            for (key, text) in pairs {
                string(bytes, key);
                string(bytes, text);
            }
        })
    }

    /// A struct, which is written even if all in it is zero.
    pub(super) fn nested(&mut self, fields: Self) -> &mut Self {
        self.field(Some(()), |bytes, ()| bytes.extend(fields.end()))
    }

    fn field<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) -> &mut Self {
        self.skipped += 1;
        if let Some(value) = value {
            self.bytes.push(self.skipped);
            self.skipped = 0;
            write(&mut self.bytes, value);
        }
        self
    }

    fn end(mut self) -> Vec<u8> {
        self.bytes.push(END);
        self.bytes
    }
}

fn string(bytes: &mut Vec<u8>, text: &str) {
    byte_string(bytes, text.as_bytes());
}

fn byte_string(bytes: &mut Vec<u8>, text: &[u8]) {
    unsigned(bytes, text.len());
    bytes.extend(text);
}

fn unsigned(bytes: &mut Vec<u8>, number: usize) {
    unsigned_64(bytes, number as u64);
}

/// One byte below 128; otherwise the negated count of big-endian bytes, and those.
fn unsigned_64(bytes: &mut Vec<u8>, number: u64) {
    let all = number.to_be_bytes();
    let start = bytes.len();
    bytes.extend(all.into_iter().skip_while(|byte| *byte == 0));
    match (number, bytes.len() - start) {
        (0, _) => bytes.push(0),
        (..128, _) => {}
        (_, count) => bytes.insert(start, count.to_le_bytes()[0].wrapping_neg()),
    }
}

/// The sign is the lowest bit.
fn signed(bytes: &mut Vec<u8>, number: i64) {
    let folded = if number < 0 { (!number << 1) | 1 } else { number << 1 };
    unsigned_64(bytes, folded.cast_unsigned());
}
