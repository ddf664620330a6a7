//! The README's program is the one that the crate's page runs as a test.

/// The first Rust block, without what rustdoc hides.
fn program<'t>(lines: impl Iterator<Item = &'t str>) -> String {
    let block = lines
        .skip_while(|line| !line.starts_with("```rust") && *line != "```")
        .skip(1)
        .take_while(|line| *line != "```");
    block.filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_readmes_program_is_tested_and_short() {
    let page = include_str!("../src/lib.rs");
    let tested = program(
        page.lines()
            .filter_map(|line| line.strip_prefix("//! ").or_else(|| line.strip_prefix("//!"))),
    );
    let readme = include_str!("../../../README.md");
    let section = readme.split_once("## A program").unwrap().1;
    let shown = program(section.lines());
    assert_eq!(shown, tested);
    assert!(shown.lines().count() < 40, "{} lines", shown.lines().count());
}
