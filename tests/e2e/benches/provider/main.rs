//! What the provider does in a second, and what it takes: `cargo xtask bench provider`.
//!
//! `kubesso serve`, built with optimisations, is a process of its own; the load comes from this one, over TLS on loopback,
//! so that both share the machine's processors. Keycloak is loaded by the same workers in the same run. Beside the figures
//! stands what their cryptography alone costs here.

mod load;
mod served;
mod target;
mod workers;

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use kubesso_e2e::installation::memory_of;
use kubesso_e2e::provider::keycloak::{Keycloak, Machine};
use kubesso_store_postgres::testkit;
use kubesso_token::{Algorithm, SigningKey};
use serde_json::json;
use tokio::runtime::Builder;

use load::{Measured, during};
use served::Served;
use target::Target;
use workers::{Asking, ComingBack, Refreshing, SigningIn};

/// How long Java compiles what it finds busy before it is measured.
const WARM_UP: Duration = Duration::from_secs(30);

fn main() -> Result<()> {
    // `cargo bench` adds `--bench`.
    let seconds = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(5_u64);
    Builder::new_multi_thread().enable_all().build()?.block_on(measure(Duration::from_secs(seconds)))
}

async fn measure(time: Duration) -> Result<()> {
    signatures()?;
    println!("\nkubesso on SQLite");
    kubesso(None, time).await?;
    println!("\nkubesso on PostgreSQL, on this machine too");
    let postgres = testkit::Server::alone().map_err(|error| anyhow!(error))?;
    let url = postgres.database().map_err(|error| anyhow!(error))?;
    kubesso(Some(&url), time).await?;
    println!("\nKeycloak, after {} s of the same load", WARM_UP.as_secs());
    keycloak(time).await
}

async fn kubesso(database: Option<&str>, time: Duration) -> Result<()> {
    let served = Served::start(database).await?;
    begun(served.started, served.memory("VmRSS")?);
    let rs256 = served.target().await?;
    for (what, target) in [("RS256", rs256.clone()), ("ES256", served.management().await?)] {
        let refreshing = Refreshing::begin(&target).await?;
        show(&format!("refreshes, {what}"), &during(time, refreshing, Refreshing::once).await?);
        let coming = ComingBack::begin(&target).await?;
        show(
            &format!("code flows, {what}, no password asked"),
            &during(time, coming, ComingBack::once).await?,
        );
    }
    let asking = Asking::introspection(&rs256).await?;
    show("introspections", &during(time, asking, Asking::once).await?);
    show("JWK sets", &during(time, Asking::keys(&rs256)?, Asking::once).await?);
    // Two: a check keeps a processor busy.
    let signing_in = vec![SigningIn(rs256.clone()), SigningIn(rs256)];
    show("code flows with a password (Argon2id, 19 MiB)", &during(time, signing_in, SigningIn::once).await?);
    println!("{:<46} {:>8.1} MiB", "resident memory, at most", served.memory("VmHWM")?);
    Ok(())
}

/// No code flows: whoever asks for `offline_access` there has no session afterwards, and is asked for the password again.
async fn keycloak(time: Duration) -> Result<()> {
    let keycloak = Keycloak::start(Machine::Production).await?;
    begun(keycloak.started, memory_of(keycloak.id(), "VmRSS")?);
    let known = keycloak.known().await?;
    let target = Target::of(&known.ca_pem, known.issuer, known.client_id, known.person).await?;
    for warm in [true, false] {
        let time = if warm { WARM_UP } else { time };
        let refreshes = during(time, Refreshing::begin(&target).await?, Refreshing::once).await?;
        let keys = during(time, Asking::keys(&target)?, Asking::once).await?;
        if !warm {
            show("refreshes, RS256", &refreshes);
            show("JWK sets", &keys);
        }
    }
    println!("{:<46} {:>8.1} MiB", "resident memory, at most", memory_of(keycloak.id(), "VmHWM")?);
    Ok(())
}

/// What it took to begin.
fn begun(started: Duration, resident: f64) {
    let milliseconds = started.as_secs_f64() * 1e3;
    println!("{:<46} {milliseconds:>8.1} ms", "start to the first answer, everything made");
    println!("{:<46} {resident:>8.1} MiB", "resident memory, idle");
    println!("{:<46} {:>8} {:>8} {:>8}", "", "per s", "p50 ms", "p99 ms");
}

fn show(what: &str, measured: &Measured) {
    let (rate, median, slow) = (measured.per_second(), measured.at(50), measured.at(99));
    println!("{what:<46} {rate:>8.0} {median:>8.2} {slow:>8.2}");
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
        println!("{name:<46} {:>8.0}", f64::from(pairs) / begin.elapsed().as_secs_f64());
    }
    Ok(())
}
