use std::os::unix::fs::PermissionsExt as _;

use kubesso_ambient::SeededEntropy;

use super::*;

fn key(seed: u64) -> SealingKey {
    SealingKey::generate(&SeededEntropy::new(seed))
}

#[test]
fn a_key_is_32_bytes_or_these_in_base64_and_nothing_that_somebody_typed() {
    let raw = key(1).expose().to_vec();
    let encoded = BASE64_STANDARD.encode(&raw);
    for (given, is_key) in [
        (raw.clone(), true),
        (encoded.clone().into_bytes(), true),
        (format!("{encoded}\r\n").into_bytes(), true),
        (b"correct horse battery staple, ok".to_vec(), false),
        (BASE64_STANDARD.encode(&encoded).into_bytes(), false),
        (raw[..31].to_vec(), false),
        (Vec::new(), false),
    ] {
        assert_eq!(parse(&given).is_some_and(|it| it.expose()[..] == raw), is_key, "{} bytes", given.len());
    }
}

#[test]
fn a_change_that_was_cut_off_leaves_the_key_that_the_database_knows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("master.key");
    let entropy = SeededEntropy::new(1);
    let place = MasterKey::File(file.clone());
    let old = place.open(None, &entropy).unwrap();
    let new = key(2);
    let (before, after) = (old.check(&entropy), new.check(&entropy));
    prepare_successor(&file, &new).unwrap();
    assert_eq!(fs::metadata(successor(&file)).unwrap().permissions().mode() & 0o777, 0o600);
    // Cut off before the database was written.
    assert_eq!(place.open(Some(&before), &entropy).unwrap().expose(), old.expose());
    // Another try lays another key beside.
    prepare_successor(&file, &new).unwrap();
    // Cut off afterwards.
    assert_eq!(place.existing(&after).unwrap().expose(), new.expose());
    assert!(successor(&file).exists(), "looking changes nothing");
    assert_eq!(place.open(Some(&after), &entropy).unwrap().expose(), new.expose());
    assert!(!successor(&file).exists());
    assert_eq!(read(&file).unwrap().unwrap().expose(), new.expose());
    assert!(matches!(place.open(Some(&before), &entropy), Err(KeyError::Mismatch { .. })));
}

#[test]
fn a_key_that_is_brought_must_be_the_databases() {
    let entropy = SeededEntropy::new(1);
    let given = MasterKey::Given { key: key(1), origin: "what `kms` printed".to_owned() };
    assert_eq!(given.open(None, &entropy).unwrap().expose(), key(1).expose());
    assert!(given.open(Some(&key(1).check(&entropy)), &entropy).is_ok());
    let error = given.open(Some(&key(2).check(&entropy)), &entropy).unwrap_err().to_string();
    assert!(error.starts_with("what `kms` printed is not the key"), "{error}");
}

#[test]
fn a_file_elsewhere_may_be_its_groups_but_not_the_worlds() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    assert!(matches!(read_elsewhere(&file), Err(KeyError::NotThere { .. })));
    fs::write(&file, text_of(&key(1)).as_bytes()).unwrap();
    for (mode, is_taken) in [(0o600, true), (0o440, true), (0o400, true), (0o644, false), (0o660, false)] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let read = read_elsewhere(&file);
        assert_eq!(read.is_ok(), is_taken, "{mode:o}: {read:?}");
    }
}
