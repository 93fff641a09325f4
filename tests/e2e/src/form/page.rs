//! What a page without script is to a browser: its forms and its words.

use std::collections::BTreeMap;

/// A form: where it goes, what it already says, and what a person can do with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) action: String,
    /// What is sent; boxes that nobody has ticked are not.
    pub(crate) fields: BTreeMap<String, String>,
    /// The fields that a person types into.
    pub(crate) typed: Vec<String>,
    /// The buttons that say which of them was pressed.
    pub(crate) buttons: Vec<(String, String)>,
}

impl Form {
    /// The first form of the page that asks for a password.
    pub(crate) fn find(page: &str) -> Option<Self> {
        Self::all(page).find(|form| form.fields.contains_key("password"))
    }

    /// The forms of the page, in order.
    pub(crate) fn all(page: &str) -> impl Iterator<Item = Self> {
        page.split("<form").skip(1).filter_map(move |text| {
            let mut form = Self::read(text)?;
            let id = attribute(text.split('>').next()?, "id");
            // A button may stand elsewhere and name its form.
            let elsewhere = tags(page, "<button", "submit").map(|(button, _)| button);
            let ours = elsewhere.filter(|button| id.is_some() && attribute(button, "form") == id);
            form.buttons.extend(ours.filter_map(|button| {
                Some((attribute(button, "name")?, attribute(button, "value").unwrap_or_default()))
            }));
            Some(form)
        })
    }

    fn read(text: &str) -> Option<Self> {
        let (tag, rest) = text.split_once('>')?;
        let (inside, _) = rest.split_once("</form>")?;
        let mut form = Self {
            action: attribute(tag, "action").unwrap_or_default(),
            fields: BTreeMap::new(),
            typed: Vec::new(),
            buttons: Vec::new(),
        };
        for (part, default) in tags(inside, "<input", "text").chain(tags(inside, "<button", "submit")) {
            let Some(name) = attribute(part, "name") else { continue };
            let value = attribute(part, "value").unwrap_or_default();
            match attribute(part, "type").as_deref().unwrap_or(default) {
                "submit" => form.buttons.push((name, value)),
                "button" | "checkbox" | "radio" | "reset" => {}
                "hidden" => {
                    form.fields.insert(name, value);
                }
                _ => {
                    form.typed.push(name.clone());
                    form.fields.insert(name, value);
                }
            }
        }
        Some(form)
    }
}

fn tags<'a>(
    text: &'a str,
    opening: &'a str,
    default: &'static str,
) -> impl Iterator<Item = (&'a str, &'static str)> {
    text.split(opening).skip(1).filter_map(move |tag| Some((tag.split('>').next()?, default)))
}

/// The value of `name="…"` in a tag, with HTML's escapes undone.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) =
        tag.split_once(&format!(" {name}=\"")).or_else(|| tag.split_once(&format!("\n{name}=\"")))?;
    Some(unescape(rest.split('"').next()?))
}

/// The text of the element with this id, without the tags inside it.
pub(crate) fn element_text(page: &str, id: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!(" id=\"{id}\""))?;
    let (_, rest) = rest.split_once('>')?;
    let text = rest.split("</p>").next()?.split("</h1>").next()?;
    let plain: String =
        text.split('<').map(|part| part.split_once('>').map_or(part, |(_, after)| after)).collect();
    let plain = unescape(plain.trim());
    (!plain.is_empty()).then_some(plain)
}

fn unescape(text: &str) -> String {
    let named = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ];
    named.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<html><form action="/continue"><input name="go"></form><p id="error" class="e">Wrong <b>name</b> or password &amp; more.</p>
        <form method="post" action="/sign-in?a=1&amp;b=2"><input type="hidden" name="csrf" value="x&quot;y">
        <input id="username" name="username"><input id="password" name="password" type="password">
        <button id="sign-in">Sign in</button></form></html>"#;

    #[test]
    fn a_form_is_read_as_a_browser_reads_it() {
        let form = Form::find(PAGE).unwrap();
        assert_eq!(form.action, "/sign-in?a=1&b=2");
        assert_eq!(form.fields["csrf"], "x\"y");
        assert_eq!(form.fields["username"], "");
        assert_eq!(form.typed, ["username", "password"]);
        assert_eq!(form.buttons, []);
    }

    #[test]
    fn a_person_can_type_press_and_leave_boxes_alone() {
        let page = "<form id=\"f\" action=\"\"><input type=\"hidden\" name=\"xsrf\" value=\"x\"/>\n\
                    <input\n type=\"text\" name=\"code\" value=\"AB\"><input type=\"checkbox\" name=\"remember\">\
                    <input type=\"submit\" name=\"accept\" value=\"Yes\"><button name=\"cancel\">No</button></form>";
        let page = &format!("{page}<button form=\"f\" name=\"later\" value=\"1\">Later</button>");
        let form = Form::all(page).next().unwrap();
        assert_eq!(form.typed, ["code"]);
        assert_eq!(form.fields.keys().collect::<Vec<_>>(), ["code", "xsrf"]);
        let buttons = [("accept", "Yes"), ("cancel", ""), ("later", "1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(form.buttons, buttons);
    }

    #[test]
    fn the_explanation_on_a_page_is_its_text() {
        assert_eq!(element_text(PAGE, "error").as_deref(), Some("Wrong name or password & more."));
        assert_eq!(element_text(PAGE, "note"), None);
    }
}
