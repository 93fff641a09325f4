//! A stream that only the passphrase opens: Argon2id (RFC 9106), then AES-256-GCM piece by piece.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `kSSObak1` |
//! | 12 | Argon2id's memory (KiB), passes and lanes, big-endian |
//! | 16 | salt |
//! | … | pieces of 64 KiB, the last one shorter, each with a tag of 16 bytes |
//!
//! The key is this file's own, because the salt is. A piece's nonce is its number, and whether it is the last one: none can
//! be left out, exchanged, or cut off without being noticed. The head is authenticated with every piece.

use std::io::{self, Read, Write};

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use kubesso_ambient::{Entropy, draw};
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"kSSObak1";
const HEAD: usize = 36;
const PIECE: usize = 64 * 1024;
const TAG: usize = 16;

/// Half a second on a small machine.
const MEMORY: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// What a file may ask for: another one's must not take all memory.
const MOST: [u32; 3] = [1024 * 1024, 16, 16];

/// Why a stream cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    #[error("it is not a backup of kubesso, or one of a newer version")]
    NotABackup,
    #[error("the passphrase is not right, or the file is damaged")]
    Refused,
    #[error("it is damaged or cut short after {0} bytes")]
    Damaged(u64),
    #[error("there is not enough memory to make the key")]
    Memory,
}

impl From<SealError> for io::Error {
    fn from(error: SealError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// Whether it begins as such a stream does.
pub(crate) fn is_sealed(content: &[u8]) -> bool {
    content.starts_with(MAGIC)
}

/// The key and the place in the stream.
struct Pieces {
    key: LessSafeKey,
    head: [u8; HEAD],
    number: u32,
}

impl Pieces {
    fn new(passphrase: &str, head: [u8; HEAD]) -> Result<Self, SealError> {
        let number = |at: usize| {
            let bytes = head.get(at..at + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
            bytes.map_or(0, u32::from_be_bytes)
        };
        let asked = [number(8), number(12), number(16)];
        if !head.starts_with(MAGIC) || asked.iter().zip(MOST).any(|(asked, most)| *asked > most) {
            return Err(SealError::NotABackup);
        }
        let [memory, passes, lanes] = asked;
        let parameters = Params::new(memory, passes, lanes, Some(32)).map_err(|_| SealError::NotABackup)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
            .hash_password_into(passphrase.as_bytes(), head.get(20..).unwrap_or_default(), &mut *key)
            .map_err(|_| SealError::Memory)?;
        let key = UnboundKey::new(&AES_256_GCM, &*key).map_err(|_| SealError::Memory)?;
        Ok(Self { key: LessSafeKey::new(key), head, number: 0 })
    }

    /// The next piece's; 2³² pieces are 256 TiB.
    fn nonce(&mut self, is_last: bool) -> io::Result<Nonce> {
        let mut nonce = [0; NONCE_LEN];
        let [.., a, b, c, d, last] = &mut nonce;
        [*a, *b, *c, *d] = self.number.to_be_bytes();
        *last = u8::from(is_last);
        self.number = self.number.checked_add(1).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

/// Encrypts what is written into it. Nothing opens it before [`finish`](Self::finish).
pub(crate) struct Sealer<W> {
    pieces: Pieces,
    piece: Zeroizing<Vec<u8>>,
    out: W,
}

impl<W: Write> Sealer<W> {
    pub(crate) fn new(mut out: W, passphrase: &str, entropy: &dyn Entropy) -> io::Result<Self> {
        let mut head = Vec::with_capacity(HEAD);
        head.extend_from_slice(MAGIC);
        for parameter in [MEMORY, PASSES, LANES] {
            head.extend_from_slice(&parameter.to_be_bytes());
        }
        head.extend_from_slice(&draw::<16>(entropy));
        let head: [u8; HEAD] = head.try_into().map_err(|_| SealError::NotABackup)?;
        out.write_all(&head)?;
        let pieces = Pieces::new(passphrase, head)?;
        Ok(Self { pieces, piece: Zeroizing::new(Vec::with_capacity(PIECE + TAG)), out })
    }

    /// Writes the end.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.write_piece(true)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn write_piece(&mut self, is_last: bool) -> io::Result<()> {
        let nonce = self.pieces.nonce(is_last)?;
        let head = Aad::from(self.pieces.head);
        let sealed = self.pieces.key.seal_in_place_append_tag(nonce, head, &mut *self.piece);
        sealed.map_err(|_| SealError::Memory)?;
        self.out.write_all(&self.piece)?;
        self.piece.clear();
        Ok(())
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() == PIECE {
            self.write_piece(false)?;
        }
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Decrypts what it reads. Nothing comes out that is not as it was written; that nothing is missing is known at the end.
pub(crate) struct Opener<R> {
    pieces: Pieces,
    piece: Zeroizing<Vec<u8>>,
    given: usize,
    is_over: bool,
    from: R,
}

impl<R: Read> Opener<R> {
    pub(crate) fn new(mut from: R, passphrase: &str) -> io::Result<Self> {
        let mut head = [0; HEAD];
        from.read_exact(&mut head).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => SealError::NotABackup.into(),
            _ => error,
        })?;
        let pieces = Pieces::new(passphrase, head)?;
        Ok(Self { pieces, piece: Zeroizing::default(), given: 0, is_over: false, from })
    }

    fn read_piece(&mut self) -> io::Result<()> {
        let mut piece = Zeroizing::new(Vec::with_capacity(PIECE + TAG));
        let longest = u64::try_from(PIECE + TAG).unwrap_or(u64::MAX);
        self.from.by_ref().take(longest).read_to_end(&mut piece)?;
        let position = u64::from(self.pieces.number) * longest;
        // Only the last one may be shorter; a last one of full length shows itself by its nonce.
        let number = self.pieces.number;
        let mut opened = None;
        for is_last in [piece.len() < PIECE + TAG, true] {
            self.pieces.number = number;
            let nonce = self.pieces.nonce(is_last)?;
            let mut tried = piece.clone();
            let head = Aad::from(self.pieces.head);
            if let Ok(plain) = self.pieces.key.open_in_place(nonce, head, &mut tried) {
                let length = plain.len();
                tried.truncate(length);
                opened = Some((tried, is_last));
                break;
            }
        }
        let (plain, is_last) =
            opened.ok_or(if number == 0 { SealError::Refused } else { SealError::Damaged(position) })?;
        if is_last && self.from.read(&mut [0])? > 0 {
            return Err(SealError::Damaged(position).into());
        }
        (self.piece, self.given, self.is_over) = (plain, 0, is_last);
        Ok(())
    }
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.piece.len() && !self.is_over {
            self.read_piece()?;
        }
        let mut rest = self.piece.get(self.given..).unwrap_or_default();
        let read = rest.read(into)?;
        self.given += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use kubesso_ambient::SeededEntropy;

    use super::*;

    fn sealed(plain: &[u8]) -> Vec<u8> {
        let mut sealer = Sealer::new(Vec::new(), "correct horse", &SeededEntropy::new(1)).unwrap();
        sealer.write_all(plain).unwrap();
        sealer.finish().unwrap()
    }

    fn opened(sealed: &[u8], passphrase: &str) -> Result<Vec<u8>, String> {
        let mut plain = Vec::new();
        let opener = Opener::new(sealed, passphrase);
        opener.and_then(|mut it| it.read_to_end(&mut plain)).map_err(|e| e.to_string())?;
        Ok(plain)
    }

    #[test]
    fn what_was_sealed_comes_out_again_whatever_its_length() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 7] {
            let plain: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let sealed = sealed(&plain);
            assert!(opened(&sealed, "correct horse").unwrap() == plain, "{length}");
            assert!(length < 10 || !sealed.windows(10).any(|window| window == &plain[..10]));
        }
    }

    #[test]
    fn what_was_changed_exchanged_or_cut_off_is_refused() {
        let good = sealed(&vec![7; 2 * PIECE + 100]);
        let whole = PIECE + TAG;
        let said = opened(&good, "another").unwrap_err();
        assert!(said.contains("the passphrase is not right"), "{said}");
        let mut changed = good.clone();
        changed[HEAD + whole + 5] ^= 1;
        let mut exchanged = good.clone();
        exchanged[HEAD..HEAD + 2 * whole].rotate_left(whole);
        let mut salt = good.clone();
        salt[25] ^= 1;
        let mut greedy = good.clone();
        greedy[8] = 255;
        let mut longer = good.clone();
        longer.push(0);
        for (what, damaged) in [
            ("changed", &changed[..]),
            ("exchanged", &exchanged),
            ("another salt", &salt),
            ("all memory", &greedy),
            ("longer", &longer),
            ("cut at a piece", &good[..HEAD + 2 * whole]),
            ("cut in a piece", &good[..good.len() - 1]),
            ("cut in the head", &good[..HEAD - 1]),
            ("another file", b"SQLite format 3\0 and so on, for long enough"),
        ] {
            assert!(opened(damaged, "correct horse").is_err(), "{what}");
        }
    }
}
