//! What hashing passwords leaves behind. In a process of its own, because it looks at the whole of it.

#![cfg(all(test, target_os = "linux"))]

use std::thread;

use kubesso_ambient::SeededEntropy;
use kubesso_directory::password::{Password, PasswordHasher};

#[test]
fn the_memory_of_a_hash_goes_back_to_the_system_whichever_thread_made_it() {
    // In KiB, as the kernel says it.
    let resident = || -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let before = resident();
    let (begin, ready) = (std::sync::Barrier::new(9), std::sync::Barrier::new(9));
    thread::scope(|threads| {
        for number in 0..8 {
            let (begin, ready) = (&begin, &ready);
            threads.spawn(move || {
                for round in 0..2 {
                    let entropy = SeededEntropy::new(number * 2 + round);
                    PasswordHasher::default().hash(&Password::new("correct horse"), &entropy).unwrap();
                }
                // The threads live on, as those of a server do.
                ready.wait();
                begin.wait();
            });
        }
        ready.wait();
        let kept = resident().saturating_sub(before);
        begin.wait();
        // Eight times 19 MiB were in use.
        assert!(kept < 19 * 1024, "{kept} KiB are kept");
    });
}
