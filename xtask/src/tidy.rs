//! `cargo xtask tidy`: what a compiler cannot keep.

mod arrows;
mod clocks;
mod comments;
mod file_size;
mod finding;
mod rules;
mod sleeps;
mod statements;

use crate::shell::{self, Outcome};
use crate::{rules_page, source};

/// Runs every check and prints what each found.
pub(crate) fn run() -> Outcome<()> {
    let root = shell::root();
    let files = source::load(&root)?;
    let checks = [
        ("dependency arrows", arrows::check(&shell::metadata()?)),
        ("file sizes", file_size::check(&files)),
        ("statements", statements::check(&files)),
        ("comments", comments::check(&files)),
        ("sleeps", sleeps::check(&files)),
        ("clock reads", clocks::check(&files)),
        ("rules proved", rules::check(&rules_page::load(&root)?, &rules::cases())),
    ];
    let mut count = 0;
    for (name, findings) in checks {
        println!("tidy: {name}: {}", if findings.is_empty() { "ok" } else { "NOT OK" });
        for finding in &findings {
            println!("  {finding}");
        }
        count += findings.len();
    }
    match count {
        0 => Ok(()),
        1 => Err("there is 1 finding".into()),
        _ => Err(format!("there are {count} findings").into()),
    }
}
