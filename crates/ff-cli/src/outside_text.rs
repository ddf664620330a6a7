//! Properties of the command line and of what is stored of a file: no argument makes `ff` panic, and what it
//! prints to be given back is read back.

#[path = "../../ff-core/src/outside_text/mutate.rs"]
#[expect(dead_code, reason = "the parsers of ff-core have more properties")]
mod mutate;

use clap::Parser;
use clap::error::ErrorKind;
use flowfabric::core::engine_error::{EngineError, OpenKind};
use proptest::prelude::*;
use proptest::sample::select;

use crate::Arguments;
use mutate::{any_text, mutated};

const ID: &str = "{fp:3}:550e8400-e29b-41d4-a716-446655440000";
const FLOW: &str = "550e8400-e29b-41d4-a716-446655440000";

/// Commands whose last words are read by a parser, and such a word.
const COMMANDS: &[(&[&str], &str)] = &[
    (&["cancel"], ID),
    (&["checksum", ".", "--workers"], "4"),
    (&["flows", "cancel"], FLOW),
    (&["flows", "list", "--after"], "-12/550e8400-e29b-41d4-a716-446655440000"),
    (&["flows", "list", "--limit"], "50"),
    (&["flows", "list", "--state"], "open"),
    (&["flows", "show"], FLOW),
    (&["list", "--after"], "-12/{fp:3}:550e8400-e29b-41d4-a716-446655440000"),
    (&["list", "--limit"], "50"),
    (&["list", "--state"], "pending"),
    (&["replay"], ID),
    (&["reprioritize", ID], "-7"),
    (&["revoke"], ID),
    (&["show"], ID),
];

proptest! {
    #[test]
    fn an_argument_is_read_or_refused_as_bad_usage(
        (command, word) in select(COMMANDS).prop_flat_map(|(command, word)| {
            let word = Just(word.to_owned());
            (Just(command), prop_oneof![mutated(word), any_text()])
        }),
    ) {
        let words = [&["ff"], command, &[word.as_str()]].concat();
        if let Err(error) = Arguments::try_parse_from(words) {
            let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            prop_assert!(is_help || error.exit_code() == 2);
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn a_store_is_a_file_or_none_or_refused(
        text in any_text(),
        almost in mutated(select(&["sqlite:a.db", "postgres://a@b/c", "c:\\a.db"][..]).prop_map(Into::into)),
    ) {
        for text in [text, almost] {
            match flowfabric::file_of(&text) {
                Ok(_)
                | Err(EngineError::Open {
                    kind: OpenKind::InvalidUrl | OpenKind::BackendNotCompiledIn,
                    ..
                }) => {}
                Err(EngineError::Open { kind: OpenKind::UnknownScheme, detail }) => {
                    let scheme = text.split(':').next().unwrap();
                    prop_assert!(detail.contains(&format!("{scheme:?}")), "{}", detail);
                }
                Err(error) => prop_assert!(false, "{error:?}"),
            }
        }
    }
}

#[test]
fn the_words_of_the_commands_are_read() {
    for (command, word) in COMMANDS {
        let words = [&["ff"], *command, &[*word]].concat();
        assert!(Arguments::try_parse_from(&words).is_ok(), "{words:?}");
    }
}
