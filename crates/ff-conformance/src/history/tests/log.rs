//! The log as a file.

use std::io::Write;

use super::script::*;
use crate::history::{Answer, Log};

#[test]
fn a_log_is_read_back_without_what_was_half_written() {
    let path = std::env::temp_dir().join(format!("history-{}.log", ff_core::types::FlowId::new()));
    let (one, other) = (Log::at(&path), Log::at(&path));
    let mut script = Script::of_completed();
    script.renew("a", 0, 50).call("a", delay(0, "a"), lost()).sweep(2).revoke("a", 0);
    script.call("a", fail(0, "a", ff_core::backend::FailureClass::Transient), Answer::Ended);

    for (index, entry) in script.entries.iter().enumerate() {
        if index == 4 {
            let mut torn = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
            torn.write_all(b"\n{\"client\":\"killed\",\"number\":").unwrap();
        }
        [&one, &other][index % 2].append(entry.clone());
    }

    assert_eq!(one.entries(), script.entries);
    std::fs::remove_file(path).unwrap();
}
