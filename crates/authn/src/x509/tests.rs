use std::sync::LazyLock;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::ManualClock;
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair,
};

use super::*;

const NOW: &str = "2026-11-22T08:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn ders(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect()
}

fn authenticator(ca_pem: &str) -> X509Authenticator {
    X509Authenticator::new(ca_pem, Arc::new(ManualClock::at(now()))).unwrap()
}

/// A certificate authority whose issued certificates can have any shape.
struct Forge {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Forge {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::from_ca_cert_pem(&pem, key).unwrap(), pem }
    }

    fn issue(&self, shape: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.distinguished_name = rcgen::DistinguishedName::new();
        shape(&mut params);
        params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap().der().clone()
    }

    fn intermediate(&self, name: &str) -> (Self, CertificateDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let pem = certificate.pem();
        (Self { issuer: Issuer::from_ca_cert_pem(&pem, key).unwrap(), pem }, certificate.der().clone())
    }
}

fn named(name: &str) -> impl FnOnce(&mut CertificateParams) {
    move |params| params.distinguished_name.push(DnType::CommonName, name)
}

#[test]
fn the_common_name_is_the_user_and_the_organization_the_group() {
    let authority = CertificateAuthority::generate("clients", now()).unwrap();
    let identity = authority.issue_client("alice", "system:masters", now()).unwrap();
    let chain = ders(identity.chain_pem());
    let user = authenticator(authority.certificate_pem()).authenticate(&chain).unwrap().unwrap();
    let hash = digest::digest(&digest::SHA256, &chain[0]);
    let hash = colon_hex(hash.as_ref()).replace(':', "").to_lowercase();
    assert_eq!((user.username.as_str(), user.uid.as_str()), ("alice", ""));
    assert_eq!(user.groups, ["system:masters"]);
    assert_eq!(user.extra, BTreeMap::from([(CREDENTIAL_ID.to_owned(), vec![format!("X509SHA256={hash}")])]));
}

#[test]
fn intermediates_come_with_the_leaf() {
    let root = Forge::new("root");
    let (middle, middle_der) = root.intermediate("middle");
    let leaf = middle.issue(named("alice"));
    let authenticator = authenticator(&root.pem);
    let with = authenticator.authenticate(&[leaf.clone(), middle_der]).unwrap().unwrap();
    assert_eq!(with.username, "alice");
    let without = authenticator.authenticate(&[leaf]).unwrap_err().to_string();
    assert!(without.ends_with("failed: x509: certificate signed by unknown authority"), "{without}");
}

#[test]
fn without_a_certificate_or_a_common_name_there_is_no_opinion() {
    let forge = Forge::new("clients");
    let authenticator = authenticator(&forge.pem);
    assert_eq!(authenticator.authenticate(&[]), Ok(None));
    let nameless = forge.issue(|params| params.distinguished_name.push(DnType::OrganizationName, "admins"));
    assert_eq!(authenticator.authenticate(&[nameless]), Ok(None));
    let empty = forge.issue(named(""));
    assert_eq!(authenticator.authenticate(&[empty]), Ok(None));
}

#[test]
fn the_uid_comes_from_its_own_attribute() {
    let forge = Forge::new("clients");
    let authenticator = authenticator(&forge.pem);
    let with_uid = |uid: &str| {
        forge.issue(|params| {
            params.distinguished_name.push(DnType::CommonName, "alice");
            params.distinguished_name.push(DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 57683, 2]), uid);
        })
    };
    assert_eq!(authenticator.authenticate(&[with_uid("1234")]).unwrap().unwrap().uid, "1234");
    assert_eq!(authenticator.authenticate(&[with_uid("")]), Err(X509Error::EmptyUid));
}

#[test]
fn what_kube_apiserver_refuses_is_refused_with_its_text() {
    let forge = Forge::new("clients");
    let stranger = Forge::new("clients");
    let authenticator = authenticator(&forge.pem);
    let unknown_authority = "x509: certificate signed by unknown authority (possibly because of \
                             \"x509: ECDSA verification failure\" while trying to verify \
                             candidate authority certificate \"clients\")";
    let at = |time: &str| {
        let time: Timestamp = time.parse().unwrap();
        rcgen::date_time_ymd(2026, 11, 22)
            + Duration::from_secs((time.as_second() - 1_795_305_600).unsigned_abs())
    };
    let cases = [
        (stranger.issue(named("mallory")), unknown_authority.to_owned()),
        (
            forge.issue(|params| {
                named("alice")(params);
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }),
            "x509: certificate specifies an incompatible key usage".to_owned(),
        ),
        (
            forge.issue(|params| {
                named("alice")(params);
                params.not_before = rcgen::date_time_ymd(2026, 1, 1);
                params.not_after = at("2026-11-22T07:59:59Z");
            }),
            "x509: certificate has expired or is not yet valid: \
             current time 2026-11-22T08:00:00Z is after 2026-11-22T07:59:59Z"
                .to_owned(),
        ),
        (
            forge.issue(|params| {
                named("alice")(params);
                params.not_before = at("2026-11-22T08:00:01Z");
            }),
            "x509: certificate has expired or is not yet valid: \
             current time 2026-11-22T08:00:00Z is before 2026-11-22T08:00:01Z"
                .to_owned(),
        ),
    ];
    for (certificate, text) in cases {
        let error = authenticator.authenticate(&[certificate]).unwrap_err().to_string();
        assert!(error.starts_with("verifying certificate SN="), "{error}");
        assert!(error.ends_with(&format!(" failed: {text}")), "{error}\n{text}");
    }
    assert_eq!(authenticator.authenticate(&[CertificateDer::from(vec![1, 2, 3])]), Err(X509Error::Malformed));
}

#[test]
fn a_certificate_without_purposes_serves_every_purpose_and_one_with_a_strange_demand_none() {
    let forge = Forge::new("clients");
    let authenticator = authenticator(&forge.pem);
    let any = forge.issue(|params| {
        named("alice")(params);
        params.extended_key_usages = Vec::new();
    });
    assert_eq!(authenticator.authenticate(&[any]).unwrap().unwrap().username, "alice");
    let strange = forge.issue(|params| {
        named("alice")(params);
        let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
    });
    assert!(matches!(authenticator.authenticate(&[strange]), Err(X509Error::Verification { .. })));
}

#[test]
fn the_clock_decides_about_validity() {
    let authority = CertificateAuthority::generate("clients", now()).unwrap();
    let identity = authority.issue_client("alice", "staff", now()).unwrap();
    let clock = Arc::new(ManualClock::at(now()));
    let authenticator =
        X509Authenticator::new(authority.certificate_pem(), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let chain = ders(identity.chain_pem());
    assert!(authenticator.authenticate(&chain).is_ok());
    clock.advance(SignedDuration::from_hours(24 * 365));
    assert!(authenticator.authenticate(&chain).is_err());
}

#[test]
fn a_servers_certificate_is_no_client() {
    let authority = CertificateAuthority::generate("all", now()).unwrap();
    let identity = authority.issue_server(&ServerNames::loopback(), now()).unwrap();
    let error =
        authenticator(authority.certificate_pem()).authenticate(&ders(identity.chain_pem())).unwrap_err();
    assert!(error.to_string().ends_with("x509: certificate specifies an incompatible key usage"));
}

#[test]
fn an_authority_file_without_authorities_is_refused() {
    for pem in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let error = X509Authenticator::new(pem, Arc::new(ManualClock::at(now()))).unwrap_err();
        assert!(matches!(error, X509Error::Authority(_)), "{error}");
    }
}

proptest! {
    #[test]
    fn no_flipped_bit_of_a_chain_gives_another_user(at in any::<prop::sample::Index>()) {
        static CHAIN: LazyLock<(String, Vec<CertificateDer<'static>>)> = LazyLock::new(|| {
            let root = Forge::new("root");
            let (middle, middle_der) = root.intermediate("middle");
            (root.pem, vec![middle.issue(named("alice")), middle_der])
        });
        let (pem, chain) = &*CHAIN;
        let authenticator = authenticator(pem);
        let expected = authenticator.authenticate(chain).unwrap();
        prop_assert!(expected.is_some());
        let bit = at.index((chain[0].len() + chain[1].len()) * 8);
        let (which, bit) = if bit < chain[0].len() * 8 { (0, bit) } else { (1, bit - chain[0].len() * 8) };
        let mut der = chain[which].to_vec();
        der[bit / 8] ^= 1 << (bit % 8);
        let mut flipped = chain.clone();
        flipped[which] = CertificateDer::from(der);
        prop_assert!(authenticator.authenticate(&flipped).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
        prop_assert!(Certificate::parse(&bytes).is_none());
    }
}
