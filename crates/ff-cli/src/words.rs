//! Options that take one word of a vocabulary.

use std::str::FromStr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use flowfabric::core::state::UnknownWord;

/// Takes a word of the vocabulary, and names its words to who gives another.
pub(crate) fn words<W>(
    all: &[W],
    spellings: fn(W) -> &'static [&'static str],
) -> impl TypedValueParser<Value = W>
where
    W: FromStr<Err = UnknownWord> + Copy + Send + Sync + 'static,
{
    let words = all.iter().filter_map(|word| {
        let (stored, others) = spellings(*word).split_first()?;
        Some(PossibleValue::new(*stored).aliases(others.iter().copied()))
    });
    PossibleValuesParser::new(words).try_map(|word| word.parse::<W>())
}
