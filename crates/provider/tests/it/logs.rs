//! The log: what happened to whom, and no secrets.

use std::io;
use std::sync::{Arc, Mutex};

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::{
    Change, GrantType, OneTimePurpose, OneTimeToken, OneTimeTokenValue, User, UserAssignment, UserStatus,
};
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use crate::house::{House, PASSWORD, Tokens, form, user, user_id};

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn each_step_is_logged_with_its_people_and_nothing_secret_is() {
    let house = House::new().await;
    let written = Written::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        .with_ansi(false)
        .with_writer(written.clone())
        .finish();
    // For all threads, because a line that is first reached without a subscriber may stay silent. What other
    // tests do stands in this log too; they know nobody called Heidi.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let hash = house.store.password_hash(&user_id("dev")).await.unwrap().unwrap();
    let assignment = UserAssignment::new(house.application.id.clone(), user_id("heidi"), house.clock_now());
    house.change(Change::PutUser(user("heidi", house.clock_now()))).await;
    house.change(Change::SetPassword(user_id("heidi"), hash)).await;

    let mut browser = house.browser();
    browser.sign_in(&house.authorize(&[]), "heidi@example.com", PASSWORD).await;
    house.change(Change::AssignUser(assignment)).await;
    browser.sign_in(&house.authorize(&[]), "heidi@example.com", "a wrong guess").await;
    let answer = browser.sign_in(&house.authorize(&[]), "heidi@example.com", PASSWORD).await;
    let code = answer.returned("code").unwrap();
    let first = Tokens(house.redeem(&code, &[]).await.expect(StatusCode::OK).json());
    house.redeem("a-forged-code", &[]).await.expect(StatusCode::BAD_REQUEST);
    let second = Tokens(house.refresh(first.refresh_token(), &[]).await.expect(StatusCode::OK).json());
    house.advance(SignedDuration::from_secs(31));
    house.refresh(first.refresh_token(), &[]).await.expect(StatusCode::BAD_REQUEST);

    house.allow(GrantType::DeviceCode).await;
    let request = form(&[("client_id", "k8s"), ("scope", "openid")], &[]);
    let codes =
        browser.post("/oauth2/k8s-auth/v1/device/authorize", &request).await.expect(StatusCode::OK).json();
    let [device_code, user_code] = ["device_code", "user_code"].map(|name| codes[name].as_str().unwrap());
    let fields =
        [("grant_type", GrantType::DeviceCode.as_str()), ("client_id", "k8s"), ("device_code", device_code)];
    browser.post("/oauth2/k8s-auth/v1/token", &form(&fields, &[])).await.expect(StatusCode::BAD_REQUEST);
    let question = browser.get(&format!("/device?user_code={user_code}")).await.expect(StatusCode::OK);
    let yes = form(&[("request", &*question.sealed_request()), ("action", "allow")], &[]);
    browser.post("/device", &yes).await.expect(StatusCode::OK);

    let heidi = User { status: UserStatus::Recovery, ..user("heidi", house.clock_now()) };
    house.change(Change::PutUser(heidi)).await;
    let link = OneTimeTokenValue::generate(&*house.entropy);
    let (purpose, ends) = (OneTimePurpose::PasswordReset, house.clock_now() + SignedDuration::from_hours(1));
    let token = OneTimeToken { hash: link.hash(), user: user_id("heidi"), purpose, ends };
    house.change(Change::PutOneTimeToken(token)).await;
    let path = format!("/reset_password/{}", link.expose());
    let page = browser.get(&path).await.expect(StatusCode::OK);
    let another = "a better battery for her";
    let fields = [("request", &*page.sealed_request()), ("password", another), ("repeated", another)];
    let answer = browser.post(&path, &form(&fields, &["password=Heidi"])).await;
    answer.expect(StatusCode::UNPROCESSABLE_ENTITY);
    for expected in [StatusCode::OK, StatusCode::GONE] {
        browser.post(&path, &form(&fields, &[])).await.expect(expected);
    }

    let log = written.text();
    for event in [
        "device codes issued client=k8s server=k8s-auth",
        "decided about a device user=heidi client=k8s",
        "sign-in refused: wrong login or password user=\"heidi\" client=k8s",
        "signed in user=heidi client=k8s server=k8s-auth session=",
        "authorization code issued user=heidi client=k8s",
        "tokens issued user=heidi client=k8s server=k8s-auth grant_type=\"authorization_code\"",
        "tokens issued user=heidi client=k8s server=k8s-auth grant_type=\"refresh_token\"",
        "a spent refresh token was used again; its family is revoked user=heidi",
        "tokens refused client=k8s server=k8s-auth error=\"invalid_grant\" reason=\"The refresh token was used before",
        "not assigned user=heidi client=k8s",
        "chose a password user=heidi was=\"RECOVERY\"",
        "request{id=\"",
    ] {
        assert!(log.contains(event), "{event}\n{log}");
    }
    let waits = |line: &&str| line.contains("authorization_pending");
    assert!(log.lines().filter(waits).all(|line| line.contains("DEBUG")), "waiting is no reason to warn");
    let session = &browser.cookies["__Host-kubesso-session"];
    let secrets = [
        PASSWORD,
        "a wrong guess",
        &code,
        "a-forged-code",
        session,
        &browser.cookies["__Host-kubesso-browser"],
        first.refresh_token(),
        first.access_token(),
        first.id_token(),
        second.refresh_token(),
        crate::house::VERIFIER,
        "the-state",
        device_code,
        user_code,
        link.expose(),
        another,
    ];
    for secret in secrets {
        assert!(!log.contains(secret), "{secret}\n{log}");
    }
}
