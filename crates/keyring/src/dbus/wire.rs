//! D-Bus' marshalling, for the types that the Secret Service uses.

use zeroize::Zeroizing;

/// Bytes that are not what D-Bus, or the signature, says they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Marshals, little-endian: the receiver takes either order. Wiped when dropped, since secrets go through it.
#[derive(Default)]
pub(crate) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    pub(crate) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    pub(crate) fn align(&mut self, to: usize) -> &mut Self {
        let length = self.0.len().next_multiple_of(to);
        self.0.resize(length, 0);
        self
    }

    pub(crate) fn byte(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    /// What was marshalled already.
    pub(crate) fn append(&mut self, marshalled: &[u8]) -> &mut Self {
        self.0.extend_from_slice(marshalled);
        self
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.align(4).0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn boolean(&mut self, value: bool) -> &mut Self {
        self.u32(value.into())
    }

    /// A string or an object path.
    pub(crate) fn string(&mut self, value: &str) -> &mut Self {
        self.u32(length(value.len())).0.extend_from_slice(value.as_bytes());
        self.byte(0)
    }

    pub(crate) fn signature(&mut self, value: &str) -> &mut Self {
        self.byte(u8::try_from(value.len()).unwrap_or_default()).0.extend_from_slice(value.as_bytes());
        self.byte(0)
    }

    /// An array of bytes.
    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.u32(length(value.len())).0.extend_from_slice(value);
        self
    }

    /// An array; its elements are aligned to `alignment` (8 for structs and dictionary entries).
    pub(crate) fn array(&mut self, alignment: usize, elements: impl FnOnce(&mut Self)) -> &mut Self {
        self.u32(0);
        let at = self.0.len();
        // The padding before the first element does not count.
        self.align(alignment);
        let first = self.0.len();
        elements(self);
        let size = length(self.0.len() - first);
        self.0[at - 4..at].copy_from_slice(&size.to_le_bytes());
        self
    }

    /// `a{ss}`.
    pub(crate) fn strings(&mut self, entries: &[(&str, &str)]) -> &mut Self {
        self.array(8, |array| {
            for (key, value) in entries {
                array.align(8).string(key).string(value);
            }
        })
    }

    /// `ao`.
    pub(crate) fn paths(&mut self, paths: &[String]) -> &mut Self {
        self.array(4, |array| {
            for path in paths {
                array.string(path);
            }
        })
    }
}

/// The bus refuses more than 128 MiB long before this matters.
fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Unmarshals what somebody else wrote: everything is checked, nothing is allocated before it is there.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    big_endian: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], big_endian: bool) -> Self {
        Self { bytes, at: 0, big_endian }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(crate) fn align(&mut self, to: usize) -> Result<&mut Self, Malformed> {
        let at = self.at.next_multiple_of(to);
        self.take(at - self.at)?;
        Ok(self)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        self.take(1)?.first().copied().ok_or(Malformed)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        let bytes = self.align(4)?.take(4)?.try_into().map_err(|_| Malformed)?;
        Ok(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    pub(crate) fn boolean(&mut self) -> Result<bool, Malformed> {
        match self.u32()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    /// A string or an object path.
    pub(crate) fn string(&mut self) -> Result<&'a str, Malformed> {
        let length = self.size()?;
        self.text(length)
    }

    pub(crate) fn signature(&mut self) -> Result<&'a str, Malformed> {
        let length = self.byte()?;
        self.text(length.into())
    }

    /// An array of bytes.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.size()?;
        self.take(length)
    }

    /// `ao`.
    pub(crate) fn paths(&mut self) -> Result<Vec<String>, Malformed> {
        let length = self.size()?;
        let end = self.at.checked_add(length).ok_or(Malformed)?;
        let mut paths = Vec::new();
        while self.at < end {
            paths.push(self.string()?.to_owned());
        }
        if self.at == end { Ok(paths) } else { Err(Malformed) }
    }

    fn size(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.u32()?).map_err(|_| Malformed)
    }

    fn text(&mut self, length: usize) -> Result<&'a str, Malformed> {
        let text = self.take(length)?;
        if self.byte()? != 0 {
            return Err(Malformed);
        }
        str::from_utf8(text).map_err(|_| Malformed)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..length)).ok_or(Malformed)?;
        self.at += length;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The examples of the specification's section "Marshalling", in little-endian order.
    #[test]
    fn values_are_marshalled_as_the_specification_shows() {
        let mut writer = Writer::default();
        writer.string("foo").string("+").string("bar");
        assert_eq!(&*writer.into_bytes(), b"\x03\0\0\0foo\0\x01\0\0\0+\0\0\0\x03\0\0\0bar\0");

        let mut writer = Writer::default();
        writer.array(8, |array| {
            array.align(8).u32(5);
        });
        assert_eq!(*writer.into_bytes(), [4, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0]);
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(
            byte: u8, number: u32, flag: bool, text in "[^\0]{0,20}",
            bytes in prop::collection::vec(any::<u8>(), 0..20), paths in prop::collection::vec("/[a-z]{0,9}", 0..4),
        ) {
            let mut writer = Writer::default();
            writer.byte(byte).string(&text).bytes(&bytes).boolean(flag).paths(&paths).signature("a{sv}").u32(number);
            let written = writer.into_bytes();
            let mut reader = Reader::new(&written, false);
            prop_assert_eq!(reader.byte(), Ok(byte));
            prop_assert_eq!(reader.string(), Ok(text.as_str()));
            prop_assert_eq!(reader.bytes(), Ok(bytes.as_slice()));
            prop_assert_eq!(reader.boolean(), Ok(flag));
            prop_assert_eq!(reader.paths(), Ok(paths));
            prop_assert_eq!(reader.signature(), Ok("a{sv}"));
            prop_assert_eq!(reader.u32(), Ok(number));
            prop_assert!(reader.is_at_end());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), big_endian: bool) {
            let reader = || Reader::new(&bytes, big_endian);
            let _ = (reader().string(), reader().signature(), reader().bytes(), reader().paths());
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_malformed() {
        assert_eq!(Reader::new(&[255, 255, 255, 255, 1], false).bytes(), Err(Malformed));
        assert_eq!(Reader::new(&[0, 0, 0, 1, b'x', b'y'], true).string(), Err(Malformed));
        assert_eq!(Reader::new(&[5, 0, 0, 0, 1, 0, 0, 0, b'/', 0], false).paths(), Err(Malformed));
    }
}
