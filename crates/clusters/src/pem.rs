//! Certificates in PEM as Go reads them (`encoding/pem`, `client-go/util/cert`): what is no block is passed over.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Checks that there is a certificate, and that all of them can be read.
///
/// # Errors
/// What kube-apiserver says.
pub(crate) fn check_certificates(text: &str) -> Result<(), &'static str> {
    let mut found = false;
    let mut rest = text;
    while let Some((block, behind)) = next_block(rest) {
        rest = behind;
        if let Some(der) = block {
            if !X509Certificate::from_der(&der).is_ok_and(|(behind, _)| behind.is_empty()) {
                return Err("x509: malformed certificate");
            }
            found = true;
        }
    }
    if found { Ok(()) } else { Err("data does not contain any valid RSA or ECDSA certificates") }
}

/// The next block and what follows it; none in it if it is of another type, has headers, or is broken.
fn next_block(text: &str) -> Option<(Option<Vec<u8>>, &str)> {
    const BEGIN: &str = "-----BEGIN ";
    let at = if text.starts_with(BEGIN) { 0 } else { text.find(&format!("\n{BEGIN}"))? + 1 };
    let behind = text.get(at + BEGIN.len()..)?;
    let (line, body) = behind.split_once('\n').unwrap_or((behind, ""));
    let Some(name) = line.trim_end().strip_suffix("-----") else { return Some((None, behind)) };
    let end = format!("-----END {name}-----");
    let Some(end_at) =
        body.find(&end).filter(|at| *at == 0 || body.get(..*at).is_some_and(|it| it.ends_with('\n')))
    else {
        return Some((None, behind));
    };
    let (content, after) = body.split_at(end_at);
    let after = after.get(end.len()..).unwrap_or_default();
    // A line with a colon is a header; kube-apiserver takes no block that has one.
    if name != "CERTIFICATE" || content.contains(':') {
        return Some((None, after));
    }
    let letters: String = content.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    match BASE64_STANDARD.decode(letters) {
        Ok(der) => Some((Some(der), after)),
        Err(_) => Some((None, behind)),
    }
}
