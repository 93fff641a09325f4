//! Every target over its seeds, and over small changes of them, the same at each run.

use std::fs;
use std::io;
use std::path::Path;

use kubesso_ambient::{SeededEntropy, draw};
use kubesso_fuzz::TARGETS;

/// How many changes of each seed.
const CHANGES: u64 = 40;
/// Only its seeds, unchanged: of some texts that no kubeconfig looks like, granit-parser 2.1.0 never makes an end (a mapping
/// whose key is a folded or plain text of several lines). Nobody but oneself writes that file.
const UNCHANGED: &str = "kubeconfig";

/// Each with the name of its file; those that begin with `good` are taken for what they should be.
fn seeds(name: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
    let entries = fs::read_dir(&folder)?.collect::<io::Result<Vec<_>>>()?;
    let mut seeds = entries
        .iter()
        .map(|entry| Ok((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?)))
        .collect::<io::Result<Vec<_>>>()?;
    seeds.sort();
    Ok(seeds)
}

/// A byte is replaced, taken away or added, a few times.
fn changed(seed: &[u8], entropy: &SeededEntropy) -> Vec<u8> {
    let mut data = seed.to_vec();
    let [times, rest @ ..] = draw::<17>(entropy);
    for one in rest.chunks(4).take(usize::from(times % 4) + 1) {
        let &[place, more, what, byte] = one else { continue };
        let at = usize::from(u16::from_be_bytes([place, more])) % (data.len() + 1);
        // Letters that mean something to one of the languages, or any byte.
        let byte = b"\"'\\(){}[]$&=%,.;:\n +-0".get(usize::from(byte)).copied().unwrap_or(byte);
        match what % 3 {
            0 if at < data.len() => data[at] = byte,
            1 if at < data.len() => drop(data.remove(at)),
            _ => data.insert(at, byte),
        }
    }
    data
}

#[test]
fn every_target_holds_over_its_seeds_and_small_changes_of_them() {
    for (name, target) in TARGETS {
        let seeds = seeds(name).unwrap();
        assert!(seeds.iter().any(|(file, _)| file.starts_with("good")), "{name} has no good seed");
        let changes = if name == UNCHANGED { 0 } else { CHANGES };
        for (number, (file, seed)) in (0_u64..).zip(&seeds) {
            assert!(target(seed) || !file.starts_with("good"), "{name}: {file} is not taken");
            let entropy = SeededEntropy::new(number);
            for _ in 0..changes {
                target(&changed(seed, &entropy));
            }
        }
    }
}

/// So that none is left out of what `cargo xtask fuzz` runs.
#[test]
fn every_target_has_its_program() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let listed = fs::read_to_string(manifest.join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(listed.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml has no {name}");
        let program = fs::read_to_string(manifest.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(program.contains(&format!("kubesso_fuzz::run(\"{name}\", data)")), "{program}");
    }
}
