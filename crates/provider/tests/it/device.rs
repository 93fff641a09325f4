//! The device authorization grant: the device's side and the person's.

mod expired;
mod pages;
mod polling;

use http::StatusCode;
use kubesso_directory::GrantType;
use serde_json::Value;

use crate::house::{Answer, Browser, House, PASSWORD, SCOPE, Tokens, form};

const AUTHORIZE: &str = "/oauth2/k8s-auth/v1/device/authorize";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn house() -> House {
    let house = House::new().await;
    house.allow(GrantType::DeviceCode).await;
    house
}

/// A device that asks, with what it was given.
struct Device<'a> {
    house: &'a House,
    codes: Value,
}

async fn authorize(house: &House, changes: &[&str]) -> Answer {
    let body = form(&[("client_id", house.application.client_id.as_str()), ("scope", SCOPE)], changes);
    house.browser().post(AUTHORIZE, &body).await
}

impl<'a> Device<'a> {
    async fn new(house: &'a House) -> Self {
        Self::with(house, &[]).await
    }

    async fn with(house: &'a House, changes: &[&str]) -> Self {
        let codes = authorize(house, changes).await.expect(StatusCode::OK).json();
        Self { house, codes }
    }

    fn user_code(&self) -> &str {
        self.codes["user_code"].as_str().unwrap()
    }

    /// The link with the code, as a path.
    fn link(&self) -> &str {
        self.codes["verification_uri_complete"].as_str().unwrap().strip_prefix(crate::house::ORIGIN).unwrap()
    }

    async fn poll(&self, changes: &[&str]) -> Answer {
        let fields = [
            ("grant_type", DEVICE_CODE),
            ("client_id", self.house.application.client_id.as_str()),
            ("device_code", self.codes["device_code"].as_str().unwrap()),
        ];
        self.house.browser().post("/oauth2/k8s-auth/v1/token", &form(&fields, changes)).await
    }

    async fn tokens(&self) -> Tokens {
        Tokens(self.poll(&[]).await.expect(StatusCode::OK).json())
    }

    /// Somebody follows the link with a browser of one's own, signs in, and presses a button.
    async fn confirmed_by(&self, login: &str, button: &str) -> Answer {
        let mut browser = self.house.browser();
        let question = sign_in(&mut browser, self.link(), login).await;
        press(&mut browser, &question, button).await
    }
}

/// The page after signing in at `link`.
async fn sign_in(browser: &mut Browser, link: &str, login: &str) -> Answer {
    let page = browser.get(link).await.expect(StatusCode::OK);
    let fields = [("request", &*page.sealed_request()), ("username", login), ("password", PASSWORD)];
    let answer = browser.post("/device", &form(&fields, &[])).await;
    match answer.location() {
        Some(next) => browser.get(&next[url::Position::BeforePath..]).await,
        None => answer,
    }
}

async fn press(browser: &mut Browser, page: &Answer, button: &str) -> Answer {
    browser.post("/device", &form(&[("request", &*page.sealed_request()), ("action", button)], &[])).await
}
