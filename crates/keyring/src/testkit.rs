//! A session of its own for a test: a D-Bus daemon and GNOME Keyring, with nothing of the machine's.
//!
//! They are Debian's packages `dbus`, `gnome-keyring` and `libsecret-tools`, which `cargo xtask test` installs.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Session;
use crate::dbus::address::session;
use crate::dbus::{Connection, Deadline, Fault, Writer};

/// Long enough for a busy machine; only a failure waits so long.
const START: Duration = Duration::from_mins(1);

const SECRETS: &str = "org.freedesktop.secrets";

/// The first program that the tests need and that is not installed.
pub fn missing_program() -> Option<&'static str> {
    let is_missing = |program: &&str| {
        let mut command = Command::new(program);
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_err()
    };
    ["dbus-daemon", "gnome-keyring-daemon", "secret-tool"].into_iter().find(is_missing)
}

/// A session's bus, without any service that it could start.
#[derive(Debug)]
pub struct SessionBus {
    daemon: Child,
    home: PathBuf,
}

impl SessionBus {
    /// Starts one whose files are in `home`.
    pub fn start(home: &Path) -> io::Result<Self> {
        let configuration = home.join("bus.conf");
        let listen = home.join("bus");
        fs::write(
            &configuration,
            format!(
                "<busconfig><type>session</type><listen>unix:path={}</listen><policy context=\"default\">\
                 <allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/>\
                 </policy></busconfig>",
                listen.display()
            ),
        )?;
        let mut daemon = Command::new("dbus-daemon")
            .args(["--nofork", "--nopidfile", "--print-address"])
            .arg(format!("--config-file={}", configuration.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(home.join("bus.log"))?)
            .spawn()?;
        // The address is printed once it listens.
        if let Some(stdout) = daemon.stdout.take() {
            BufReader::new(stdout).read_line(&mut String::new())?;
        }
        Ok(Self { daemon, home: home.to_owned() })
    }

    /// How to find it.
    pub fn session(&self) -> Session {
        Session { bus_address: Some(self.address()), runtime_directory: None }
    }

    /// For `DBUS_SESSION_BUS_ADDRESS`.
    pub fn address(&self) -> String {
        format!("unix:path={}", self.home.join("bus").display())
    }

    pub(crate) fn connect(&self) -> io::Result<Connection> {
        Connection::open(session(Some(&self.address()), None), Deadline::after(START))
            .map_err(|fault| other(&fault))
    }
}

impl Drop for SessionBus {
    fn drop(&mut self) {
        end(&mut self.daemon);
    }
}

/// GNOME Keyring on a [`SessionBus`], with an unlocked login keyring.
#[derive(Debug)]
pub struct GnomeKeyring {
    daemon: Child,
}

impl GnomeKeyring {
    /// Starts it, and unlocks its login keyring with `password`, which becomes its password if it is new.
    pub fn start(bus: &SessionBus, password: &str) -> io::Result<Self> {
        let mut connection = bus.connect()?;
        let rule = format!("type='signal',member='NameOwnerChanged',arg0='{SECRETS}'");
        connection.subscribe(&rule, Deadline::after(START)).map_err(|fault| other(&fault))?;
        let log = fs::File::create(bus.home.join("gnome-keyring.log"))?;
        let mut daemon = Command::new("gnome-keyring-daemon")
            .args(["--foreground", "--unlock", "--components=secrets", "--control-directory"])
            .arg(bus.home.join("control"))
            .env_clear()
            .env("DBUS_SESSION_BUS_ADDRESS", bus.address())
            .env("HOME", &bus.home)
            .env("XDG_DATA_HOME", bus.home.join("data"))
            .env("XDG_RUNTIME_DIR", &bus.home)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        if let Some(mut stdin) = daemon.stdin.take() {
            stdin.write_all(password.as_bytes())?;
        }
        let keyring = Self { daemon };
        connection
            .signal("/org/freedesktop/DBus", "NameOwnerChanged", Deadline::after(START))
            .map_err(|fault| other(&fault))?;
        Ok(keyring)
    }
}

impl Drop for GnomeKeyring {
    fn drop(&mut self) {
        end(&mut self.daemon);
    }
}

/// Locks what is locked when a person walks away: every collection.
pub fn lock(bus: &SessionBus) -> io::Result<()> {
    let mut arguments = Writer::default();
    arguments.paths(&["/org/freedesktop/secrets/collection/login".to_owned()]);
    let call = crate::dbus::Call {
        destination: SECRETS,
        path: "/org/freedesktop/secrets",
        interface: "org.freedesktop.Secret.Service",
        method: "Lock",
        signature: "ao",
        arguments,
    };
    bus.connect()?.call(call, Deadline::after(START)).map(drop).map_err(|fault| other(&fault))
}

fn end(daemon: &mut Child) {
    let _ = daemon.kill();
    let _ = daemon.wait();
}

fn other(fault: &Fault) -> io::Error {
    io::Error::other(format!("{fault:?}"))
}
