//! How a page looks, and how it is used without a mouse: the keyboard, the size of the screen, dark and light, pictures.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Browser;
use crate::deadline::eventually;

/// WebDriver's name of the key Tab (§17.4.2).
pub const TAB: char = '\u{e004}';
/// WebDriver's name of the key Enter.
pub const ENTER: char = '\u{e007}';
/// More than any page has to go through.
pub const MOST_STOPS: usize = 40;

/// What somebody looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// For the names of pictures.
    pub name: &'static str,
    width: u32,
    height: u32,
    is_phone: bool,
    colours: &'static str,
}

impl Screen {
    /// The screens that every page is looked at on.
    pub const ALL: [Self; 4] = [
        Self { name: "desktop-light", width: 1280, height: 800, is_phone: false, colours: "light" },
        Self { name: "desktop-dark", width: 1280, height: 800, is_phone: false, colours: "dark" },
        Self { name: "phone-light", width: 360, height: 740, is_phone: true, colours: "light" },
        Self { name: "phone-dark", width: 360, height: 740, is_phone: true, colours: "dark" },
    ];
}

/// What the keyboard talks to.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Focused {
    /// `input`, `button`, `a`; `body` if it is nothing.
    pub tag: String,
    /// Its id, or its place among the elements of its kind.
    pub id: String,
    /// Whether somebody sees that it is: an outline around it.
    pub is_visible: bool,
}

impl Browser {
    /// Shows what comes on this screen.
    ///
    /// # Errors
    /// The browser refuses.
    pub async fn show_on(&self, screen: Screen) -> Result<()> {
        let metrics = json!({
            "width": screen.width, "height": screen.height, "deviceScaleFactor": 1, "mobile": screen.is_phone,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await?;
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": screen.colours }] });
        self.devtools("Emulation.setEmulatedMedia", feature).await.map(drop)
    }

    /// A picture of the whole page as PNG.
    ///
    /// # Errors
    /// The browser refuses.
    pub async fn save_picture(&self, file: &Path) -> Result<()> {
        let shot = self.devtools("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await?;
        let data = shot["data"].as_str().context("a picture")?;
        std::fs::write(file, BASE64_STANDARD.decode(data)?).with_context(|| file.display().to_string())
    }

    /// Whether pages may run scripts from now on.
    ///
    /// # Errors
    /// The browser refuses.
    pub async fn allow_scripts(&self, allowed: bool) -> Result<()> {
        let disabled = json!({ "value": !allowed });
        self.devtools("Emulation.setScriptExecutionDisabled", disabled).await.map(drop)
    }

    /// Presses a key: a letter, or one of WebDriver's (§17.4.2).
    ///
    /// # Errors
    /// The browser refuses.
    pub async fn press(&self, key: char) -> Result<()> {
        let press = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": [
            { "type": "keyDown", "value": key }, { "type": "keyUp", "value": key },
        ] }] });
        self.call(Method::POST, "actions", Some(press)).await.map(drop)
    }

    /// Types where the focus is.
    ///
    /// # Errors
    /// The browser refuses.
    pub async fn type_keys(&self, text: &str) -> Result<()> {
        for key in text.chars() {
            self.press(key).await?;
        }
        Ok(())
    }

    /// Waits until the focus is at the element with this id.
    ///
    /// # Errors
    /// It does not come there.
    pub async fn element_focused(&self, id: &str) -> Result<()> {
        eventually(&format!("the focus is at {id}"), Duration::from_secs(15), async || {
            Ok(self.focused().await.is_ok_and(|focused| focused.id == id).then_some(()))
        })
        .await
    }

    /// Goes to the element with this id by Tab.
    ///
    /// # Errors
    /// Tab does not come there.
    pub async fn tab_to(&self, id: &str) -> Result<()> {
        for _ in 0..MOST_STOPS {
            if self.focused().await?.id == id {
                return Ok(());
            }
            self.press(TAB).await?;
        }
        bail!("Tab does not come to {id}")
    }

    /// What the keyboard talks to.
    ///
    /// # Errors
    /// The browser is gone.
    pub async fn focused(&self) -> Result<Focused> {
        let script = "const it = document.activeElement; const style = getComputedStyle(it);
            const kind = [...document.querySelectorAll(it.localName)];
            return { tag: it.localName, id: it.id || it.localName + '-' + kind.indexOf(it),
                is_visible: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 };";
        Ok(serde_json::from_value(self.script(script).await?)?)
    }

    /// What a script of the tests' own says of the page.
    ///
    /// # Errors
    /// It fails.
    pub async fn script(&self, script: &str) -> Result<Value> {
        self.call(Method::POST, "execute/sync", Some(json!({ "script": script, "args": [] }))).await
    }

    /// What a promise of a script resolves to.
    ///
    /// # Errors
    /// It fails.
    pub async fn promise(&self, script: &str) -> Result<Value> {
        let script = format!(
            "const done = arguments[0]; ({script}).then(done, error => done({{ error: String(error) }}));"
        );
        self.call(Method::POST, "execute/async", Some(json!({ "script": script, "args": [] }))).await
    }

    /// The accessibility tree: what somebody hears who does not see the page.
    ///
    /// # Errors
    /// The browser refuses.
    pub async fn accessibility_tree(&self) -> Result<Vec<Value>> {
        let tree = self.devtools("Accessibility.getFullAXTree", json!({})).await?;
        Ok(tree["nodes"].as_array().context("a tree")?.clone())
    }

    /// A command of Chromium's DevTools protocol.
    async fn devtools(&self, command: &str, parameters: Value) -> Result<Value> {
        let body = json!({ "cmd": command, "params": parameters });
        self.call(Method::POST, "goog/cdp/execute", Some(body)).await.with_context(|| command.to_owned())
    }
}
