/// How a file's comments and texts are marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Rust,
    Sql,
}

/// A file's comments, and its code with comments and quoted texts blanked out. Both keep the file's
/// lines, counted from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scanned {
    /// The comments' lines that are not empty.
    pub(crate) comments: Vec<(usize, String)>,
    /// The code, line by line.
    pub(crate) code: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Code,
    LineComment,
    BlockComment {
        depth: u32,
    },
    /// A text that ends at this many `#` after a quote, and whether a backslash escapes in it.
    Text {
        quote: char,
        hashes: usize,
        escapes: bool,
    },
}

/// Tells comments, texts and code apart.
pub(crate) fn scan(text: &str, language: Language) -> Scanned {
    let mut scanner = Scanner { language, inside: Inside::Code, last: ' ' };
    let mut scanned = Scanned::default();
    for (index, line) in text.lines().enumerate() {
        let (code, comment) = scanner.line(line);
        scanned.code.push(code);
        if !comment.trim().is_empty() {
            scanned.comments.push((index + 1, comment));
        }
    }
    scanned
}

struct Scanner {
    language: Language,
    inside: Inside,
    /// The last character of code: a quote after a letter does not begin a raw text's prefix.
    last: char,
}

impl Scanner {
    fn line(&mut self, line: &str) -> (String, String) {
        let (mut code, mut comment) = (String::new(), String::new());
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            let length = match self.inside {
                Inside::Code => self.code(rest, &mut code),
                Inside::LineComment => {
                    comment.push(c);
                    c.len_utf8()
                }
                Inside::BlockComment { depth } => self.block_comment(rest, depth, &mut comment),
                Inside::Text { .. } => self.text(rest),
            };
            rest = rest.get(length..).unwrap_or("");
        }
        if self.inside == Inside::LineComment {
            self.inside = Inside::Code;
        }
        (code, comment)
    }

    /// Takes one piece of code, or the beginning of something else, and gives its length in bytes.
    fn code(&mut self, rest: &str, code: &mut String) -> usize {
        let line_comment = if self.language == Language::Rust { "//" } else { "--" };
        if rest.starts_with(line_comment) {
            self.inside = Inside::LineComment;
            return line_comment.len();
        }
        if rest.starts_with("/*") {
            self.inside = Inside::BlockComment { depth: 1 };
            return 2;
        }
        if let Some((inside, length)) = self.opening_quote(rest) {
            self.inside = inside;
            code.push_str("\"\"");
            self.last = '"';
            return length;
        }
        let c = rest.chars().next().unwrap_or(' ');
        code.push(c);
        self.last = c;
        c.len_utf8()
    }

    fn opening_quote(&self, rest: &str) -> Option<(Inside, usize)> {
        if self.language == Language::Sql {
            let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
            return Some((Inside::Text { quote, hashes: 0, escapes: false }, 1));
        }
        if rest.starts_with('"') {
            return Some((Inside::Text { quote: '"', hashes: 0, escapes: true }, 1));
        }
        let is_in_name = self.last.is_alphanumeric() || self.last == '_';
        let is_raw = rest.starts_with('r') && (!is_in_name || self.last == 'b');
        if is_raw {
            let hashes = rest.chars().skip(1).take_while(|c| *c == '#').count();
            if rest.get(1 + hashes..)?.starts_with('"') {
                return Some((Inside::Text { quote: '"', hashes, escapes: false }, hashes + 2));
            }
        }
        // Anything else in single quotes is a lifetime.
        let mut chars = rest.strip_prefix('\'')?.chars();
        let is_char = chars.next()? == '\\' || chars.next()? == '\'';
        is_char.then_some((Inside::Text { quote: '\'', hashes: 0, escapes: true }, 1))
    }

    fn block_comment(&mut self, rest: &str, depth: u32, comment: &mut String) -> usize {
        if rest.starts_with("*/") {
            self.inside = match depth {
                1 => Inside::Code,
                _ => Inside::BlockComment { depth: depth - 1 },
            };
            return 2;
        }
        if rest.starts_with("/*") {
            self.inside = Inside::BlockComment { depth: depth + 1 };
            return 2;
        }
        let c = rest.chars().next().unwrap_or(' ');
        comment.push(c);
        c.len_utf8()
    }

    fn text(&mut self, rest: &str) -> usize {
        let Inside::Text { quote, hashes, escapes } = self.inside else { return 0 };
        let mut chars = rest.chars();
        let c = chars.next().unwrap_or(' ');
        if c == '\\' && escapes {
            return 1 + chars.next().map_or(0, char::len_utf8);
        }
        let after = rest.get(c.len_utf8()..).unwrap_or("");
        if c == quote && after.chars().take(hashes).filter(|c| *c == '#').count() == hashes {
            self.inside = Inside::Code;
            return c.len_utf8() + hashes;
        }
        c.len_utf8()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_and_comments(text: &str, language: Language) -> (String, String) {
        let scanned = scan(text, language);
        let comments: Vec<String> =
            scanned.comments.iter().map(|(line, comment)| format!("{line}:{comment}")).collect();
        (scanned.code.join("\n"), comments.join("|"))
    }

    #[test]
    fn rust_comments_and_texts_are_told_from_code() {
        let cases = [
            ("a(); // b", "a(); ", "1: b"),
            ("/// doc\nfn x() {}", "\nfn x() {}", "1:/ doc"),
            ("a /* b /* c */ d */ e", "a  e", "1: b  c  d "),
            ("a /* b\nc */ d", "a \n d", "1: b|2:c "),
            (r#"a("// no", 'x') // yes"#, r#"a("", "") "#, "1: yes"),
            (r#"f("\"// no") // yes"#, r#"f("") "#, "1: yes"),
            (r##"f(r#"a" // no"#, br"\") // yes"##, r#"f("", b"") "#, "1: yes"),
            ("f::<'a>('\\'', '\"') // yes", "f::<'a>(\"\", \"\") ", "1: yes"),
            ("\"one\n// no\ntwo\" // yes", "\"\"\n\n ", "3: yes"),
            ("for r in x { bar(\"//\") }", "for r in x { bar(\"\") }", ""),
        ];
        for (text, code, comments) in cases {
            let expected = (code.to_owned(), comments.to_owned());
            assert_eq!(code_and_comments(text, Language::Rust), expected, "{text}");
        }
    }

    #[test]
    fn sql_comments_and_texts_are_told_from_code() {
        let cases = [
            ("SELECT 1 -- one", "SELECT 1 ", "1: one"),
            ("SELECT '-- no' -- yes", "SELECT \"\" ", "1: yes"),
            ("SELECT 'it''s -- no', \"--\" /* yes */", "SELECT \"\"\"\", \"\" ", "1: yes "),
        ];
        for (text, code, comments) in cases {
            let expected = (code.to_owned(), comments.to_owned());
            assert_eq!(code_and_comments(text, Language::Sql), expected, "{text}");
        }
    }
}
