//! Splits a batch so that one statement never meets one row twice.

use std::collections::HashSet;
use std::hash::Hash;

/// Splits the positions of a batch into rounds: within a round no two items share a key, and of items
/// that do, the earlier is in an earlier round. The answers are then those of the items one by one.
///
/// ```
/// use ff_sql::rounds::rounds;
///
/// assert_eq!(rounds(&["a", "b", "a"], |item| vec![*item]), [vec![0, 1], vec![2]]);
/// ```
pub fn rounds<'b, T, K: Hash + Eq>(
    batch: &'b [T],
    keys: impl Fn(&'b T) -> Vec<K>,
) -> Vec<Vec<usize>> {
    let mut pending: Vec<usize> = (0..batch.len()).collect();
    let mut rounds = Vec::new();
    while !pending.is_empty() {
        let mut seen = HashSet::new();
        let (round, later) = pending.into_iter().partition(|position| {
            // Every key is noted, also of an item that waits: what shares one with it waits too.
            let keys = keys(&batch[*position]);
            let added = keys.into_iter().map(|key| seen.insert(key));
            added.fold(true, |all_new, is_new| all_new & is_new)
        });
        rounds.push(round);
        pending = later;
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_without_repeats_is_one_round() {
        assert_eq!(rounds(&[1, 2, 3], |item| vec![*item]), [vec![0, 1, 2]]);
        assert!(rounds::<i32, i32>(&[], |item| vec![*item]).is_empty());
    }

    #[test]
    fn items_that_share_any_key_keep_their_order() {
        let batch = [vec!["id1", "k"], vec!["id2", "k"], vec!["id2"], vec!["id3"]];
        assert_eq!(rounds(&batch, Clone::clone), [vec![0, 3], vec![1], vec![2]]);
    }
}
