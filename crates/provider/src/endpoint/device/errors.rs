//! What the verification pages say when they cannot go on.

use http::StatusCode;
use kubesso_directory::Application;

use crate::authorization_response::NOT_ASSIGNED;
use crate::context::PageError;

const AGAIN: &str = "Start again on your device; it shows another code.";

fn page(status: StatusCode, heading: &'static str, what: &str, advice: &'static str) -> PageError {
    PageError { status, heading, what: what.to_owned(), advice, details: Vec::new() }
}

pub(super) fn code_ended() -> PageError {
    page(
        StatusCode::BAD_REQUEST,
        "Code no longer valid",
        "The code has ended while this page was open.",
        AGAIN,
    )
}

pub(super) fn code_used() -> PageError {
    let what = "Somebody has decided about this code already. If that was not you, tell your administrator.";
    page(StatusCode::CONFLICT, "Code already used", what, AGAIN)
}

pub(super) fn unusable_page() -> PageError {
    let what = "The page was not made by this service, or was changed on its way.";
    page(
        StatusCode::BAD_REQUEST,
        "Page no longer valid",
        what,
        "Enter the code that your device shows again.",
    )
}

pub(super) fn other_browser() -> PageError {
    let what = "The form did not come from the browser that was given it, or its cookie is gone.";
    let advice = "Allow cookies for this site, then enter the code that your device shows again.";
    page(StatusCode::FORBIDDEN, "Not accepted", what, advice)
}

pub(super) fn party_gone() -> PageError {
    let what = "The application was changed or deactivated while this page was open.";
    page(StatusCode::BAD_REQUEST, "Application no longer available", what, AGAIN)
}

/// `reason` is the client's; the person reads it in other words.
pub(super) fn refused(reason: &str, application: &Application) -> PageError {
    let label = &application.label;
    let (what, advice) = if reason == NOT_ASSIGNED {
        (
            format!("Your account is not assigned to {label}, and the device is told so."),
            "Start again on your device and sign in with another account, or ask an administrator to assign this one.",
        )
    } else {
        (
            format!("No access policy lets your account sign in to {label} on a device."),
            "Ask your administrator; the log of this service says which rules were looked at.",
        )
    };
    page(StatusCode::FORBIDDEN, "Not allowed", &what, advice)
}
