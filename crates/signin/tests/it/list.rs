//! `list`: what is kept, for people and for scripts.

use std::fs;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::world::{Recording, Run, World};

fn list(world: &World, format: &str) -> Run {
    let line = ["kubelogin", "list", "-o", format].map(str::to_owned).to_vec();
    world.run_line(line, &Recording::default())
}

fn rows(world: &World) -> Vec<Value> {
    let run = list(world, "json");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn nothing_kept_is_said_to_people_and_an_empty_list_to_scripts() {
    let world = World::new();
    let run = list(&world, "table");
    assert_eq!((run.code, run.stdout.as_str()), (0, ""));
    assert!(run.stderr.starts_with("Nothing is kept in "), "{}", run.stderr);
    assert_eq!(list(&world, "json").stdout, "[]\n");
}

#[test]
fn each_entry_says_whose_it_is_and_how_long() {
    let world = World::new();
    let token = world.get_token(&["--oidc-extra-scope=email", "--profile=work"]).token();
    world.clock.advance(SignedDuration::from_mins(10));
    let rows = rows(&world);
    assert_eq!(rows.len(), 1);
    let id = rows[0]["id"].as_str().unwrap();
    assert_eq!(
        rows[0],
        json!({
            "id": id, "kept_by": "disk", "issuer": world.stub.issuer, "client_id": "kubernetes",
            "subject": "00u1", "email": "dev@example.com", "preferred_username": null,
            "scopes": "email openid", "profile": "work", "signed_in_at": "2020-01-01T00:00:00Z",
            "expires_at": "2020-01-01T01:00:00Z", "can_refresh": true,
        })
    );
    let table = list(&world, "table").stdout;
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 2, "{table}");
    assert!(lines[0].starts_with("WHO ") && lines[0].ends_with("KEPT BY   ID"), "{table}");
    let cells: Vec<_> = lines[1].split_whitespace().collect();
    let row = ["dev@example.com", &world.stub.issuer, "kubernetes", "50m", "yes", "work", "disk", &id[..12]];
    assert_eq!(cells, row);
    let yaml = list(&world, "yaml").stdout;
    assert!(yaml.contains("email: dev@example.com"), "{yaml}");
    for text in [table, yaml, rows[0].to_string()] {
        assert!(!text.contains(&token) && !text.contains("REFRESH_TOKEN"), "{text}");
    }
}

#[test]
fn a_refresh_keeps_when_the_person_signed_in() {
    let world = World::new();
    world.get_token(&[]).token();
    world.clock.advance(SignedDuration::from_hours(2));
    world.get_token(&[]).token();
    let row = &rows(&world)[0];
    assert_eq!(row["signed_in_at"], "2020-01-01T00:00:00Z");
    assert_eq!(row["expires_at"], "2020-01-01T03:00:00Z");
}

#[test]
fn entries_of_kubelogin_and_broken_ones_are_told_apart() {
    let world = World::new();
    let token = world.get_token(&[]).token();
    let entry = world.cache_files(".json").remove(0);
    let theirs = world.cache_directory().join("c".repeat(64));
    fs::write(&theirs, json!({ "id_token": token }).to_string()).unwrap();
    fs::write(entry, "{").unwrap();
    fs::write(world.cache_directory().join("d".repeat(64)), "somebody else's").unwrap();
    let rows = rows(&world);
    let is = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let kept: Vec<_> = rows.iter().map(|row| (is(row, "kept_by"), is(row, "expires_at"))).collect();
    assert_eq!(
        kept,
        [("disk".to_owned(), String::new()), ("kubelogin".to_owned(), "2020-01-01T01:00:00Z".to_owned())]
    );
    assert_eq!(is(&rows[1], "issuer"), world.stub.issuer);
    assert_eq!(is(&rows[1], "client_id"), "kubernetes");
    assert!(list(&world, "table").stdout.contains("cannot be read"));
}
