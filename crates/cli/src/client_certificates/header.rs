//! `Client-Cert` and `Client-Cert-Chain` (RFC 9440): byte sequences of structured fields (RFC 8941 §3.3.5).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderValue};
use rustls_pki_types::CertificateDer;

/// Intermediates beyond that are nobody's.
const LONGEST_CHAIN: usize = 8;

/// RFC 8941 §4.2.7: padding may be missing.
const BYTES: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a header is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeaderError {
    #[error("there is more than one Client-Cert")]
    Several,
    #[error("it is not one certificate in base64 between colons (RFC 9440 §2.1)")]
    NotBytes,
    #[error("Client-Cert-Chain is longer than {LONGEST_CHAIN}")]
    TooLong,
}

/// The certificates, the leaf first; `None`: the header is not there.
pub(super) fn chain(headers: &HeaderMap) -> Result<Option<Vec<CertificateDer<'static>>>, HeaderError> {
    let mut values = headers.get_all("client-cert").iter();
    let leaf = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => certificate(text(value)?)?,
        (Some(_), Some(_)) => return Err(HeaderError::Several),
    };
    let mut chain = vec![leaf];
    for value in headers.get_all("client-cert-chain") {
        for member in text(value)?.split(',') {
            chain.push(certificate(member)?);
            if chain.len() > LONGEST_CHAIN {
                return Err(HeaderError::TooLong);
            }
        }
    }
    Ok(Some(chain))
}

fn text(value: &HeaderValue) -> Result<&str, HeaderError> {
    value.to_str().map_err(|_| HeaderError::NotBytes)
}

/// A byte sequence without parameters.
fn certificate(item: &str) -> Result<CertificateDer<'static>, HeaderError> {
    let item = item.trim_matches([' ', '\t']);
    let encoded = item.strip_prefix(':').and_then(|rest| rest.strip_suffix(':'));
    let der = encoded.filter(|encoded| !encoded.is_empty()).and_then(|encoded| BYTES.decode(encoded).ok());
    der.map(CertificateDer::from).ok_or(HeaderError::NotBytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(leaf: &[&str], rest: &[&str]) -> Result<Option<Vec<Vec<u8>>>, HeaderError> {
        let mut headers = HeaderMap::new();
        for (name, values) in [("client-cert", leaf), ("client-cert-chain", rest)] {
            for value in values {
                headers.append(name, value.parse().unwrap());
            }
        }
        chain(&headers).map(|chain| chain.map(|chain| chain.iter().map(|der| der.to_vec()).collect()))
    }

    #[test]
    fn a_certificate_is_bytes_between_colons() {
        let one = |bytes: &[u8]| Ok(Some(vec![bytes.to_vec()]));
        for (leaf, rest, expected) in [
            (&[][..], &[][..], Ok(None)),
            (&[], &[":AAAA:"], Ok(None)),
            (&[":AQID:"], &[], one(&[1, 2, 3])),
            (&[" :AQI=: "], &[], one(&[1, 2])),
            (&[":AQI:"], &[], one(&[1, 2])),
            (&[":AQ==:"], &[":Ag==:, :Aw==:", ":BA==:"], Ok(Some(vec![vec![1], vec![2], vec![3], vec![4]]))),
            (&[":AQID:", ":AQID:"], &[], Err(HeaderError::Several)),
            (&[":AQID:,:AQID:"], &[], Err(HeaderError::NotBytes)),
            (&["AQID"], &[], Err(HeaderError::NotBytes)),
            (&["::"], &[], Err(HeaderError::NotBytes)),
            (&[":"], &[], Err(HeaderError::NotBytes)),
            (&[":AQID:;a=1"], &[], Err(HeaderError::NotBytes)),
            (&[":A_-D:"], &[], Err(HeaderError::NotBytes)),
            (&["-----BEGIN%20CERTIFICATE-----"], &[], Err(HeaderError::NotBytes)),
            (&[":AQID:"], &["x"], Err(HeaderError::NotBytes)),
            (
                &[":AQ==:"],
                &[":AQ==:,:AQ==:,:AQ==:,:AQ==:,:AQ==:,:AQ==:,:AQ==:,:AQ==:"],
                Err(HeaderError::TooLong),
            ),
        ] {
            assert_eq!(of(leaf, rest), expected, "{leaf:?} {rest:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_stands_there_is_read_or_refused(leaf in "[ -~]{0,60}", rest in "[ -~]{0,60}") {
            let _ = of(&[&leaf], &[&rest]);
        }

        #[test]
        fn what_a_proxy_writes_is_read(certificates in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 1..8)) {
            let written: Vec<_> = certificates.iter().map(|der| format!(":{}:", BYTES.encode(der))).collect();
            let rest = written[1..].join(", ");
            let rest = if rest.is_empty() { Vec::new() } else { vec![rest.as_str()] };
            prop_assert_eq!(of(&[&written[0]], &rest), Ok(Some(certificates)));
        }
    }
}
