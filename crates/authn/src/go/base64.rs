//! `encoding/base64` of Go: CR and LF are skipped anywhere, non-zero trailing bits are dropped, and the message names the
//! offending byte.

/// Which of Go's two encodings.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// `base64.RawURLEncoding`: `-` and `_`, no padding.
    RawUrl,
    /// `base64.StdEncoding`: `+` and `/`, padded.
    Std,
}

/// Decodes `text`, or says what Go says.
pub(crate) fn decode(encoding: Encoding, text: &str) -> Result<Vec<u8>, String> {
    let corrupt = |at: usize| Err(format!("illegal base64 data at input byte {at}"));
    let source = text.as_bytes();
    let newline = |at: usize| matches!(source.get(at), Some(b'\r' | b'\n'));
    let mut out = Vec::with_capacity(source.len() / 4 * 3 + 2);
    let mut at = 0;
    loop {
        let mut quantum = 0u32;
        let mut digits = 0;
        let mut padded = false;
        while digits < 4 {
            let Some(&byte) = source.get(at) else {
                match digits {
                    0 => return Ok(out),
                    1 => return corrupt(at - 1),
                    _ if encoding == Encoding::Std => return corrupt(at - digits),
                    _ => break,
                }
            };
            at += 1;
            if let Some(digit) = digit(encoding, byte) {
                quantum = quantum << 6 | u32::from(digit);
                digits += 1;
            } else if byte == b'\r' || byte == b'\n' {
            } else if byte == b'=' && encoding == Encoding::Std && digits >= 2 {
                if digits == 2 {
                    while newline(at) {
                        at += 1;
                    }
                    match source.get(at) {
                        None => return corrupt(source.len()),
                        Some(b'=') => at += 1,
                        Some(_) => return corrupt(at - 1),
                    }
                }
                while newline(at) {
                    at += 1;
                }
                if at < source.len() {
                    return corrupt(at);
                }
                padded = true;
                break;
            } else {
                return corrupt(at - 1);
            }
        }
        let bytes = (quantum << (6 * (4 - digits))).to_be_bytes();
        out.extend_from_slice(bytes.get(1..digits).unwrap_or_default());
        if padded || digits < 4 {
            return Ok(out);
        }
    }
}

fn digit(encoding: Encoding, byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'-' if encoding == Encoding::RawUrl => Some(62),
        b'_' if encoding == Encoding::RawUrl => Some(63),
        b'+' if encoding == Encoding::Std => Some(62),
        b'/' if encoding == Encoding::Std => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    /// Recorded from Go 1.26.8.
    #[test]
    fn texts_read_as_go_reads_them() {
        let raw = |text| decode(Encoding::RawUrl, text);
        let std = |text| decode(Encoding::Std, text);
        let at = |byte: usize| Err(format!("illegal base64 data at input byte {byte}"));
        assert_eq!(raw(""), Ok(vec![]));
        assert_eq!(raw("AA"), Ok(vec![0]));
        assert_eq!(raw("AB"), Ok(vec![0]), "trailing bits are dropped");
        assert_eq!(raw("A\r\nB\n"), Ok(vec![0]));
        assert_eq!(raw("\n\r"), Ok(vec![]));
        assert_eq!(raw("A"), at(0));
        assert_eq!(raw("AAAAA"), at(4));
        assert_eq!(raw("AA=="), at(2));
        assert_eq!(raw("A+AA"), at(1));
        assert_eq!(raw("AAé"), at(2));
        assert_eq!(raw("AAAA A"), at(4));
        assert_eq!(std("AA=="), Ok(vec![0]));
        assert_eq!(std("AA=\n=\n"), Ok(vec![0]));
        assert_eq!(std("AAA="), Ok(vec![0, 0]));
        assert_eq!(std("AA"), at(0));
        assert_eq!(std("AA="), at(3));
        assert_eq!(std("AA=A"), at(2));
        assert_eq!(std("A==="), at(1));
        assert_eq!(std("AA==A"), at(4));
        assert_eq!(std("AA-A"), at(2));
    }

    proptest! {
        #[test]
        fn canonical_texts_decode_as_everywhere(bytes in any::<Vec<u8>>()) {
            prop_assert_eq!(decode(Encoding::RawUrl, &URL_SAFE_NO_PAD.encode(&bytes)), Ok(bytes.clone()));
            prop_assert_eq!(decode(Encoding::Std, &STANDARD.encode(&bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[A-Za-d=+/_\\r\\n-]{0,12}\\PC{0,3}[AB=]{0,4}") {
            let _ = (decode(Encoding::RawUrl, &text), decode(Encoding::Std, &text));
        }
    }
}
