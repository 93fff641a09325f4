//! What people read.

use kubesso_chain::Colours;

use crate::house::{Org, TUTORIAL, apply, look};

#[tokio::test]
async fn the_first_plan_of_the_tutorial() {
    let org = Org::new().await;
    insta::assert_snapshot!(look(&org, TUTORIAL).await.plan.text(Colours::None));
}

#[tokio::test]
async fn a_plan_without_changes_is_one_line() {
    let org = Org::new().await;
    apply(&org, TUTORIAL).await.unwrap();
    let text = look(&org, TUTORIAL).await.plan.text(Colours::None);
    assert_eq!(text, "No changes: all is as the file says it (7 unchanged).\n");
}

#[tokio::test]
async fn colours_are_for_the_signs_only() {
    let org = Org::new().await;
    let text = look(&org, TUTORIAL).await.plan.text(Colours::Shown);
    assert!(text.starts_with("  \u{1b}[32m+\u{1b}[0m group \"k8s-admins\"\n"), "{text}");
}
