//! What the provider does in a second, and what it takes: `cargo xtask bench provider`.
//!
//! `kubesso serve`, built with optimisations, is a process of its own; the load comes from this one, over TLS on loopback,
//! so that both share the machine's processors. Beside the figures stands what their cryptography alone costs here.

mod load;
mod served;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use kubesso_e2e::form::{FormClient, REDIRECT_URI, SCOPE};
use kubesso_token::{Algorithm, SigningKey};
use serde_json::{Value, json};
use tokio::runtime::Builder;

use load::{Measured, during};
use served::Served;

/// Workers that ask at once.
const WORKERS: usize = 16;

fn main() -> Result<()> {
    // `cargo bench` adds `--bench`.
    let seconds = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(5_u64);
    Builder::new_multi_thread().enable_all().build()?.block_on(measure(Duration::from_secs(seconds)))
}

async fn measure(time: Duration) -> Result<()> {
    let served = Served::start().await?;
    println!(
        "start to the first answer   {:>8.1} ms, with everything made before",
        served.started.as_secs_f64() * 1e3
    );
    println!("resident memory, idle       {:>8.1} MiB\n", served.memory("VmRSS")?);
    println!("{:<44} {:>9} {:>9} {:>9}", "", "per s", "p50 ms", "p99 ms");
    for (what, issuer, client) in [
        ("RS256", served.issuer.clone(), served.client.clone()),
        ("ES256", served.management_issuer(), "kubesso-cli".to_owned()),
    ] {
        let refreshing = Refreshing::begin(&served, &issuer, &client).await?;
        show(&format!("refreshes, {what}"), &during(time, refreshing, Refreshing::once).await?);
        let coming = ComingBack::begin(&served, &issuer, &client).await?;
        show(
            &format!("code flows, {what}, no password asked"),
            &during(time, coming, ComingBack::once).await?,
        );
    }
    let asking = Asking::begin(&served, "introspect").await?;
    show("introspections", &during(time, asking, Asking::once).await?);
    let asking = Asking::begin(&served, "keys").await?;
    show("JWK sets", &during(time, asking, Asking::once).await?);
    let signing_in = vec![SigningIn(served.clone()), SigningIn(served.clone())];
    show("code flows with a password (Argon2id, 19 MiB)", &during(time, signing_in, SigningIn::once).await?);
    println!("\nresident memory, at most    {:>8.1} MiB\n", served.memory("VmHWM")?);
    signatures()
}

fn show(what: &str, measured: &Measured) {
    let (rate, median, slow) = (measured.per_second(), measured.at(50), measured.at(99));
    println!("{what:<44} {rate:>9.0} {median:>9.2} {slow:>9.2}");
}

/// What the signatures of a refresh (one of each token) alone would allow, on one processor.
fn signatures() -> Result<()> {
    let claims =
        json!({ "iss": "https://localhost:8443/oauth2/aus0", "sub": "00u0", "groups": ["k8s-admins"] });
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let key = SigningKey::generate(algorithm)?;
        let begin = Instant::now();
        let mut pairs = 0_u32;
        while begin.elapsed() < Duration::from_secs(1) {
            key.sign("at+jwt", &claims)?;
            key.sign("JWT", &claims)?;
            pairs += 1;
        }
        let name = format!("{algorithm:?} signatures in pairs, one processor");
        println!("{name:<44} {:>9.0}", f64::from(pairs) / begin.elapsed().as_secs_f64());
    }
    Ok(())
}

/// A worker that refreshes the same sign-in again and again.
struct Refreshing {
    http: reqwest::Client,
    endpoint: String,
    client: String,
    token: String,
}

impl Refreshing {
    async fn begin(served: &Served, issuer: &str, client: &str) -> Result<Vec<Self>> {
        let mut browser = FormClient::new(&served.ca_pem)?;
        let mut workers = Vec::new();
        for _ in 0..WORKERS {
            // The first asks for the password, the others find the session.
            let tokens = served.tokens(&mut browser, issuer, client).await?;
            workers.push(Self {
                http: kubesso_e2e::form::client(&served.ca_pem)?,
                endpoint: format!("{issuer}/v1/token"),
                client: client.to_owned(),
                token: tokens.refresh_token.context("a refresh token")?,
            });
        }
        Ok(workers)
    }

    async fn once(&mut self) -> Result<()> {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", self.client.as_str()),
            ("refresh_token", self.token.as_str()),
        ];
        let answer = self.http.post(&self.endpoint).form(&form).send().await?.error_for_status()?;
        let answer: Value = answer.json().await?;
        answer["refresh_token"].as_str().context("a refresh token")?.clone_into(&mut self.token);
        Ok(())
    }
}

/// A worker whose browser has a session, so that the provider answers a request at once.
struct ComingBack {
    http: reqwest::Client,
    cookies: String,
    issuer: String,
    client: String,
}

impl ComingBack {
    async fn begin(served: &Served, issuer: &str, client: &str) -> Result<Vec<Self>> {
        let mut workers = Vec::new();
        for _ in 0..WORKERS {
            let mut browser = FormClient::new(&served.ca_pem)?;
            served.tokens(&mut browser, issuer, client).await?;
            workers.push(Self {
                http: kubesso_e2e::form::client(&served.ca_pem)?,
                cookies: browser.cookies(),
                issuer: issuer.to_owned(),
                client: client.to_owned(),
            });
        }
        Ok(workers)
    }

    async fn once(&mut self) -> Result<()> {
        // RFC 7636, appendix B.
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        let query = [
            ("response_type", "code"),
            ("client_id", self.client.as_str()),
            ("redirect_uri", REDIRECT_URI),
            ("scope", SCOPE),
            ("state", "state"),
            ("nonce", "nonce"),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ];
        let authorize = url::Url::parse_with_params(&format!("{}/v1/authorize", self.issuer), query)?;
        let answer = self.http.get(authorize).header("cookie", &self.cookies).send().await?;
        let back = answer.headers().get("location").context("no redirect")?.to_str()?;
        let back = url::Url::parse(back)?;
        let code = back.query_pairs().find(|(name, _)| name == "code").context("no code")?.1.into_owned();
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", self.client.as_str()),
            ("redirect_uri", REDIRECT_URI),
            ("code", code.as_str()),
            ("code_verifier", verifier),
        ];
        let token = format!("{}/v1/token", self.issuer);
        self.http.post(token).form(&form).send().await?.error_for_status()?.bytes().await?;
        Ok(())
    }
}

/// A worker that asks the same of an endpoint that changes nothing.
struct Asking {
    http: reqwest::Client,
    url: String,
    form: Option<[(&'static str, String); 2]>,
}

impl Asking {
    async fn begin(served: &Served, endpoint: &str) -> Result<Vec<Self>> {
        let mut browser = FormClient::new(&served.ca_pem)?;
        let tokens = served.tokens(&mut browser, &served.issuer, &served.client).await?;
        let form = [("client_id", served.client.clone()), ("token", tokens.access_token)];
        (0..WORKERS)
            .map(|_| {
                Ok(Self {
                    http: kubesso_e2e::form::client(&served.ca_pem)?,
                    url: format!("{}/v1/{endpoint}", served.issuer),
                    form: (endpoint == "introspect").then(|| form.clone()),
                })
            })
            .collect()
    }

    async fn once(&mut self) -> Result<()> {
        let request = match &self.form {
            Some(form) => self.http.post(&self.url).form(form),
            None => self.http.get(&self.url),
        };
        request.send().await?.error_for_status()?.bytes().await?;
        Ok(())
    }
}

/// A worker that signs in from the beginning, each time with a new browser. There are two: a check keeps a processor busy.
struct SigningIn(Served);

impl SigningIn {
    async fn once(&mut self) -> Result<()> {
        let mut browser = FormClient::new(&self.0.ca_pem)?;
        self.0.tokens(&mut browser, &self.0.issuer, &self.0.client).await.map(drop)
    }
}
