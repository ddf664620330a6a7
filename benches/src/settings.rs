//! Sizes and times, from the environment; the table is at the top of the crate.

use std::str::FromStr;
use std::time::Duration;

/// Whether the run is to be short.
pub fn is_quick() -> bool {
    std::env::var("FF_BENCH_QUICK").is_ok_and(|value| value == "1")
}

/// A number by its variable, or else one of two defaults.
pub fn number<T: FromStr>(variable: &str, full: T, quick: T) -> T {
    let given = std::env::var(variable).ok().and_then(|text| text.parse().ok());
    given.unwrap_or(if is_quick() { quick } else { full })
}

/// Sizes by their variable, or else one of two defaults.
pub fn sizes(variable: &str, full: &[u64], quick: &[u64]) -> Vec<u64> {
    let given = std::env::var(variable).ok().and_then(|text| list(&text));
    given.unwrap_or_else(|| if is_quick() { quick.to_vec() } else { full.to_vec() })
}

/// How long criterion measures a case.
pub fn measured() -> Duration {
    Duration::from_secs_f64(number("FF_BENCH_SECONDS", 5.0, 0.5))
}

/// How often a run is repeated that criterion does not repeat.
pub fn rounds() -> usize {
    number("FF_BENCH_ROUNDS", 5, 3).max(1)
}

fn list(text: &str) -> Option<Vec<u64>> {
    text.split(',').map(|size| size.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_sizes_is_read_whole_or_not_at_all() {
        assert_eq!(list("0, 10,1000"), Some(vec![0, 10, 1_000]));
        assert_eq!(list("10,many"), None);
    }
}
