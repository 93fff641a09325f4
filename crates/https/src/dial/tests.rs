use std::sync::{Arc, Mutex};

use kubesso_ambient::{Clock as _, SystemClock};
use reqwest::{Method, Url};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use super::*;
use crate::pki::{CertificateAuthority, ServerNames};
use crate::{Connections, Identity, Route, ServerClient, Timeouts, shown_certificate};

const NAME: &str = "api.internal.example";

fn server_config(identity: &Identity) -> Arc<ServerConfig> {
    crate::install_crypto_provider();
    let chain =
        CertificateDer::pem_slice_iter(identity.chain_pem().as_bytes()).collect::<Result<Vec<_>, _>>();
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain.unwrap(), key);
    Arc::new(config.unwrap())
}

/// Says by which name it was asked for, in TLS and in HTTP.
async fn server(authority: &CertificateAuthority) -> u16 {
    let identity = authority
        .issue_server(&ServerNames::new(vec![NAME.to_owned()], Vec::new()), SystemClock.now())
        .unwrap();
    let config = server_config(&identity);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let config = Arc::clone(&config);
            tokio::spawn(async move {
                let started =
                    LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await.unwrap();
                let sni = started.client_hello().server_name().unwrap_or("none").to_owned();
                let Ok(mut stream) = started.into_stream(config).await else { return };
                let head = read_head(&mut stream).await;
                let host = head
                    .lines()
                    .find_map(|line| line.to_lowercase().strip_prefix("host: ").map(str::to_owned));
                let body = format!("{sni} {}", host.unwrap_or_default());
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
                let _ = stream.shutdown().await;
            });
        }
    });
    port
}

async fn read_head(stream: &mut impl Stream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// What a proxy was asked for.
type Seen = Arc<Mutex<Vec<String>>>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Http,
    Https,
    Socks,
    Refusing,
}

async fn proxy(kind: Kind, authority: &CertificateAuthority) -> (u16, Seen) {
    // Its certificate is of the server's name: that is what Go's client wants of it.
    let names = ServerNames::new(vec![NAME.to_owned()], vec![IpAddr::from([127, 0, 0, 1])]);
    let identity = authority.issue_server(&names, SystemClock.now());
    let tls = TlsAcceptor::from(server_config(&identity.unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Seen::default();
    let told = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, told) = (tls.clone(), Arc::clone(&told));
            tokio::spawn(async move {
                match kind {
                    Kind::Socks => socks_server(stream, &told).await,
                    Kind::Https => http_server(tls.accept(stream).await.unwrap(), kind, &told).await,
                    Kind::Http | Kind::Refusing => http_server(stream, kind, &told).await,
                }
            });
        }
    });
    (port, seen)
}

async fn http_server(mut stream: impl Stream, kind: Kind, told: &Seen) {
    let head = read_head(&mut stream).await;
    told.lock().unwrap().push(head.clone());
    if kind == Kind::Refusing {
        stream.write_all(b"HTTP/1.1 403 Forbidden by policy\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        return;
    }
    let to = head.split(' ').nth(1).unwrap().to_owned();
    let mut far = TcpStream::connect(to).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n").await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut far).await;
}

async fn socks_server(mut stream: TcpStream, told: &Seen) {
    let mut greeting = vec![0; 2];
    stream.read_exact(&mut greeting).await.unwrap();
    let mut methods = vec![0; usize::from(greeting[1])];
    stream.read_exact(&mut methods).await.unwrap();
    if methods.contains(&2) {
        stream.write_all(&[5, 2]).await.unwrap();
        stream.read_u8().await.unwrap();
        let mut words = Vec::new();
        for _ in 0..2 {
            let mut word = vec![0; usize::from(stream.read_u8().await.unwrap())];
            stream.read_exact(&mut word).await.unwrap();
            words.push(String::from_utf8(word).unwrap());
        }
        told.lock().unwrap().push(words.join(":"));
        stream.write_all(&[1, 0]).await.unwrap();
    } else {
        stream.write_all(&[5, 0]).await.unwrap();
    }
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.unwrap();
    let host = match head[3] {
        1 => {
            let mut address = [0; 4];
            stream.read_exact(&mut address).await.unwrap();
            IpAddr::from(address).to_string()
        }
        3 => {
            let mut name = vec![0; usize::from(stream.read_u8().await.unwrap())];
            stream.read_exact(&mut name).await.unwrap();
            String::from_utf8(name).unwrap()
        }
        other => panic!("{other}"),
    };
    let port = stream.read_u16().await.unwrap();
    told.lock().unwrap().push(format!("{host}:{port}"));
    let mut far = TcpStream::connect((host.as_str(), port)).await.unwrap();
    stream.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 1]).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut far).await;
}

fn link(authority: &CertificateAuthority, proxy: &str, name: &str) -> Link {
    Link {
        trust: Trust::Only(authority.certificate_pem().to_owned()),
        route: Route::new(proxy, name).unwrap(),
    }
}

async fn get(server: &str, link: &Link) -> Result<String, String> {
    let server = Url::parse(server).unwrap();
    let client = ServerClient::new(&server, link, Timeouts::default(), None, Connections::Kept).unwrap();
    match client.request(Method::GET, "/version").send().await {
        Ok(answer) => Ok(answer.text().await.unwrap()),
        Err(error) => Err(client.obstacle().unwrap_or_else(|| format!("{error:?}"))),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_asked_for_by_the_name_that_its_certificate_has() {
    let authority = CertificateAuthority::generate("test", SystemClock.now()).unwrap();
    let port = server(&authority).await;
    for host in ["127.0.0.1", "localhost"] {
        let address = format!("https://{host}:{port}");
        let said = get(&address, &link(&authority, "", NAME)).await.unwrap();
        assert_eq!(said, format!("{NAME} {host}:{port}"));
        let said = get(&address, &link(&authority, "", "")).await.unwrap_err();
        assert!(said.contains("NotValidForName"), "{said}");
    }
    let link = link(&authority, "", NAME);
    let shown = shown_certificate(&link, "127.0.0.1", port, std::time::Duration::from_secs(10)).await;
    assert_eq!(shown.unwrap().names, [NAME]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_proxy_leads_there_and_resolves_the_name() {
    let authority = CertificateAuthority::generate("test", SystemClock.now()).unwrap();
    let port = server(&authority).await;
    for (kind, scheme, password) in [
        (Kind::Http, "http", "Basic am86cyNjcmV0"),
        (Kind::Https, "https", "Basic am86cyNjcmV0"),
        (Kind::Socks, "socks5", "jo:s#cret"),
    ] {
        let (at, seen) = proxy(kind, &authority).await;
        let url = format!("{scheme}://jo:s%23cret@127.0.0.1:{at}");
        let said = get(&format!("https://localhost:{port}"), &link(&authority, &url, NAME)).await.unwrap();
        assert_eq!(said, format!("{NAME} localhost:{port}"));
        let seen = seen.lock().unwrap().join("\n");
        assert!(seen.contains(password) && seen.contains(&format!("localhost:{port}")), "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_proxy_does_not_do_is_said_in_its_words() {
    let authority = CertificateAuthority::generate("test", SystemClock.now()).unwrap();
    let (refusing, _) = proxy(Kind::Refusing, &authority).await;
    let said =
        get("https://localhost:6443", &link(&authority, &format!("http://jo:pw@127.0.0.1:{refusing}"), ""))
            .await;
    let said = said.unwrap_err();
    let expected = format!(
        "the proxy http://127.0.0.1:{refusing}/: it answers 403 Forbidden by policy to CONNECT localhost:6443"
    );
    assert_eq!(said, expected);
    let said =
        get("https://localhost:6443", &link(&authority, "socks5://127.0.0.1:1", "")).await.unwrap_err();
    assert!(said.starts_with("the proxy socks5://127.0.0.1:1/: ") && said.contains("refused"), "{said}");
    let stranger = CertificateAuthority::generate("stranger", SystemClock.now()).unwrap();
    let (other, _) = proxy(Kind::Https, &stranger).await;
    let said =
        get("https://localhost:6443", &link(&authority, &format!("https://127.0.0.1:{other}"), "")).await;
    assert!(said.unwrap_err().contains("UnknownIssuer"));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_socket_between_is_nobody_elses_and_goes_with_the_client() {
    use std::os::unix::fs::PermissionsExt as _;
    let authority = CertificateAuthority::generate("test", SystemClock.now()).unwrap();
    let link = link(&authority, "", NAME);
    let relay =
        crate::relay::Relay::begin(link, "localhost".to_owned(), 1, std::time::Duration::from_secs(1))
            .unwrap();
    let folder = relay.socket().parent().unwrap().to_owned();
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    drop(relay);
    assert!(!folder.exists());
}
