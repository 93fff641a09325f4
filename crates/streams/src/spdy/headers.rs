//! Header blocks (SPDY/3.1 section 2.6.10): names and values with their lengths, all blocks of one direction one zlib stream
//! that begins with a dictionary.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// The dictionary of section 2.6.10.1, byte by byte: 1423 bytes, Adler-32 `e3c6a7c2`.
const DICTIONARY: &[u8] = include_bytes!("dictionary.bin");

/// More than this is not unpacked. Kubernetes sends some ten bytes.
const LONGEST_BLOCK: usize = 64 << 10;

/// What is no header block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The zlib stream is broken.
    #[error("headers that cannot be unpacked")]
    Compression,
    /// Too much.
    #[error("headers of more than {LONGEST_BLOCK} bytes")]
    TooLong,
    /// A length leads behind the end.
    #[error("headers whose lengths are wrong")]
    Lengths,
    /// Not UTF-8.
    #[error("headers that are no text")]
    NoText,
}

/// Packs the blocks of one direction.
#[derive(Debug)]
pub struct HeaderCompressor(Compress);

impl HeaderCompressor {
    /// For the first block.
    ///
    /// # Errors
    /// The library refuses the dictionary.
    pub fn new() -> Result<Self, HeaderError> {
        let mut compress = Compress::new(Compression::best(), true);
        compress.set_dictionary(DICTIONARY).map_err(|_| HeaderError::Compression)?;
        Ok(Self(compress))
    }

    /// The next block. Names become lower case, as the protocol has them.
    ///
    /// # Errors
    /// It is too long.
    pub fn compress(&mut self, headers: &[(&str, &str)]) -> Result<Vec<u8>, HeaderError> {
        let mut plain = length(headers.len())?.to_vec();
        for (name, value) in headers {
            plain.extend(length(name.len())?);
            plain.extend(name.to_ascii_lowercase().into_bytes());
            plain.extend(length(value.len())?);
            plain.extend(value.bytes());
        }
        if plain.len() > LONGEST_BLOCK {
            return Err(HeaderError::TooLong);
        }
        let (mut packed, start) = (Vec::new(), self.0.total_in());
        loop {
            let taken = usize::try_from(self.0.total_in() - start).unwrap_or(usize::MAX);
            let rest = plain.get(taken..).unwrap_or_default();
            packed.reserve(rest.len() + 256);
            // Flushed, because the other side needs this block before the next one.
            self.0
                .compress_vec(rest, &mut packed, FlushCompress::Sync)
                .map_err(|_| HeaderError::Compression)?;
            if self.0.total_in() - start == plain.len() as u64 && packed.len() < packed.capacity() {
                return Ok(packed);
            }
        }
    }
}

/// Unpacks the blocks of one direction.
#[derive(Debug)]
pub struct HeaderDecompressor(Decompress);

impl Default for HeaderDecompressor {
    fn default() -> Self {
        Self(Decompress::new(true))
    }
}

impl HeaderDecompressor {
    /// Names and values of the next block.
    ///
    /// # Errors
    /// It is none. No later block can be read then.
    pub fn decompress(&mut self, block: &[u8]) -> Result<Vec<(String, String)>, HeaderError> {
        let plain = self.unpack(block)?;
        let mut rest = plain.as_slice();
        let count = take_length(&mut rest)?;
        let mut headers = Vec::new();
        for _ in 0..count {
            let name = take_text(&mut rest)?;
            headers.push((name, take_text(&mut rest)?));
        }
        if rest.is_empty() { Ok(headers) } else { Err(HeaderError::Lengths) }
    }

    fn unpack(&mut self, block: &[u8]) -> Result<Vec<u8>, HeaderError> {
        let (mut plain, mut chunk, start) = (Vec::new(), [0; 4096], self.0.total_in());
        loop {
            let taken = usize::try_from(self.0.total_in() - start).unwrap_or(usize::MAX);
            let rest = block.get(taken..).unwrap_or_default();
            let (in_before, out_before) = (self.0.total_in(), self.0.total_out());
            let status = match self.0.decompress(rest, &mut chunk, FlushDecompress::Sync) {
                Ok(status) => status,
                Err(error) if error.needs_dictionary().is_some() => {
                    self.0.set_dictionary(DICTIONARY).map_err(|_| HeaderError::Compression)?;
                    continue;
                }
                Err(_) => return Err(HeaderError::Compression),
            };
            let written = usize::try_from(self.0.total_out() - out_before).unwrap_or(usize::MAX);
            plain.extend_from_slice(chunk.get(..written).unwrap_or_default());
            if plain.len() > LONGEST_BLOCK {
                return Err(HeaderError::TooLong);
            }
            let is_stuck = written == 0 && self.0.total_in() == in_before;
            let is_read = self.0.total_in() - start == block.len() as u64;
            match status {
                // The direction's stream ends with the connection only.
                Status::StreamEnd => return Err(HeaderError::Compression),
                _ if is_read && written < chunk.len() => return Ok(plain),
                _ if is_stuck => return Err(HeaderError::Compression),
                _ => {}
            }
        }
    }
}

fn length(length: usize) -> Result<[u8; 4], HeaderError> {
    u32::try_from(length).map(u32::to_be_bytes).map_err(|_| HeaderError::TooLong)
}

fn take_length(rest: &mut &[u8]) -> Result<usize, HeaderError> {
    let (four, behind) = rest.split_first_chunk::<4>().ok_or(HeaderError::Lengths)?;
    *rest = behind;
    usize::try_from(u32::from_be_bytes(*four)).map_err(|_| HeaderError::Lengths)
}

fn take_text(rest: &mut &[u8]) -> Result<String, HeaderError> {
    let length = take_length(rest)?;
    let (text, behind) = rest.split_at_checked(length).ok_or(HeaderError::Lengths)?;
    *rest = behind;
    String::from_utf8(text.to_vec()).map_err(|_| HeaderError::NoText)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unpacked(block: &[u8]) -> Result<Vec<(String, String)>, HeaderError> {
        HeaderDecompressor::default().decompress(block)
    }

    /// Any plain bytes, packed as a block.
    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut compress = Compress::new(Compression::fast(), true);
        compress.set_dictionary(DICTIONARY).unwrap();
        let mut packed = Vec::with_capacity(plain.len() + 1024);
        compress.compress_vec(plain, &mut packed, FlushCompress::Sync).unwrap();
        packed
    }

    #[test]
    fn a_block_that_spdystream_packed_is_unpacked() {
        // `streamtype: error`, and then `streamtype: stdin`, of one stream (github.com/moby/spdystream 0.5.1).
        let first = b"\x78\xf9\xe3\xc6\xa7\xc2\x62\x60\x60\x60\x04\xa7\xb3\x92\xa2\xd4\xc4\x5c\x68\x51\xc2\x9a\x0a\x0a\x68\0\0\0\0\xff\xff";
        let second = b"\xc2\x2e\x55\x5c\x92\x92\x99\x07\0\0\0\xff\xff";
        let mut decompressor = HeaderDecompressor::default();
        for (block, kind) in [(&first[..], "error"), (second, "stdin")] {
            let headers = decompressor.decompress(block).unwrap();
            assert_eq!(headers, [("streamtype".to_owned(), kind.to_owned())]);
        }
    }

    #[test]
    fn what_is_no_block_is_refused_and_never_unpacked_without_end() {
        assert_eq!(unpacked(b"GET / HTTP/1.1"), Err(HeaderError::Compression));
        assert_eq!(unpacked(&packed(&vec![0; 10 << 20])), Err(HeaderError::TooLong));
        assert_eq!(unpacked(&packed(&[0xff; 4])), Err(HeaderError::Lengths));
        assert_eq!(unpacked(&packed(&[0, 0, 0, 0, 1])), Err(HeaderError::Lengths));
        assert_eq!(unpacked(&packed(&[0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0, 0, 0, 0])), Err(HeaderError::NoText));
    }

    proptest! {
        #[test]
        fn headers_are_read_as_they_were_written(
            blocks in proptest::collection::vec(proptest::collection::vec(("[a-z:]{0,9}", ".{0,40}"), 0..5), 1..6),
        ) {
            let (mut compressor, mut decompressor) = (HeaderCompressor::new().unwrap(), HeaderDecompressor::default());
            for headers in blocks {
                let borrowed: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let block = compressor.compress(&borrowed).unwrap();
                prop_assert_eq!(decompressor.decompress(&block), Ok(headers));
            }
        }

        #[test]
        fn whatever_comes_is_a_block_or_refused(
            block in proptest::collection::vec(any::<u8>(), 0..300),
            plain in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let _ = unpacked(&block);
            let _ = unpacked(&packed(&plain));
        }
    }
}
