use super::*;

fn setting(text: &str) -> Result<Option<Source>, String> {
    serde_json::from_str::<MasterKeySetting>(text).map_err(|e| e.to_string()).and_then(|it| it.source())
}

#[test]
fn a_setting_names_one_place() {
    assert_eq!(setting("{}"), Ok(None));
    assert_eq!(setting(r#"{"file": "/run/secrets/key"}"#), Ok(Some(Source::File("/run/secrets/key".into()))));
    let command = setting(r#"{"command": ["kms", "decrypt"], "wrapped": "/etc/wrapped"}"#);
    let expected = Source::Command {
        command: vec!["kms".to_owned(), "decrypt".to_owned()],
        wrapped: Some("/etc/wrapped".into()),
        timeout_seconds: PATIENCE,
    };
    assert_eq!(command, Ok(Some(expected)));
    for (text, expected) in [
        (r#"{"file": "/f", "command": ["kms"]}"#, "keep one"),
        (r#"{"wrapped": "/f"}"#, "belong to master_key.command"),
        (r#"{"command": []}"#, "names no program"),
        (r#"{"value": "secret"}"#, "unknown field"),
    ] {
        let error = setting(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn where_the_key_is_stays_in_the_data_directory_and_the_key_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = Source::File("/run/secrets/key".into());
    let both = [Source::DataDirectory, file.clone()];
    assert_eq!(kept(folder.path()).unwrap(), [Source::DataDirectory]);
    for places in [&both[..], &[file], &[Source::Variable]] {
        keep(folder.path(), places).unwrap();
        assert_eq!(kept(folder.path()).unwrap(), places);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
    keep(folder.path(), &[Source::DataDirectory]).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    fs::write(folder.path().join(KEPT), "?").unwrap();
    assert!(kept(folder.path()).unwrap_err().to_string().contains("remove it"));
}
