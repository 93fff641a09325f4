//! With a script in the place of `/usr/bin/security`: it keeps items in files and answers as the manual says.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::kubelogin;

const SECURITY: &str = r#"
items="$(dirname "$0")/items"
file() { echo "$items/$1=$(echo "$2" | tr / %)"; }
case "$1" in
find-generic-password)
    cat "$(file "$3" "$5")" 2>/dev/null || exit 44 ;;
-i)
    read -r command update s service a account w value
    [ "$command $update $s $a $w" = "add-generic-password -U -s -a -w" ] || exit 2
    echo "$value" >"$(file "$service" "$account")" ;;
delete-generic-password)
    for found in "$items/$3"=*; do
        if [ -e "$found" ] && { [ -z "$5" ] || [ "$found" = "$(file "$3" "$5")" ]; }; then
            rm "$found" && exit 0
        fi
    done
    exit 44 ;;
esac
"#;

fn keychain(script: &str, patience: Patience) -> (Keychain, TempDir) {
    let home = tempfile::tempdir().unwrap();
    let (text, program) = (home.path().join("text"), home.path().join("security"));
    fs::create_dir(home.path().join("items")).unwrap();
    fs::write(&text, format!("#!/bin/sh\n{script}")).unwrap();
    // By another process: a file that this one had open for writing may not start yet, if a thread forked then.
    let installed = Command::new("install").args(["-m", "700"]).args([&text, &program]).status().unwrap();
    assert!(installed.success());
    (Keychain { program, patience }, home)
}

#[test]
fn what_is_written_is_read_replaced_and_deleted() {
    let (keychain, _home) = keychain(SECURITY, Patience::default());
    let (one, two) = (Item::new("kubesso", "oidc-login/1"), Item::new("kubesso", "oidc-login/2"));
    let read = |item: &Item| keychain.read(item).unwrap().map(|secret| secret.to_vec());
    assert_eq!(read(&one), None);
    keychain.write(&one, b"first").unwrap();
    keychain.write(&one, &[0, 255, 10]).unwrap();
    keychain.write(&two, b"2").unwrap();
    assert_eq!(read(&one).as_deref(), Some(&[0, 255, 10][..]));
    assert!(keychain.delete(&one).unwrap());
    assert!(!keychain.delete(&one).unwrap());
    keychain.write(&one, b"again").unwrap();
    assert_eq!(keychain.delete_all("kubesso").unwrap(), 2);
    assert_eq!(read(&two), None);
}

#[test]
fn items_of_kubelogin_are_decoded() {
    let (keychain, home) = keychain(SECURITY, Patience::default());
    for (hash, value, read) in [
        ("0a", "go-keyring-base64:eyJpZF90b2tlbiI6IngifQ==\n", Some(&b"{\"id_token\":\"x\"}"[..])),
        ("1b", "{\"id_token\":\"x\"}\n", Some(b"{\"id_token\":\"x\"}")),
        ("2c", "go-keyring-base64:*\n", None),
    ] {
        fs::write(home.path().join(format!("items/kubelogin=kubelogin%tokencache%{hash}")), value).unwrap();
        match (keychain.read(&kubelogin::item(hash)), read) {
            (Ok(Some(value)), Some(expected)) => assert_eq!(*value, expected),
            (Err(KeyringError::Broken { .. }), None) => {}
            (other, _) => panic!("{hash}: {other:?}"),
        }
    }
}

#[test]
fn the_programs_exit_code_tells_what_was_wrong() {
    let item = Item::new("kubesso", "a");
    for (code, is_expected) in [
        (36, "the keyring is locked;"),
        (37, "no keyring answers here (this user has no default Keychain)"),
        (51, "took the password for wrong"),
        (128, "its prompt was cancelled"),
        (1, "security ended with exit status: 1"),
    ] {
        let (keychain, _home) = keychain(&format!("exit {code}"), Patience::default());
        for error in [keychain.read(&item).unwrap_err(), keychain.write(&item, b"x").unwrap_err()] {
            assert!(error.to_string().contains(is_expected), "{code}: {error}");
        }
    }
    let missing = Keychain { program: PathBuf::from("/nonexistent/security"), patience: Patience::default() };
    assert!(matches!(missing.read(&item), Err(KeyringError::Absent { .. })));
}

#[test]
fn an_item_that_was_not_kept_is_an_error() {
    let (keychain, _home) = keychain("[ \"$1\" = -i ] || exit 44", Patience::default());
    let error = keychain.write(&Item::new("kubesso", "a"), b"x").unwrap_err();
    assert!(error.to_string().contains("did not take the item"), "{error}");
}

#[test]
fn a_prompt_that_nobody_answers_ends() {
    let patience = Patience { answer: Duration::from_millis(100), unlock: Duration::from_millis(100) };
    let (keychain, _home) = keychain("exec sleep 600", patience);
    let error = keychain.read(&Item::new("kubesso", "a")).unwrap_err();
    assert!(matches!(error, KeyringError::Locked { waited } if waited == patience.answer * 2), "{error}");
}

#[test]
fn a_name_cannot_become_a_second_command() {
    let (keychain, _home) = keychain(SECURITY, Patience::default());
    for account in ["", "a b", "a\ndelete-generic-password", "a\"", "a'", "ä"] {
        assert!(keychain.write(&Item::new("kubesso", account), b"x").is_err(), "{account:?}");
    }
}
