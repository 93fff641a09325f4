//! Files in a stream: of each its name, its length and its content.
//!
//! A name is behind one byte with its length, a content behind eight bytes with its; an empty name ends it. Names are of a
//! fixed list, so that nothing can be unpacked anywhere else.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::master_key::KEPT;

/// What a backup holds, with whether it must.
pub(super) const FILES: [(&str, bool); 6] = [
    ("directory.db", true),
    ("master.key", false),
    (KEPT, false),
    ("ca.crt", false),
    ("ca.key", false),
    ("settings.json", false),
];

/// Writes those of [`FILES`] that are in one of `directories`, the first that has it.
pub(super) fn pack(out: &mut impl Write, directories: &[&Path]) -> io::Result<Vec<&'static str>> {
    let mut packed = Vec::new();
    for (name, is_needed) in FILES {
        let found = directories.iter().map(|directory| directory.join(name)).find(|path| path.exists());
        let Some(path) = found else {
            if is_needed {
                return Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no {name}")));
            }
            continue;
        };
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        out.write_all(&[u8::try_from(name.len()).unwrap_or(0)])?;
        out.write_all(name.as_bytes())?;
        out.write_all(&length.to_be_bytes())?;
        let copied = io::copy(&mut (&mut file).take(length), out)?;
        if copied != length {
            return Err(io::Error::other(format!("{name} became shorter while it was read")));
        }
        packed.push(name);
    }
    if !has_key(&packed) {
        return Err(io::Error::new(io::ErrorKind::NotFound, NO_KEY));
    }
    out.write_all(&[0])?;
    Ok(packed)
}

/// Whether there is the key, or where it is.
fn has_key(names: &[&str]) -> bool {
    names.contains(&"master.key") || names.contains(&KEPT)
}

const NO_KEY: &str = "there is no master.key, and nothing that says where the key is";

/// Writes the files into `directory`, each readable by its owner alone.
pub(super) fn unpack(from: &mut impl Read, directory: &Path) -> io::Result<Vec<&'static str>> {
    let damaged = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut unpacked = Vec::new();
    loop {
        let mut length = [0];
        from.read_exact(&mut length)?;
        if length == [0] {
            break;
        }
        let mut name = vec![0; length[0].into()];
        from.read_exact(&mut name)?;
        let known = FILES.iter().find(|(known, _)| known.as_bytes() == name);
        let Some((name, _)) = known else {
            return Err(damaged("there is a file in it that is none of kubesso's"));
        };
        let mut length = [0; 8];
        from.read_exact(&mut length)?;
        let length = u64::from_be_bytes(length);
        let mut options = OpenOptions::new();
        options.create_new(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, if *name == "ca.crt" { 0o644 } else { 0o600 });
        let mut file = options.open(directory.join(name))?;
        if io::copy(&mut from.by_ref().take(length), &mut file)? != length {
            return Err(damaged("it ends too early"));
        }
        file.sync_all()?;
        unpacked.push(*name);
    }
    // The end of the stream says that nothing is missing.
    if from.read(&mut [0])? > 0 {
        return Err(damaged("there is something behind its end"));
    }
    match FILES.iter().find(|(name, is_needed)| *is_needed && !unpacked.contains(name)) {
        Some((name, _)) => Err(damaged(&format!("there is no {name} in it"))),
        None if !has_key(&unpacked) => Err(damaged(NO_KEY)),
        None => Ok(unpacked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_out_as_they_went_in_and_no_others() {
        let (from, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(from.path().join("directory.db"), "people").unwrap();
        std::fs::write(from.path().join("kubeconfig"), "not this").unwrap();
        let mut packed = Vec::new();
        let error = pack(&mut Vec::new(), &[from.path()]).unwrap_err();
        assert!(error.to_string().contains("there is no master.key"), "{error}");
        std::fs::write(from.path().join(KEPT), "elsewhere").unwrap();
        assert_eq!(pack(&mut Vec::new(), &[from.path()]).unwrap(), ["directory.db", KEPT]);
        std::fs::remove_file(from.path().join(KEPT)).unwrap();
        std::fs::write(from.path().join("master.key"), "key").unwrap();
        assert_eq!(pack(&mut packed, &[from.path()]).unwrap(), ["directory.db", "master.key"]);
        unpack(&mut &packed[..], into.path()).unwrap();
        assert_eq!(std::fs::read_to_string(into.path().join("directory.db")).unwrap(), "people");
        assert_eq!(std::fs::read_dir(into.path()).unwrap().count(), 2);
        for evil in [&b"\x09../escape\0\0\0\0\0\0\0\x01x\0"[..], b"\0", b"\x0adirectory", &packed[..9]] {
            let into = tempfile::tempdir().unwrap();
            assert!(unpack(&mut &*evil, into.path()).is_err());
            assert!(std::fs::read_dir(into.path()).unwrap().count() <= 1);
        }
    }
}
