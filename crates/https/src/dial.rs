//! A connection to a server, by way of whatever proxy stands between: HTTP's CONNECT (RFC 9110 section 9.3.6), also over TLS, and
//! SOCKS 5 (RFC 1928, RFC 1929). It is what Go's client does, and so kubectl: the proxy resolves the server's name.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{Link, Trust};

/// Bytes both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An answer to CONNECT is shorter.
const LONGEST_ANSWER: usize = 16 << 10;

/// Connects to `host` (without brackets), as far as TCP goes.
///
/// # Errors
/// In words: what cannot be reached, or what the proxy says.
pub(crate) async fn dial(link: &Link, host: &str, port: u16) -> Result<Box<dyn Stream>, String> {
    let Some(proxy) = proxy(link, host, port) else {
        let stream = TcpStream::connect((host, port)).await;
        return stream.map(boxed).map_err(|error| format!("{host}:{port}: {error}"));
    };
    let uri = proxy.uri();
    let of_proxy = |why: &dyn std::fmt::Display| format!("the proxy {uri}: {why}");
    let scheme = uri.scheme_str().unwrap_or("http");
    let default = match scheme {
        "https" => 443,
        "http" => 80,
        _ => 1080,
    };
    let (name, at) = (bare(uri.host().unwrap_or_default()), uri.port_u16().unwrap_or(default));
    let plain = TcpStream::connect((name, at)).await.map_err(|error| of_proxy(&error))?;
    match scheme {
        "https" => {
            // Go's client takes the certificate's name and the authorities of the server for the proxy too.
            let expected = link.route.server_name().unwrap_or(name).to_owned();
            let expected = ServerName::try_from(expected).map_err(|error| of_proxy(&error))?;
            let config = config(&link.trust).map_err(|error| of_proxy(&error))?;
            let stream = TlsConnector::from(Arc::new(config)).connect(expected, plain).await;
            let stream = stream.map_err(|error| of_proxy(&error))?;
            connect(stream, &proxy, host, port).await.map(boxed).map_err(|why| of_proxy(&why))
        }
        "http" => connect(plain, &proxy, host, port).await.map(boxed).map_err(|why| of_proxy(&why)),
        _ => socks(plain, &proxy, host, port).await.map(boxed).map_err(|why| of_proxy(&why)),
    }
}

fn boxed(stream: impl Stream + 'static) -> Box<dyn Stream> {
    Box::new(stream)
}

/// Without the brackets of an address of version 6.
pub(crate) fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// The proxy that is named, else the environment's. That is not asked for what is on this machine, as Go's client does not.
fn proxy(link: &Link, host: &str, port: u16) -> Option<Intercept> {
    let shown = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let destination = format!("https://{shown}:{port}/").parse().ok()?;
    if let Some(named) = link.route.proxy() {
        return Matcher::builder().all(named.as_str()).build().intercept(&destination);
    }
    let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if is_here { None } else { Matcher::from_env().intercept(&destination) }
}

/// Whom a proxy's certificate must be from. What trusts anybody trusts the machine's authorities here.
fn config(trust: &Trust) -> Result<ClientConfig, String> {
    crate::install_crypto_provider();
    let builder = ClientConfig::builder();
    let builder = match trust {
        Trust::Only(pem) => {
            let mut roots = RootCertStore::empty();
            let all = CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok);
            roots.add_parsable_certificates(all);
            builder.with_root_certificates(roots)
        }
        Trust::System | Trust::DangerouslyAnybody => {
            builder.with_platform_verifier().map_err(|error| error.to_string())?
        }
    };
    Ok(builder.with_no_client_auth())
}

async fn connect<S: Stream>(mut stream: S, proxy: &Intercept, host: &str, port: u16) -> Result<S, String> {
    let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    if let Some(password) = proxy.basic_auth() {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(password.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    // Byte by byte: what comes behind the empty line is the server's.
    while !answer.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await.map_err(|_| {
            let said = String::from_utf8_lossy(&answer);
            format!(
                "it closes the connection at CONNECT {authority} {}",
                said.lines().next().unwrap_or_default()
            )
        })?;
        answer.push(byte);
        if answer.len() > LONGEST_ANSWER {
            return Err(format!("its answer to CONNECT {authority} has no end"));
        }
    }
    let line = String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned();
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse::<u16>().ok());
    match status {
        Some(200..=299) => Ok(stream),
        _ => Err(format!(
            "it answers {} to CONNECT {authority}",
            line.split_once(' ').map_or(line.as_str(), |it| it.1)
        )),
    }
}

async fn socks<S: Stream>(stream: S, proxy: &Intercept, host: &str, port: u16) -> Result<S, String> {
    greet(stream, proxy, host, port).await.map_err(|error| error.to_string())
}

/// RFC 1928: the methods, the request and its reply.
async fn greet<S: Stream>(mut stream: S, proxy: &Intercept, host: &str, port: u16) -> io::Result<S> {
    let no = |why: String| io::Error::other(why);
    let password = proxy.raw_auth();
    let methods: &[u8] = if password.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] };
    stream.write_all(methods).await?;
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen).await?;
    match (chosen, password) {
        ([5, 0], _) => {}
        ([5, 2], Some((user, password))) => {
            let length =
                |text: &str| u8::try_from(text.len()).map_err(|_| no("the password is too long".to_owned()));
            let mut words = vec![1, length(user)?];
            words.extend_from_slice(user.as_bytes());
            words.push(length(password)?);
            words.extend_from_slice(password.as_bytes());
            stream.write_all(&words).await?;
            let mut taken = [0; 2];
            stream.read_exact(&mut taken).await?;
            if taken[1] != 0 {
                return Err(no("it does not take the password".to_owned()));
            }
        }
        ([5, _], _) => return Err(no("it wants another way to know its users".to_owned())),
        _ => return Err(no("it does not speak SOCKS 5".to_owned())),
    }
    let mut request = vec![5, 1, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(1);
            request.extend_from_slice(&address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(4);
            request.extend_from_slice(&address.octets());
        }
        Err(_) => {
            let length = u8::try_from(host.len()).map_err(|_| no(format!("{host} is too long a name")))?;
            request.extend_from_slice(&[3, length]);
            request.extend_from_slice(host.as_bytes());
        }
    }
    request.extend_from_slice(&port.to_be_bytes());
    stream.write_all(&request).await?;
    let mut reply = [0; 4];
    stream.read_exact(&mut reply).await?;
    if reply[1] != 0 {
        let why = match reply[1] {
            2 => "its rules do not allow it",
            3 => "the network is unreachable",
            4 => "the host is unreachable",
            5 => "connection refused",
            6 => "the time to live has expired",
            _ => "it fails",
        };
        return Err(no(format!("{host}:{port}: {why}")));
    }
    // The address that it is bound to, which nobody needs.
    let rest = match reply[3] {
        1 => 4,
        4 => 16,
        _ => usize::from(stream.read_u8().await?),
    };
    let mut bound = vec![0; rest + 2];
    stream.read_exact(&mut bound).await?;
    Ok(stream)
}

#[cfg(test)]
mod tests;
