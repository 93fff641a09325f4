//! What must hold of every page, whoever looks at it: somebody with a phone, in the dark, without a mouse, or without eyes.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::browser::{Browser, MOST_STOPS, Screen};
pub use crate::browser::{ENTER, TAB};
use crate::environment;

/// Looks at the page that is shown, on every screen; a picture of each goes where a person wants to see them.
///
/// # Errors
/// Something does not hold; with what it is.
pub async fn look(browser: &Browser, name: &str) -> Result<()> {
    for screen in Screen::ALL {
        show(browser, name, screen).await?;
        axe(browser).await.with_context(|| format!("{name} on {}", screen.name))?;
    }
    use_without_eyes_or_mouse(browser, name).await
}

/// The same for a page that would be gone if it could run its script; axe-core cannot run its own then either.
///
/// # Errors
/// As [`look`].
pub async fn look_without_scripts(browser: &Browser, name: &str) -> Result<()> {
    for screen in Screen::ALL {
        show(browser, name, screen).await?;
    }
    use_without_eyes_or_mouse(browser, name).await
}

async fn show(browser: &Browser, name: &str, screen: Screen) -> Result<()> {
    browser.show_on(screen).await?;
    if let Some(folder) = environment::screenshots() {
        fs::create_dir_all(&folder)?;
        browser.save_picture(&folder.join(format!("{name}-{}.png", screen.name))).await?;
    }
    fits(browser).await.with_context(|| format!("{name} on {}", screen.name))
}

async fn use_without_eyes_or_mouse(browser: &Browser, name: &str) -> Result<()> {
    speaks(browser).await.with_context(|| format!("{name}, read aloud"))?;
    keyboard(browser).await.with_context(|| format!("{name}, by the keyboard"))?;
    let [first, ..] = Screen::ALL;
    browser.show_on(first).await
}

/// Nothing is wider than the screen.
async fn fits(browser: &Browser) -> Result<()> {
    let script = "const all = document.documentElement; return [all.scrollWidth, all.clientWidth];";
    let widths = browser.script(script).await?;
    ensure!(widths[0].as_u64() <= widths[1].as_u64(), "it is wider than the screen: {widths}");
    Ok(())
}

/// The rules of axe-core (WCAG 2.2 AA and best practices), among them contrast.
async fn axe(browser: &Browser) -> Result<()> {
    let library = environment::peer_folder("axe-core")?.join("node_modules/axe-core/axe.min.js");
    browser.script(&fs::read_to_string(&library).with_context(|| library.display().to_string())?).await?;
    let result = browser.promise("axe.run(document, { resultTypes: ['violations'] })").await?;
    let violations = result["violations"].as_array().with_context(|| format!("no result: {result}"))?;
    let told: Vec<String> = violations
        .iter()
        .flat_map(|rule| rule["nodes"].as_array().into_iter().flatten().map(move |node| (rule, node)))
        .map(|(rule, node)| format!("{}: {} {}", rule["id"], node["target"], node["failureSummary"]))
        .collect();
    ensure!(told.is_empty(), "axe-core finds:\n{}", told.join("\n"));
    ensure!(
        result["passes"].as_array().is_some_and(|passes| passes.len() > 5),
        "it looked at nothing: {result}"
    );
    Ok(())
}

/// Whoever hears the page hears what it is, one heading first, and the name of everything that can be used.
async fn speaks(browser: &Browser) -> Result<()> {
    let tree = browser.accessibility_tree().await?;
    let said = |node: &Value, what: &str| node[what]["value"].as_str().unwrap_or_default().to_owned();
    let shown: Vec<&Value> = tree.iter().filter(|node| node["ignored"] != true).collect();
    let of_role = |role: &str| shown.iter().filter(|node| said(node, "role") == role).count();
    for (role, expected) in [("main", 1), ("contentinfo", 1)] {
        ensure!(of_role(role) == expected, "{} times {role}", of_role(role));
    }
    let level = |node: &Value| {
        let properties = node["properties"].as_array()?;
        properties.iter().find(|one| one["name"] == "level")?["value"]["value"].as_u64()
    };
    let first = shown.iter().filter(|node| said(node, "role") == "heading" && level(node) == Some(1)).count();
    ensure!(first == 1, "{first} headings of the first level");
    for node in &shown {
        let (role, name) = (said(node, "role"), said(node, "name"));
        let is_used = matches!(role.as_str(), "button" | "link" | "textbox" | "checkbox" | "RootWebArea");
        ensure!(!is_used || !name.trim().is_empty(), "a {role} without a name");
    }
    Ok(())
}

/// Tab goes through everything that can be used, in the order in which it is read, and one sees where one is.
async fn keyboard(browser: &Browser) -> Result<()> {
    let all = browser
        .script(
            "window.scrollTo(0, 0); document.activeElement.blur();
             const usable = 'a[href], button, input:not([type=hidden]):not([hidden])';
             return [...document.querySelectorAll(usable)].map(it => {
                const kind = [...document.querySelectorAll(it.localName)];
                return it.id || it.localName + '-' + kind.indexOf(it);
             });",
        )
        .await?;
    let expected: Vec<String> = serde_json::from_value(all)?;
    let mut visited: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    for _ in 0..MOST_STOPS {
        browser.press(TAB).await?;
        let stop = browser.focused().await?;
        if stop.tag == "body" || !seen.insert(stop.id.clone()) {
            break;
        }
        ensure!(stop.is_visible, "nobody sees that the focus is at {}", stop.id);
        visited.push(stop.id);
    }
    // The first Tab goes on from where the focus was: after a turn, all were visited, in the same order.
    let Some(first) = visited.first() else {
        ensure!(expected.is_empty(), "Tab reaches nothing of {expected:?}");
        return Ok(());
    };
    let Some(begin) = expected.iter().position(|id| id == first) else {
        bail!("{first} is not of {expected:?}")
    };
    let mut turned = expected.clone();
    turned.rotate_left(begin);
    ensure!(
        turned.starts_with(&visited) && visited.len() + begin >= expected.len(),
        "Tab: {visited:?}, not {expected:?}"
    );
    Ok(())
}
