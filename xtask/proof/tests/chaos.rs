//! A short run of chaos on each backend, so that it works when it is wanted.

#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use std::process::{Command, Stdio};

/// What a run prints.
fn chaos(backend: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ff-chaos"));
    command.args(["--backend", backend, "--seconds", "4"]).stderr(Stdio::inherit());
    let output = command.output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}");
    told
}

/// The lines that tell of kinds of faults: how many, or `none`, and the rest.
fn faults(told: &str) -> Vec<(&str, &str)> {
    let lines = told.lines().skip_while(|line| !line.starts_with("  faults "));
    let faults = lines.skip(1).take_while(|line| line.starts_with("    "));
    faults.filter_map(|line| line.trim().split_once(' ')).collect()
}

fn assert_sound(told: &str, kinds: usize) {
    for line in
        ["  unfinished   0", "  lost         0", "  finished twice 0", "  verdict      sound"]
    {
        assert!(told.lines().any(|told| told == line), "{told}");
    }
    assert_eq!(faults(told).len(), kinds, "{told}");
    for (count, fault) in faults(told) {
        let is_left_out = count == "none" && fault.contains(": ");
        assert!(is_left_out || count.parse::<u64>().unwrap() > 0, "{told}");
    }
}

#[test]
fn sqlite_loses_nothing_and_finishes_nothing_twice() {
    assert_sound(&chaos("sqlite"), 11);
}

#[test]
fn postgres_loses_nothing_and_finishes_nothing_twice() {
    assert_sound(&chaos("postgres"), 11);
}
