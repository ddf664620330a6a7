use expect_test::expect;

use super::super::figure::figure;
use super::*;

fn rounds(case: &str, unit: &str, medians: [f64; 3]) -> Vec<Figure> {
    medians.map(|median| figure(case, unit, median)).to_vec()
}

fn is_too_slow(base: &[Figure], head: &[Figure]) -> bool {
    compare(base, head).changes[0].is_too_slow()
}

#[test]
fn a_tenth_of_the_throughput_may_be_lost_and_no_more() {
    let base = rounds("drain", "executions/s", [900.0, 1_000.0, 1_100.0]);
    // One bad round counts for nothing.
    assert!(!is_too_slow(&base, &rounds("drain", "executions/s", [100.0, 905.0, 1_000.0])));
    assert!(is_too_slow(&base, &rounds("drain", "executions/s", [890.0, 895.0, 1_000.0])));
    assert!(!is_too_slow(&base, &rounds("drain", "executions/s", [5_000.0, 5_000.0, 5_000.0])));
}

#[test]
fn of_milliseconds_more_is_slower() {
    let base = rounds("pickup", "ms", [2.0, 2.0, 2.0]);
    assert!(!is_too_slow(&base, &rounds("pickup", "ms", [2.2, 2.2, 2.2])));
    assert!(is_too_slow(&base, &rounds("pickup", "ms", [2.3, 2.3, 2.3])));
    assert!(!is_too_slow(&base, &rounds("pickup", "ms", [1.0, 1.0, 1.0])));
}

#[test]
fn a_p99_may_grow_by_a_fifth_and_no_more() {
    let with_p99 = |p99| vec![Figure { p99: Some(p99), ..figure("claim", "ms", 1.0) }];
    assert!(!is_too_slow(&with_p99(10.0), &with_p99(11.9)));
    assert!(is_too_slow(&with_p99(10.0), &with_p99(12.1)));
    // Where there was none, there is nothing to compare.
    assert!(!is_too_slow(&[figure("claim", "ms", 1.0)], &with_p99(12.1)));
}

#[test]
fn what_only_one_of_them_has_is_named_and_fails_nothing() {
    let p99 = |p99, median| Figure { p99: Some(p99), ..figure("single", "executions/s", median) };
    let base = [p99(4.0, 1_000.0), figure("old", "ms", 1.0), figure("10 members", "ms", 1.0)];
    let head = [p99(4.4, 2_000.0), figure("new", "ms", 9.0), figure("10 members", "ms", 2.0)];
    expect![[r#"
        | bench | store | case | base | head | unit | speed | p99 ms | p99 change | |
        | --- | --- | --- | ---: | ---: | --- | ---: | ---: | ---: | --- |
        | lifecycle | sqlite | 10 members | 1.00 | 2.00 | ms | -50 % |  |  | **slower** |
        | lifecycle | sqlite | single | 1000 | 2000 | executions/s | +100 % | 4.00 to 4.40 | +10 % |  |

        Only in the base: sqlite lifecycle old.

        Only in the head: sqlite lifecycle new.

        1 of 2 cases lost more than 10 % of their speed, or their p99 grew by more than 20 %. Medians over the rounds.
    "#]]
    .assert_eq(&compare(&base, &head).markdown());
}

#[test]
fn both_sides_must_be_named() {
    for args in [&["a.json", "--with"][..], &["--with", "b.json"], &["a.json", "b.json"], &[]] {
        assert!(run(args).unwrap_err().to_string().starts_with("usage"), "{args:?}");
    }
}
