//! A service that, as KWallet does, tells nothing of what it holds while it is locked, and whose prompt a person
//! answers at once. GNOME Keyring tells it, and its prompt can be answered only by its own program: hence a double.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread::{self, JoinHandle};

use crate::dbus::Writer;
use crate::dbus::message::{FIXED, Message};

/// How the person answers the prompt, and when the service says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Person {
    /// The signal comes after the answer to the call, as usual.
    Unlocks,
    /// The signal overtakes the answer.
    UnlocksAtOnce,
    Dismisses,
}

/// Serves one connection at `directory`'s socket `bus`; afterwards it tells which methods were called.
pub(super) fn serve(directory: &Path, person: Person) -> JoinHandle<Vec<String>> {
    let listener = UnixListener::bind(directory.join("bus")).unwrap();
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut wallet = Wallet { stream, person, is_locked: true, called: Vec::new() };
        let mut greeting = [0; b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n".len()];
        wallet.stream.read_exact(&mut greeting).unwrap();
        wallet.stream.write_all(b"DATA\r\nOK 00ff\r\n").unwrap();
        while wallet.answer().is_some() {}
        wallet.called
    })
}

struct Wallet {
    stream: UnixStream,
    person: Person,
    is_locked: bool,
    called: Vec<String>,
}

impl Wallet {
    /// Answers one call; `None` when the caller has gone.
    fn answer(&mut self) -> Option<()> {
        const METHOD_RETURN: u8 = 2;
        const REPLY_SERIAL: u8 = 5;

        let mut fixed = [0; FIXED];
        self.stream.read_exact(&mut fixed).ok()?;
        let (fields, body) = Message::lengths(&fixed).unwrap();
        let (mut fields, mut body) = (vec![0; fields], vec![0; body]);
        self.stream.read_exact(&mut fields).ok()?;
        self.stream.read_exact(&mut body).ok()?;
        let call = Message::parse(&fixed, &fields, body.into()).unwrap();
        let serial = u32::from_le_bytes(fixed[8..12].try_into().unwrap());

        let mut results = Writer::default();
        let signature = match call.member.as_str() {
            "Hello" => {
                results.string(":1.1");
                "s"
            }
            "OpenSession" => {
                results.signature("s").string("").string("/session");
                "vo"
            }
            "ReadAlias" => {
                results.string("/wallet");
                "o"
            }
            "SearchItems" => {
                let found = if self.is_locked { vec![] } else { vec!["/item".to_owned()] };
                results.paths(&found).paths(&[]);
                "aoao"
            }
            "Unlock" => {
                results.paths(&[]).string("/prompt");
                "aoo"
            }
            "GetSecret" => {
                results.align(8).string("/session").bytes(b"").bytes(b"the secret").string("text/plain");
                "(oayays)"
            }
            "AddMatch" | "Prompt" => "",
            other => panic!("{other} was called"),
        };
        if call.member == "Prompt" && self.person == Person::UnlocksAtOnce {
            self.complete();
        }
        self.send(METHOD_RETURN, signature, &results.into_bytes(), |fields| {
            fields.align(8).byte(REPLY_SERIAL).signature("u").u32(serial);
        });
        if call.member == "Prompt" && self.person != Person::UnlocksAtOnce {
            self.complete();
        }
        self.called.push(call.member);
        Some(())
    }

    fn complete(&mut self) {
        const SIGNAL: u8 = 4;
        self.is_locked = self.person == Person::Dismisses;
        let mut result = Writer::default();
        result.boolean(self.is_locked).signature("s").string("");
        self.send(SIGNAL, "bv", &result.into_bytes(), |fields| {
            for (code, kind, value) in
                [(1, "o", "/prompt"), (2, "s", "org.freedesktop.Secret.Prompt"), (3, "s", "Completed")]
            {
                fields.align(8).byte(code).signature(kind).string(value);
            }
        });
    }

    fn send(&mut self, kind: u8, signature: &str, body: &[u8], fields: impl FnOnce(&mut Writer)) {
        const SIGNATURE: u8 = 8;
        let mut message = Writer::default();
        message.byte(b'l').byte(kind).byte(0).byte(1).u32(body.len().try_into().unwrap()).u32(1);
        message.array(8, |array| {
            fields(array);
            array.align(8).byte(SIGNATURE).signature("g").signature(signature);
        });
        message.align(8).append(body);
        self.stream.write_all(&message.into_bytes()).unwrap();
    }
}
