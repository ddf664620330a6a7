//! Statements that take their rows as lists of values. A statement is kept prepared for 1, 2, 4 rows and so on;
//! what is not bound of one is null, which each of them takes for no row.

/// Rows that one statement takes at most: with twenty values each they are below SQLite's limit of 32,766.
pub(crate) const ROWS_MAX: usize = 512;

/// The statement with as many places as this many rows need, wherever it has `VALUES` of one.
pub(crate) fn for_rows(statement: &str, rows: usize) -> String {
    let places = rows.next_power_of_two();
    let mut parts = statement.split("VALUES ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(')').map_or(part.len(), |end| end + 1);
        let (row, rest) = part.split_at(end);
        text.push_str("VALUES ");
        text.push_str(&vec![row; places].join(", "));
        text.push_str(rest);
    }
    text
}

/// A value for each row, and null for the places that are left.
pub(crate) fn padded<T>(values: &[T]) -> impl Iterator<Item = Option<&T>> {
    let places = values.len().next_power_of_two();
    values.iter().map(Some).chain(std::iter::repeat(None)).take(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_of_values_has_a_place_for_each_row() {
        let statement =
            "SELECT ?; DELETE FROM t WHERE a IN (VALUES (?)); SELECT * FROM (VALUES (?, ?)) AS v";
        let three = "SELECT ?; DELETE FROM t WHERE a IN (VALUES (?), (?), (?), (?)); \
                     SELECT * FROM (VALUES (?, ?), (?, ?), (?, ?), (?, ?)) AS v";
        assert_eq!(for_rows(statement, 1), statement);
        assert_eq!(for_rows(statement, 3), three);
    }

    #[test]
    fn places_that_are_left_are_null() {
        assert_eq!(padded(&[1, 2, 3]).collect::<Vec<_>>(), [Some(&1), Some(&2), Some(&3), None]);
        assert_eq!(padded(&[1]).collect::<Vec<_>>(), [Some(&1)]);
    }
}
