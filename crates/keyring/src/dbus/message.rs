//! Messages: the header around a body.

use zeroize::Zeroizing;

use super::wire::{Malformed, Reader, Writer};

/// What comes before the header's fields: order, kind, flags, version, length of the body, serial, length of the
/// fields.
pub(crate) const FIXED: usize = 16;
/// More than any answer of a keyring; the specification's own limit is 128 MiB.
const LONGEST: usize = 16 << 20;
const VERSION: u8 = 1;

const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// A method to call.
pub(crate) struct Call<'a> {
    pub(crate) destination: &'a str,
    pub(crate) path: &'a str,
    pub(crate) interface: &'a str,
    pub(crate) method: &'a str,
    /// The types of the arguments.
    pub(crate) signature: &'a str,
    pub(crate) arguments: Writer,
}

impl Call<'_> {
    pub(crate) fn marshal(self, serial: u32) -> Zeroizing<Vec<u8>> {
        const METHOD_CALL: u8 = 1;
        let body = self.arguments.into_bytes();
        let mut writer = Writer::default();
        writer.byte(b'l').byte(METHOD_CALL).byte(0).byte(VERSION);
        writer.u32(u32::try_from(body.len()).unwrap_or(u32::MAX)).u32(serial);
        writer.array(8, |fields| {
            for (code, kind, value) in [
                (PATH, "o", self.path),
                (INTERFACE, "s", self.interface),
                (MEMBER, "s", self.method),
                (DESTINATION, "s", self.destination),
            ] {
                fields.align(8).byte(code).signature(kind).string(value);
            }
            fields.align(8).byte(SIGNATURE).signature("g").signature(self.signature);
        });
        writer.align(8).append(&body);
        writer.into_bytes()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Error,
    /// A call to us, or a kind that does not exist yet.
    Other,
    Return,
    Signal,
}

/// A message that came.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) path: String,
    pub(crate) member: String,
    pub(crate) error_name: String,
    pub(crate) reply_serial: Option<u32>,
    big_endian: bool,
    body: Body,
}

/// Not printed: it may hold a secret.
struct Body(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}

impl Message {
    /// The lengths of the header's fields (with padding) and of the body.
    pub(crate) fn lengths(fixed: &[u8; FIXED]) -> Result<(usize, usize), Malformed> {
        let mut reader = Reader::new(fixed, is_big_endian(fixed[0])?);
        let (_order, _kind, _flags, version) =
            (reader.byte()?, reader.byte()?, reader.byte()?, reader.byte()?);
        let (body, _serial, fields) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let size = |length: u32| usize::try_from(length).ok().filter(|length| *length <= LONGEST);
        let (fields, body) = (size(fields).ok_or(Malformed)?, size(body).ok_or(Malformed)?);
        if version != VERSION {
            return Err(Malformed);
        }
        Ok((fields.next_multiple_of(8), body))
    }

    /// Reads the header; `fields` are the bytes after the fixed part.
    pub(crate) fn parse(
        fixed: &[u8; FIXED],
        fields: &[u8],
        body: Zeroizing<Vec<u8>>,
    ) -> Result<Self, Malformed> {
        let big_endian = is_big_endian(fixed[0])?;
        let kind = match fixed[1] {
            2 => Kind::Return,
            3 => Kind::Error,
            4 => Kind::Signal,
            _ => Kind::Other,
        };
        let mut message = Self {
            kind,
            path: String::new(),
            member: String::new(),
            error_name: String::new(),
            reply_serial: None,
            big_endian,
            body: Body(body),
        };
        let length = Reader::new(&fixed[12..], big_endian).u32()?;
        let length = usize::try_from(length).map_err(|_| Malformed)?;
        // The fields begin at byte 16, so alignment within them is alignment within the message.
        let mut reader = Reader::new(fields.get(..length).ok_or(Malformed)?, big_endian);
        while !reader.is_at_end() {
            message.field(reader.align(8)?)?;
        }
        Ok(message)
    }

    fn field(&mut self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        let code = reader.byte()?;
        match reader.signature()? {
            "s" | "o" => {
                let value = reader.string()?;
                match code {
                    PATH => value.clone_into(&mut self.path),
                    MEMBER => value.clone_into(&mut self.member),
                    ERROR_NAME => value.clone_into(&mut self.error_name),
                    _ => {}
                }
            }
            "g" => {
                reader.signature()?;
            }
            "u" => {
                let value = reader.u32()?;
                if code == REPLY_SERIAL {
                    self.reply_serial = Some(value);
                }
            }
            _ => return Err(Malformed),
        }
        Ok(())
    }

    /// The arguments, or the results.
    pub(crate) fn body(&self) -> Reader<'_> {
        Reader::new(&self.body.0, self.big_endian)
    }
}

fn is_big_endian(order: u8) -> Result<bool, Malformed> {
    match order {
        b'l' => Ok(false),
        b'B' => Ok(true),
        _ => Err(Malformed),
    }
}
