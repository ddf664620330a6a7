//! Text that is almost what a parser reads.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// What is put into a text: what numbers, JSON and our own ids are made of, look-alikes, and far too much.
const PIECES: &[&str] = &[
    "",
    " ",
    "\n",
    "\0",
    "0",
    "-",
    "+",
    "-0",
    "00",
    "1e999",
    "18446744073709551616",
    "0.5",
    "NaN",
    "null",
    "true",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "{}",
    "[]",
    "/",
    "//",
    "%",
    "%00",
    "%ff",
    "?",
    "#",
    "&",
    "=",
    "@",
    "}:",
    "{fp:",
    "é",
    "０",
    "а",
    "\u{200b}",
    "\u{feff}",
    "\u{202e}",
    "\u{1f600}",
];

/// The text, changed in one to four places.
pub(crate) fn mutated(valid: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (valid, vec(edit(), 1..5))
        .prop_map(|(valid, edits)| edits.iter().fold(valid, |text, edit| edit.apply(&text)))
}

/// The bytes of the text with some bits of them flipped.
pub(crate) fn flipped(valid: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<u8>> {
    (valid, vec((any::<Index>(), 0..8_u8), 1..4)).prop_map(|(valid, flips)| {
        let mut bytes = valid.into_bytes();
        for (at, bit) in flips {
            let length = bytes.len();
            if let Some(byte) = bytes.get_mut(at.index(length.max(1))) {
                *byte ^= 1 << bit;
            }
        }
        bytes
    })
}

/// Any text: of a few characters, and of the pieces that parsers know.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), vec(select(PIECES), 0..12).prop_map(|pieces| pieces.concat())]
}

/// Every text that differs from this one by a character left out, in the other case, or put in: a digit, a
/// sign, a space or a separator.
pub(crate) fn neighbours(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.char_indices().chain([(text.len(), ' ')]) {
        let (before, after) = text.split_at(at);
        found.extend("0+- _/:}\n\0".chars().map(|c| format!("{before}{c}{after}")));
        if let Some(c) = after.chars().next() {
            let rest = &after[c.len_utf8()..];
            found.push(format!("{before}{rest}"));
            let other =
                if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            found.push(format!("{before}{other}{rest}"));
        }
    }
    found
}

/// A stretch of a text that becomes another.
#[derive(Clone, Debug)]
struct Edit {
    from: Index,
    to: Index,
    with: With,
}

#[derive(Clone, Debug)]
enum With {
    Piece(String),
    /// The stretch again and again.
    Itself(usize),
    Upper,
    Deep(&'static str),
}

fn edit() -> impl Strategy<Value = Edit> {
    let piece =
        prop_oneof![select(PIECES).prop_map(str::to_owned), any::<char>().prop_map(Into::into)];
    let with = prop_oneof![
        6 => piece.prop_map(With::Piece),
        1 => (2..4_usize).prop_map(With::Itself),
        1 => Just(With::Upper),
        1 => select(&["[", "{\"a\":", "("][..]).prop_map(With::Deep),
    ];
    // Most changes are small: of nothing, which inserts, or of one character.
    let to = prop_oneof![3 => Just(None), 1 => any::<Index>().prop_map(Some)];
    (any::<Index>(), to, with).prop_map(|(from, to, with)| Edit {
        from,
        to: to.unwrap_or(from),
        with,
    })
}

impl Edit {
    fn apply(&self, text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        let place = |index: &Index| index.index(chars.len() + 1);
        let (from, to) = (place(&self.from), place(&self.to));
        let (from, to) = (from.min(to), from.max(to));
        let of = |range: &[char]| range.iter().collect::<String>();
        let middle = match &self.with {
            With::Piece(piece) => piece.clone(),
            With::Itself(times) => of(&chars[from..to]).repeat(*times),
            With::Upper => of(&chars[from..to]).to_uppercase(),
            With::Deep(opening) => opening.repeat(1_000),
        };
        of(&chars[..from]) + &middle + &of(&chars[to..])
    }
}
