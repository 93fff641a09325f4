//! The three DER shapes that lie between JOSE and the cryptography library.

use zeroize::Zeroizing;

/// Reads `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }` (RFC 8017 A.1.1): both big-endian,
/// without leading zeros.
pub(crate) fn read_rsa_public_key(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (body, rest) = read(SEQUENCE, der)?;
    let (modulus, body) = read(INTEGER, body)?;
    let (exponent, body) = read(INTEGER, body)?;
    (rest.is_empty() && body.is_empty()).then(|| (unsigned(modulus).to_vec(), unsigned(exponent).to_vec()))
}

/// Writes `ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }` (RFC 3279 §2.2.3) from big-endian numbers.
pub(crate) fn write_ecdsa_signature(r: &[u8], s: &[u8]) -> Vec<u8> {
    write_numbers(&[r, s])
}

/// Writes `RSAPrivateKey` (RFC 8017 A.1.2) with two primes: modulus, public and private exponent, the primes, the
/// exponents by prime, and the coefficient, all big-endian.
pub(crate) fn write_rsa_private_key(numbers: [&[u8]; 8]) -> Zeroizing<Vec<u8>> {
    const TWO_PRIMES: &[u8] = &[0];
    let all: Vec<_> = std::iter::once(TWO_PRIMES).chain(numbers).collect();
    Zeroizing::new(write_numbers(&all))
}

/// A SEQUENCE of positive INTEGERs.
fn write_numbers(numbers: &[&[u8]]) -> Vec<u8> {
    // Large enough that nothing secret is left behind by growing.
    let capacity = numbers.iter().map(|number| number.len() + 8).sum::<usize>();
    let mut body = Zeroizing::new(Vec::with_capacity(capacity));
    for number in numbers {
        let number = unsigned(number);
        let mut content = Zeroizing::new(Vec::with_capacity(number.len() + 1));
        if number.first().is_none_or(|first| first & 0x80 != 0) {
            content.push(0);
        }
        content.extend_from_slice(number);
        write(INTEGER, &content, &mut body);
    }
    let mut der = Vec::with_capacity(capacity + 8);
    write(SEQUENCE, &body, &mut der);
    der
}

/// `number` without its leading zeros; empty for zero.
pub(crate) fn unsigned(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;

/// The content of the element with this tag at the start, and what follows it.
fn read(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if octets.len() > 4 {
            return None;
        }
        (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
    };
    (found == tag).then(|| rest.split_at_checked(length)).flatten()
}

fn write(tag: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    let length = content.len().to_be_bytes();
    let length = unsigned(&length);
    match length {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            // A length has at most eight octets, so the cast cannot cut.
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecdsa_signatures_get_shortest_positive_integers() {
        assert_eq!(write_ecdsa_signature(&[0, 0, 1], &[0x80]), [0x30, 7, 2, 1, 1, 2, 2, 0, 0x80]);
        assert_eq!(write_ecdsa_signature(&[0, 0], &[0x7f]), [0x30, 6, 2, 1, 0, 2, 1, 0x7f]);
        let long = write_ecdsa_signature(&[0x11; 66], &[0x22; 66]);
        assert_eq!(&long[..5], [0x30, 0x81, 136, 2, 66]);
    }

    #[test]
    fn rsa_keys_with_anything_before_between_or_after_are_refused() {
        let good = [0x30, 8, 2, 2, 0, 0x9b, 2, 2, 1, 1];
        assert_eq!(read_rsa_public_key(&good), Some((vec![0x9b], vec![1, 1])));
        let mut trailing = good.to_vec();
        trailing.push(0);
        for bad in [&good[..9], &good[1..], &[][..], &trailing, &[0x30, 0x85, 0, 0, 0, 0, 0]] {
            assert_eq!(read_rsa_public_key(bad), None, "{bad:?}");
        }
    }
}
