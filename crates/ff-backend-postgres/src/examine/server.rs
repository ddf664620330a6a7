//! The server: its version, settings and clock.

use ff_core::clock::{Clock, SystemClock};
use ff_core::contracts::Finding;
use ff_core::types::TimestampMs;
use sqlx::postgres::Postgres;
use sqlx::{Row, Transaction};

const READ_SERVER: &str = include_str!("../../sql/admin/read_server.sql");

/// A difference between two machines' clocks that is worth a note.
const SKEW_MAX_MS: i64 = 1_000;

/// What the server says of itself.
pub(super) struct Server {
    pub(super) name: String,
    settings: Settings,
    skew_ms: i64,
}

struct Settings {
    is_standby: bool,
    is_read_only: bool,
    fsync: bool,
    full_page_writes: bool,
    synchronous_commit: String,
    data_checksums: bool,
    autovacuum: bool,
}

pub(super) async fn read(tx: &mut Transaction<'_, Postgres>) -> Result<Server, sqlx::Error> {
    let asked_at = SystemClock.now();
    let row = sqlx::query(READ_SERVER).persistent(false).fetch_one(&mut **tx).await?;
    let answered_at = SystemClock.now();
    let version: String = row.try_get("version")?;
    let version = version.split(' ').next().unwrap_or_default();
    let settings = Settings {
        is_standby: row.try_get("is_standby")?,
        is_read_only: row.try_get("is_read_only")?,
        fsync: row.try_get("fsync")?,
        full_page_writes: row.try_get("full_page_writes")?,
        synchronous_commit: row.try_get("synchronous_commit")?,
        data_checksums: row.try_get("data_checksums")?,
        autovacuum: row.try_get("autovacuum")?,
    };
    let now = TimestampMs(row.try_get("now_ms")?);
    let skew_ms = skew_ms(asked_at, now, answered_at);
    Ok(Server { name: format!("PostgreSQL {version}"), settings, skew_ms })
}

/// How far the server's clock is ahead of this machine's, at least, if it was read between the two times.
fn skew_ms(asked_at: TimestampMs, there: TimestampMs, answered_at: TimestampMs) -> i64 {
    match there.0 {
        there if there > answered_at.0 => there - answered_at.0,
        there if there < asked_at.0 => there - asked_at.0,
        _ => 0,
    }
}

/// The server is not supported at all.
pub(super) fn too_old(server: &str) -> Finding {
    Finding::problem(
        format!("the server is {server}, which is not supported"),
        "use PostgreSQL 14 or later",
    )
}

impl Server {
    pub(super) fn findings(&self) -> Vec<Finding> {
        let findings = [self.settings.writes(), self.settings.checksums(), self.clock()];
        let durability = self.settings.durability().into_iter();
        findings.into_iter().flatten().chain(durability).collect()
    }

    fn clock(&self) -> Option<Finding> {
        (self.skew_ms.abs() > SKEW_MAX_MS).then(|| {
            let direction = if self.skew_ms > 0 { "ahead of" } else { "behind" };
            let secs = self.skew_ms.unsigned_abs() / 1_000;
            Finding::note(
                format!("the server's clock is {secs} s {direction} this machine's"),
                "nothing: programs follow the server's; keep it right, as with NTP",
            )
        })
    }
}

impl Settings {
    fn writes(&self) -> Option<Finding> {
        if self.is_standby {
            return Some(Finding::problem(
                "the server is a standby and takes no writes",
                "name the primary in the URL",
            ));
        }
        self.is_read_only.then(|| {
            Finding::problem(
                "default_transaction_read_only is on: no write succeeds",
                "turn it off for this user and database",
            )
        })
    }

    fn durability(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut problem = |what: &str, remedy: &str| findings.push(Finding::problem(what, remedy));
        if !self.fsync {
            problem(
                "fsync is off: a crash of the machine may damage the whole database",
                "set fsync = on in postgresql.conf and reload",
            );
        }
        if !self.full_page_writes {
            problem(
                "full_page_writes is off: a crash of the machine may leave pages half-written",
                "set full_page_writes = on in postgresql.conf and reload",
            );
        }
        if self.synchronous_commit == "off" {
            problem(
                "synchronous_commit is off: what was answered may be lost in a crash of the server",
                "set synchronous_commit = on in postgresql.conf, or for this user or database",
            );
        }
        if !self.autovacuum {
            problem(
                "autovacuum is off: dead rows gather, and every claim becomes slower and slower",
                "set autovacuum = on and track_counts = on in postgresql.conf and reload",
            );
        }
        findings
    }

    fn checksums(&self) -> Option<Finding> {
        (!self.data_checksums).then(|| {
            Finding::note(
                "data checksums are off: a disk that damages data is not noticed",
                "turn them on with `pg_checksums --enable` while the server is stopped",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use ff_core::contracts::Severity;

    use super::*;

    fn sound() -> Settings {
        Settings {
            is_standby: false,
            is_read_only: false,
            fsync: true,
            full_page_writes: true,
            synchronous_commit: "on".to_owned(),
            data_checksums: true,
            autovacuum: true,
        }
    }

    fn findings(settings: Settings, skew_ms: i64) -> Vec<Finding> {
        Server { name: "PostgreSQL 15.18".to_owned(), settings, skew_ms }.findings()
    }

    #[test]
    fn a_sound_server_has_no_findings() {
        assert_eq!(findings(sound(), SKEW_MAX_MS), []);
    }

    #[test]
    fn a_server_that_takes_no_writes_is_a_problem() {
        let standby = findings(Settings { is_standby: true, ..sound() }, 0);
        assert!(standby[0].what.contains("is a standby"), "{standby:?}");
        assert_eq!(standby[0].severity, Severity::Problem);
    }

    #[test]
    fn clocks_that_differ_are_a_note() {
        for (skew_ms, what) in [
            (5_400, "the server's clock is 5 s ahead of this machine's"),
            (-61_000, "the server's clock is 61 s behind this machine's"),
        ] {
            let findings = findings(sound(), skew_ms);
            assert_eq!(findings[0].what, what);
            assert_eq!(findings[0].severity, Severity::Note);
        }
    }

    #[test]
    fn how_long_the_answer_took_is_no_difference() {
        let at = TimestampMs;
        assert_eq!(skew_ms(at(1_000), at(1_000), at(9_000)), 0);
        assert_eq!(skew_ms(at(1_000), at(9_000), at(9_000)), 0);
        assert_eq!(skew_ms(at(1_000), at(9_500), at(9_000)), 500);
        assert_eq!(skew_ms(at(1_000), at(400), at(9_000)), -600);
    }

    #[test]
    fn a_version_that_is_too_old_is_named() {
        let finding = too_old("PostgreSQL 13.22");
        assert_eq!(finding.severity, Severity::Problem);
        assert!(finding.what.contains("PostgreSQL 13.22"), "{}", finding.what);
        assert!(finding.remedy.contains("14"), "{}", finding.remedy);
    }
}
