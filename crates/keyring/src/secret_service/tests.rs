//! Against the real D-Bus daemon and the real GNOME Keyring.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use kubesso_ambient::OsEntropy;
use tempfile::TempDir;

use super::*;
use crate::testkit::{GnomeKeyring, SessionBus, lock, missing_program};
use crate::{EntryKey, Keyring, SystemKeyring, kubelogin};

mod wallet;

/// A person's session, with a home of its own. The order of the fields is the order in which they end.
struct Desktop {
    _gnome: GnomeKeyring,
    bus: SessionBus,
    home: TempDir,
}

impl Desktop {
    /// `None`, said aloud, where the programs are missing; CI has them.
    fn start() -> Option<Self> {
        if let Some(missing) = missing_program() {
            println!("skipped: keyring: {missing} is not installed; run cargo xtask test");
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        let bus = SessionBus::start(home.path()).unwrap();
        let gnome = GnomeKeyring::start(&bus, "the login password").unwrap();
        Some(Self { _gnome: gnome, bus, home })
    }

    fn keyring(&self) -> SystemKeyring {
        SystemKeyring::new(self.bus.session(), Patience::default())
    }

    fn secret_tool(&self, arguments: &[&str], input: &str) -> Option<String> {
        let mut child = Command::new("secret-tool")
            .args(arguments)
            .env_clear()
            .env("DBUS_SESSION_BUS_ADDRESS", self.bus.address())
            .env("HOME", self.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }
}

#[test]
fn what_is_written_is_read_replaced_and_deleted() {
    let Some(desktop) = Desktop::start() else { return };
    let keyring = desktop.keyring();
    let (one, two) = (Item::new("kubesso", "one"), Item::new("kubesso", "two"));
    let read = |item: &Item| keyring.read(item).unwrap().map(|secret| secret.to_vec());

    assert_eq!(read(&one), None);
    keyring.write(&one, b"first").unwrap();
    keyring.write(&two, &[0, 255, 10]).unwrap();
    keyring.write(&one, b"second").unwrap();
    assert_eq!(read(&one).as_deref(), Some(&b"second"[..]));
    assert_eq!(read(&two).as_deref(), Some(&[0, 255, 10][..]));

    assert!(keyring.delete(&one).unwrap());
    assert!(!keyring.delete(&one).unwrap());
    assert_eq!(read(&one), None);
    assert_eq!(keyring.delete_all("kubesso").unwrap(), 1);
    assert_eq!(read(&two), None);
}

#[test]
fn a_service_that_was_restarted_is_found_again() {
    let Some(desktop) = Desktop::start() else { return };
    let (keyring, item) = (desktop.keyring(), Item::new("kubesso", "a"));
    keyring.write(&item, b"kept").unwrap();
    let Desktop { _gnome: gnome, bus, home: _home } = desktop;
    drop(gnome);
    let error = keyring.read(&item).unwrap_err();
    assert!(matches!(error, KeyringError::Absent { .. }), "{error}");
    let gnome = GnomeKeyring::start(&bus, "the login password").unwrap();
    assert_eq!(&**keyring.read(&item).unwrap().unwrap(), b"kept");

    // Now the keyring holds a session with one that is gone, and another has its name.
    drop(gnome);
    let _gnome = GnomeKeyring::start(&bus, "the login password").unwrap();
    assert_eq!(&**keyring.read(&item).unwrap().unwrap(), b"kept");
}

#[test]
fn other_programs_see_the_item_by_its_attributes() {
    let Some(desktop) = Desktop::start() else { return };
    desktop.keyring().write(&Item::new("kubesso", "a"), b"visible").unwrap();
    let seen = desktop.secret_tool(&["lookup", "service", "kubesso", "username", "a"], "");
    assert_eq!(seen.as_deref(), Some("visible"));
}

#[test]
fn items_of_kubelogin_are_read_and_deleted() {
    let Some(desktop) = Desktop::start() else { return };
    let keyring = desktop.keyring();
    let json = format!(r#"{{"id_token":"{}","refresh_token":"r"}}"#, "x".repeat(5_000));
    let hashes = ["0a".repeat(32), "1b".repeat(32), "2c".repeat(32)];
    for hash in &hashes {
        let account = format!("kubelogin/tokencache/{hash}");
        let label = format!("Password for '{account}' on 'kubelogin'");
        let store = ["store", "--label", &label, "service", "kubelogin", "username", &account];
        desktop.secret_tool(&store, &json).unwrap();
    }
    keyring.write(&Item::new("kubesso", "ours"), b"stays").unwrap();

    assert_eq!(&**kubelogin::read(&keyring, &hashes[0]).unwrap().unwrap(), json.as_bytes());
    assert!(kubelogin::read(&keyring, &"3d".repeat(32)).unwrap().is_none());
    assert!(kubelogin::delete(&keyring, &hashes[0]).unwrap());
    assert!(kubelogin::read(&keyring, &hashes[0]).unwrap().is_none());
    assert_eq!(keyring.delete_all(kubelogin::SERVICE).unwrap(), 2);
    assert_eq!(keyring.delete_all(kubelogin::SERVICE).unwrap(), 0);
    assert!(keyring.read(&Item::new("kubesso", "ours")).unwrap().is_some());
}

#[test]
fn of_many_that_need_a_key_at_once_all_get_the_same() {
    let Some(desktop) = Desktop::start() else { return };
    let cache = tempfile::tempdir().unwrap();
    // Each with a connection of its own, as in a process of its own.
    let obtain = || {
        let keyring = desktop.keyring();
        let key = EntryKey::obtain(&keyring, cache.path(), &OsEntropy).unwrap();
        (keyring, key)
    };
    let keys: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(obtain)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let sealed = keys[0].1.seal("entry", b"token", &OsEntropy);
    for (_, key) in &keys {
        assert_eq!(&**key.open("entry", &sealed).unwrap(), b"token");
    }
    assert_eq!(desktop.keyring().delete_all("kubesso").unwrap(), 1, "one key was made");
}

#[test]
fn a_locked_keyring_is_an_error_that_says_so() {
    let Some(desktop) = Desktop::start() else { return };
    let item = Item::new("kubesso", "a");
    desktop.keyring().write(&item, b"secret").unwrap();
    lock(&desktop.bus).unwrap();

    // Nobody is to be asked.
    let silent = Patience { unlock: Duration::ZERO, ..Patience::default() };
    let silent = SystemKeyring::new(desktop.bus.session(), silent);
    for error in [
        silent.read(&item).unwrap_err(),
        silent.read(&Item::new("kubesso", "absent")).unwrap_err(),
        silent.write(&item, b"other").unwrap_err(),
        silent.delete(&item).unwrap_err(),
        silent.delete_all("kubesso").unwrap_err(),
    ] {
        assert!(matches!(error, KeyringError::Locked { waited: Duration::ZERO }), "{error}");
    }

    // Nothing can show the prompt.
    let error = desktop.keyring().read(&item).unwrap_err();
    assert!(matches!(error, KeyringError::Refused { .. }), "{error}");
}

#[test]
fn a_prompt_that_nobody_answers_ends() {
    let Some(desktop) = Desktop::start() else { return };
    let item = Item::new("kubesso", "a");
    desktop.keyring().write(&item, b"secret").unwrap();
    lock(&desktop.bus).unwrap();
    // The program that would show the prompt is there, and shows nothing.
    let mut prompter = desktop.bus.connect().unwrap();
    let mut name = Writer::default();
    name.string("org.gnome.keyring.SystemPrompter").u32(0);
    prompter.call_bus("RequestName", "su", name, Deadline::after(Duration::from_mins(1))).unwrap();

    let unlock = Duration::from_millis(200);
    let keyring = SystemKeyring::new(desktop.bus.session(), Patience { unlock, ..Patience::default() });
    let error = keyring.read(&item).unwrap_err();
    assert!(matches!(error, KeyringError::Locked { waited } if waited == unlock), "{error}");
    println!("{}", std::fs::read_to_string(desktop.home.path().join("gnome-keyring.log")).unwrap());
    let error = EntryKey::obtain(&keyring, desktop.home.path(), &OsEntropy).unwrap_err();
    assert!(matches!(error, KeyringError::Locked { waited } if waited == unlock), "{error}");
}

#[test]
fn what_a_locked_keyring_hides_is_found_once_a_person_has_unlocked_it() {
    for person in [wallet::Person::Unlocks, wallet::Person::UnlocksAtOnce, wallet::Person::Dismisses] {
        let home = tempfile::tempdir().unwrap();
        let wallet = wallet::serve(home.path(), person);
        let session = Session { bus_address: None, runtime_directory: Some(home.path().to_owned()) };
        let keyring = SystemKeyring::new(session, Patience::default());
        match keyring.read(&Item::new("kubesso", "a")) {
            Ok(Some(secret)) => assert_eq!(*secret, b"the secret"),
            Err(KeyringError::Refused { .. }) if person == wallet::Person::Dismisses => {}
            other => panic!("{person:?}: {other:?}"),
        }
        drop(keyring); // and with it the connection
        let called = wallet.join().unwrap().join(" ");
        let asked = "Hello OpenSession SearchItems ReadAlias Unlock AddMatch Prompt";
        let found = if person == wallet::Person::Dismisses { "" } else { " SearchItems GetSecret" };
        assert_eq!(called, format!("{asked}{found}"), "{person:?}");
    }
}

#[test]
fn a_session_without_a_keyring_is_told_from_a_failure() {
    let nowhere = tempfile::tempdir().unwrap();
    let absent = |session: Session| {
        let keyring = SystemKeyring::new(session, Patience::default());
        let error = keyring.read(&Item::new("kubesso", "a")).unwrap_err();
        assert!(matches!(error, KeyringError::Absent { .. }), "{error}");
        error.to_string()
    };
    let at = |address: &str| Session { bus_address: Some(address.to_owned()), runtime_directory: None };
    assert!(absent(Session::default()).contains("has no D-Bus"));
    assert!(absent(at("disabled:")).contains("has no D-Bus"));
    assert!(absent(at(&format!("unix:path={}/bus", nowhere.path().display()))).contains("is not reached"));
    absent(Session { bus_address: None, runtime_directory: Some(nowhere.path().to_owned()) });

    let Some(desktop) = Desktop::start() else { return };
    let Desktop { _gnome: gnome, bus, home: _home } = desktop;
    drop(gnome);
    assert!(absent(bus.session()).contains("no Secret Service runs"));
}

#[test]
fn a_bus_that_never_answers_is_not_waited_for_without_end() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("bus");
    let _listener = UnixListener::bind(&socket).unwrap();
    let session =
        Session { bus_address: Some(format!("unix:path={}", socket.display())), runtime_directory: None };
    let patience = Patience { answer: Duration::from_millis(100), unlock: Duration::ZERO };
    let error = SystemKeyring::new(session, patience).read(&Item::new("kubesso", "a")).unwrap_err();
    assert!(matches!(error, KeyringError::Timeout { .. }), "{error}");
}

/// What a bus may send that is no answer: each is an error, and none a hang or a panic.
#[test]
fn a_bus_that_talks_nonsense_is_an_error() {
    for (nonsense, is_expected) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "something else"),
        (b"REJECTED EXTERNAL\r\n", "another user's"),
        (b"DATA\r\nOK 00ff\r\nl\x02\x00\x07aaaaaaaaaaaa", "something else"),
        (b"DATA\r\nOK 00ff\r\nl\x02\x00\x01\xff\xff\xff\xffaaaaaaaa", "something else"),
        (b"DATA\r\nOK 00ff\r\n", "broke"),
        (b"", "broke"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let socket = home.path().join("bus");
        let listener = UnixListener::bind(&socket).unwrap();
        let bus = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(nonsense).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let session = Session { bus_address: None, runtime_directory: Some(home.path().to_owned()) };
        let error =
            SystemKeyring::new(session, Patience::default()).read(&Item::new("kubesso", "a")).unwrap_err();
        bus.join().unwrap();
        assert!(error.to_string().contains(is_expected), "{is_expected}: {error}");
    }
}
