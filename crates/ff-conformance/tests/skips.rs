//! What is skipped or lacking is reported as ignored, and never as passed.

#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Output};
use std::sync::Arc;

use async_trait::async_trait;
use ff_conformance::reference::ReferenceFixture;
use ff_conformance::{Fixture, Store, cases};
use ff_core::clock::ManualClock;
use ff_core::engine_backend::EngineBackend;

/// A store that can be called and opened again, and nothing more.
struct PlainFixture;
struct PlainStore(Box<dyn Store>);

#[async_trait]
impl Fixture for PlainFixture {
    async fn open(&self, clock: Arc<ManualClock>) -> Box<dyn Store> {
        Box::new(PlainStore(ReferenceFixture.open(clock).await))
    }
}

#[async_trait]
impl Store for PlainStore {
    fn backend(&self) -> Arc<dyn EngineBackend> {
        self.0.backend()
    }

    async fn reopen(&self) -> Arc<dyn EngineBackend> {
        self.0.reopen().await
    }
}

mod plain {
    use super::*;

    ff_conformance::suite!(PlainFixture, without { probe, transaction });
}

mod skipping {
    use super::*;

    ff_conformance::suite!(
        ReferenceFixture,
        without { event, timer },
        skip {
            claim::the_oldest_is_claimed_first: "a reason",
            event::creating_records_nothing: "another reason",
        }
    );
}

fn this_program(arguments: &[&str], check_skips: &str) -> Output {
    let program = std::env::current_exe().unwrap();
    Command::new(program).args(arguments).env("FF_CHECK_SKIPS", check_skips).output().unwrap()
}

fn ignored() -> String {
    let listing = this_program(&["--list", "--ignored", "--format", "terse"], "0");
    String::from_utf8(listing.stdout).unwrap()
}

#[test]
fn what_is_skipped_or_lacking_is_ignored() {
    let ignored = ignored();

    for path in [
        "skipping::claim::the_oldest_is_claimed_first",
        "skipping::event::creating_records_nothing",
        "skipping::event::a_plain_life_has_two_events",
        "skipping::lease::a_swept_lease_stays_expired",
        "plain::execution::an_unknown_word_is_named",
        "plain::execution::a_creation_joins_a_transaction_that_commits",
    ] {
        assert!(ignored.contains(&format!("{path}: test\n")), "{path} is not ignored");
    }
    assert!(!ignored.contains("plain::event::creating_records_nothing"));
}

#[test]
fn nothing_else_is_ignored() {
    let lacks = |lacking: &[&str]| {
        let needs = |case: &ff_conformance::Case| {
            lacking.contains(&case.area) || case.needs.iter().any(|need| lacking.contains(need))
        };
        cases().iter().filter(|case| needs(case)).count()
    };
    let skipped_by_name_alone = 1;

    let expected =
        lacks(&["probe", "transaction"]) + lacks(&["event", "timer"]) + skipped_by_name_alone;

    assert_eq!(ignored().lines().count(), expected);
}

#[test]
fn a_skipped_case_that_passes_is_a_failure_when_skips_are_checked() {
    let path = "skipping::claim::the_oldest_is_claimed_first";
    let run = |check| this_program(&["--ignored", "--exact", path], check);

    let unchecked = run("0");
    let checked = run("1");

    assert!(unchecked.status.success());
    assert!(!checked.status.success());
    let told = String::from_utf8(checked.stdout).unwrap();
    assert!(told.contains("is skipped and passes"), "{told}");
}

#[test]
fn a_lacking_case_that_fails_is_none_when_skips_are_checked() {
    let path = "plain::execution::an_unknown_word_is_named";

    let checked = this_program(&["--ignored", "--exact", path], "1");

    assert!(checked.status.success());
}

#[test]
fn what_is_lacking_and_not_named_fails() {
    let case = cases().iter().find(|case| case.needs.contains(&"probe")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();

    let panic = catch_unwind(AssertUnwindSafe(|| runtime.block_on(case.run(&PlainFixture))));

    let message = panic.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("this backend lacks `probe`"), "{message}");
}
