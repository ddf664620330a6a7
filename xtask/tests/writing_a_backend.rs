//! `docs/writing-a-backend.md`, followed word for word: its files are written, its commands run, and
//! what they print is compared with what the page says.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a step that fails is a failed test")]

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const PAGE: &str = "docs/writing-a-backend.md";

/// Two runs with one target folder take turns.
const LOCK: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/writing_a_backend.lock");

#[test]
fn the_page_leads_from_an_empty_crate_to_a_passing_suite() {
    let turn = File::create(LOCK).unwrap();
    turn.lock().unwrap();
    let page = fs::read_to_string(checkout().join(PAGE)).unwrap();
    let mut author = Author::new();
    let mut printed = page.clone();
    for block in blocks(&page) {
        match block.language {
            "sh" => author.run(block.text),
            "text" => printed = printed.replace(block.text, &author.compare(block.text)),
            _ => author.write(block.title, block.text),
        }
    }
    if printed != page {
        fs::write(checkout().join(PAGE), printed).unwrap();
    }
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// A fenced block, and the line before it.
struct Block<'p> {
    title: &'p str,
    language: &'p str,
    text: &'p str,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let fence = |at: usize| page[at..].find("\n```").map(|found| at + found + 1);
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(begin) = fence(at) {
        let end = fence(begin).unwrap();
        let title = page[..begin].trim_end().lines().next_back().unwrap();
        let (first, text) = page[begin..end].split_once('\n').unwrap();
        blocks.push(Block { title, language: first.trim_start_matches('`'), text });
        at = end + 1;
    }
    blocks
}

/// Somebody who follows the page, in a folder outside the workspace.
struct Author {
    folder: TempDir,
    /// Where the commands run.
    at: PathBuf,
    last: Option<Output>,
}

impl Author {
    /// The folder has the same name every time, so that what was built there before is used again.
    fn new() -> Self {
        let mut hasher = DefaultHasher::new();
        LOCK.hash(&mut hasher);
        let name = format!("flowfabric-author-{:016x}", hasher.finish());
        let _ = fs::remove_dir_all(std::env::temp_dir().join(&name));
        let folder = tempfile::Builder::new().prefix(&name).rand_bytes(0).tempdir().unwrap();
        let at = folder.path().to_path_buf();
        std::os::unix::fs::symlink(checkout(), at.join("flowfabric")).unwrap();
        // With the workspace's profiles its dependencies need not be built again.
        let manifest = fs::read_to_string(checkout().join("Cargo.toml")).unwrap();
        let profiles = &manifest[manifest.find("[profile.").unwrap()..];
        fs::create_dir(at.join(".cargo")).unwrap();
        fs::write(at.join(".cargo/config.toml"), profiles).unwrap();
        Self { folder, at, last: None }
    }

    /// Writes what a title such as "**`src/lib.rs`**, at the end" names.
    fn write(&self, title: &str, text: &str) {
        let named = title.strip_prefix("**`").and_then(|rest| rest.split_once("`**"));
        let (path, place) = named.unwrap_or_else(|| panic!("{title:?} names no file"));
        let path = self.at.join(path);
        let before = || fs::read_to_string(&path).unwrap();
        let text = match place {
            "" => text.to_owned(),
            ", at the end" => format!("{}\n{text}", before()),
            ", before the last line" => {
                let before = before();
                let (before, last) = before.trim_end().rsplit_once('\n').unwrap();
                format!("{before}\n\n{text}{last}\n")
            }
            _ => panic!("{place:?} is no place in a file"),
        };
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        if path.ends_with("Cargo.toml") {
            fs::copy(checkout().join("Cargo.lock"), path.with_file_name("Cargo.lock")).unwrap();
        }
    }

    /// Runs commands where the last ones ended, with what the workspace has built and downloaded.
    fn run(&mut self, commands: &str) {
        let at = self.folder.path().join("at");
        let script = format!("{commands}pwd > '{}'", at.display());
        let output = Command::new("sh")
            .args(["-e", "-c", &script])
            .current_dir(&self.at)
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap())
            .env("CARGO_NET_OFFLINE", "true")
            .output()
            .unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(!complaints.contains(") generated "), "the compiler warns: {complaints}");
        if output.status.success() {
            self.at = fs::read_to_string(at).unwrap().trim_end().into();
        }
        self.last = Some(output);
    }

    /// Finds each line of `expected` in what the last commands printed, in this order; `...` stands for
    /// anything. With `UPDATE_EXPECT=1` another sum of results is put in its place.
    fn compare(&self, expected: &str) -> String {
        let output = self.last.as_ref().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let mut printed = text.lines();
        let mut found = String::new();
        for line in expected.lines() {
            if line.starts_with("test result:") && std::env::var_os("UPDATE_EXPECT").is_some() {
                let result = printed.by_ref().find(|line| line.starts_with("test result:"));
                let counts = result.and_then(|line| line.split_once("ignored;")).unwrap().0;
                found.push_str(&format!("{counts}ignored; ...\n"));
                continue;
            }
            let errors = String::from_utf8_lossy(&output.stderr);
            let is_there = printed.any(|printed| is_like(line, printed));
            assert!(is_there, "the page says {line:?}, and it is not in\n{text}\n{errors}");
            found.push_str(&format!("{line}\n"));
        }
        assert_eq!(output.status.success(), !expected.contains("FAILED"), "{text}");
        found
    }
}

/// Whether the parts of `pattern` between `...` are in the line, in this order.
fn is_like(pattern: &str, line: &str) -> bool {
    let mut rest = line;
    pattern.split("...").all(|part| {
        let after = rest.find(part).map(|at| &rest[at + part.len()..]);
        rest = after.unwrap_or(rest);
        after.is_some()
    })
}
