//! What a look at a database finds of its schema: the migrations that it has, and whether what they make
//! is there.

use ff_core::contracts::Finding;

/// A migration: its version and its checksum in hexadecimal.
pub type Migration = (i64, String);

/// An index that a migration makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// The table that it is of.
    pub table: String,
    /// The statement that makes it, on one line.
    pub statement: String,
}

/// What migrations make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    /// Names of tables.
    pub tables: Vec<String>,
    /// Indexes that have a statement of their own.
    pub indexes: Vec<Index>,
}

impl Objects {
    /// Reads the texts of migrations.
    pub fn of(migrations: impl IntoIterator<Item = &'static str>) -> Self {
        let mut objects = Self::default();
        for statement in migrations.into_iter().flat_map(statements) {
            if let Some(rest) = statement.strip_prefix("CREATE TABLE ") {
                objects.tables.push(first_word(rest).to_owned());
            } else if let Some((name, rest)) =
                statement.strip_prefix("CREATE INDEX ").and_then(|rest| rest.split_once(" ON "))
            {
                let (name, table) = (name.to_owned(), first_word(rest).to_owned());
                objects.indexes.push(Index { name, table, statement });
            } else if let Some(name) = statement.strip_prefix("DROP INDEX ") {
                objects.indexes.retain(|index| index.name != name);
            }
        }
        objects
    }

    /// What is not there, given the names of what is.
    pub fn find_missing(&self, tables: &[String], indexes: &[String]) -> Vec<Finding> {
        let missing = self.tables.iter().filter(|name| !tables.contains(name));
        let mut findings: Vec<Finding> = missing.map(|name| missing_table(name)).collect();
        let missing = self
            .indexes
            .iter()
            .filter(|index| tables.contains(&index.table) && !indexes.contains(&index.name));
        findings.extend(missing.map(missing_index));
        findings
    }
}

fn missing_table(name: &str) -> Finding {
    Finding::problem(
        format!("the table {name} is missing, which the migrations have made"),
        "restore it from a backup",
    )
}

fn missing_index(index: &Index) -> Finding {
    Finding::problem(
        format!("the index {} is missing: what it serves reads all of {}", index.name, index.table),
        format!("make it again: {}", index.statement),
    )
}

/// The statements of a migration, each on one line and without comments.
fn statements(sql: &str) -> Vec<String> {
    let lines = sql.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code));
    let code = lines.collect::<Vec<_>>().join(" ");
    let on_one_line = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
    code.split(';').map(on_one_line).filter(|statement| !statement.is_empty()).collect()
}

fn first_word(text: &str) -> &str {
    text.split([' ', '(']).next().unwrap_or(text)
}

/// Whether the migrations that a database has are this program's.
pub fn check_migrations(applied: &[Migration], ours: &[Migration]) -> Option<Finding> {
    let Some((version, _)) = applied.last() else {
        return Some(Finding::problem(
            "there is no store in the database",
            "run `ff migrate` to make one, or name another database",
        ));
    };
    for (version, checksum) in applied {
        let Some((_, known)) = ours.iter().find(|(ours, _)| ours == version) else {
            return Some(Finding::problem(
                format!("the schema has migration {version}, which this program does not know"),
                "use the newer program that migrated it",
            ));
        };
        if known != checksum {
            return Some(Finding::problem(
                format!("migration {version} of the schema is not the one that this program has"),
                "use the program that made the store",
            ));
        }
    }
    let pending = ours.iter().filter(|ours| !applied.contains(ours)).count();
    (pending > 0).then(|| {
        Finding::problem(
            format!("the schema has version {version} and lacks {pending} of the migrations"),
            "run `ff migrate`",
        )
    })
}

/// The version of a schema that has these migrations; `None` without any.
pub fn version(applied: &[Migration]) -> Option<i64> {
    applied.last().map(|(version, _)| *version)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIGRATION: &str = "\
-- CREATE TABLE none (x integer);
CREATE TABLE a (
    x integer -- of any size
);
CREATE INDEX a_x
    ON a (x)
    WHERE x > 0;
CREATE TABLE b(y integer);
CREATE INDEX b_y ON b (y);
";

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn migrations(migrations: &[(i64, &str)]) -> Vec<Migration> {
        migrations.iter().map(|(version, checksum)| (*version, (*checksum).to_owned())).collect()
    }

    fn whats(findings: impl IntoIterator<Item = Finding>) -> Vec<String> {
        findings.into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn what_a_migration_makes_is_read_from_its_text() {
        let objects = Objects::of([MIGRATION]);
        assert_eq!(objects.tables, ["a", "b"]);
        let index = objects.indexes.first().unwrap();
        assert_eq!((index.name.as_str(), index.table.as_str()), ("a_x", "a"));
        assert_eq!(index.statement, "CREATE INDEX a_x ON a (x) WHERE x > 0");
    }

    #[test]
    fn an_index_that_a_later_migration_drops_is_not_missed() {
        let later = "DROP INDEX a_x;\nDROP INDEX b_y;\nCREATE INDEX b_y ON b (y, z);";
        let objects = Objects::of([MIGRATION, later]);
        let statements: Vec<_> = objects.indexes.iter().map(|index| &*index.statement).collect();
        assert_eq!(statements, ["CREATE INDEX b_y ON b (y, z)"]);
    }

    #[test]
    fn an_index_of_a_missing_table_is_not_told_beside_it() {
        let objects = Objects::of([MIGRATION]);
        let findings = objects.find_missing(&names(&["a"]), &names(&["a_pkey"]));
        assert_eq!(
            whats(findings),
            [
                "the table b is missing, which the migrations have made",
                "the index a_x is missing: what it serves reads all of a"
            ]
        );
        assert_eq!(objects.find_missing(&names(&["a", "b"]), &names(&["a_x", "b_y"])), []);
    }

    #[test]
    fn migrations_are_missing_pending_newer_or_foreign() {
        let ours = migrations(&[(1, "aa"), (2, "bb")]);
        let told = |applied: &[(i64, &str)]| {
            check_migrations(&migrations(applied), &ours).map(|finding| finding.what)
        };
        let newer = "the schema has migration 3, which this program does not know";
        let foreign = "migration 1 of the schema is not the one that this program has";
        assert_eq!(told(&[]).unwrap(), "there is no store in the database");
        let pending = told(&[(1, "aa")]).unwrap();
        assert_eq!(pending, "the schema has version 1 and lacks 1 of the migrations");
        assert_eq!(told(&[(1, "aa"), (2, "bb")]), None);
        assert_eq!(told(&[(1, "aa"), (2, "bb"), (3, "cc")]).unwrap(), newer);
        assert_eq!(told(&[(1, "ab"), (2, "bb")]).unwrap(), foreign);
    }
}
