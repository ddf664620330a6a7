//! Opens connections, and says why one cannot be opened.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ff_core::engine_error::{ContentionKind, EngineError, OpenKind};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, Postgres};
use sqlx::{ConnectOptions, Connection, PgConnection, Row};
use tokio::time::timeout;

use crate::config::PostgresConfig;
use crate::error::{self, code, from_sqlx};

/// A connection that has lain idle for longer is tried out before it is used: the server may be gone.
const IDLE_UNTRIED: Duration = Duration::from_secs(1);
/// How long a connection that is tried out may take to answer.
const PING_PATIENCE: Duration = Duration::from_secs(1);
/// More than the statement files that there are.
const STATEMENT_CACHE: usize = 128;
/// The oldest version that is supported, as `server_version_num`.
pub(crate) const OLDEST_VERSION: i32 = 140_000;

/// When a connection was last lost. Those that have lain idle since before may be gone as well.
#[derive(Clone, Debug, Default)]
pub(crate) struct Losses(Arc<Mutex<Option<Instant>>>);

impl Losses {
    pub(crate) fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn came_within(&self, idle_for: Duration) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|last| last.elapsed() <= idle_for)
    }
}

/// The pool, and how transactions on it begin.
pub(crate) struct Connections {
    pub(crate) pool: PgPool,
    pub(crate) losses: Losses,
    /// Begins a transaction, whatever the session was set to: its statements each see what committed
    /// before them, which is what the locks rely on.
    pub(crate) begin: String,
}

/// What the first connection found.
pub(crate) struct Opened {
    pub(crate) pool: PgPool,
    pub(crate) losses: Losses,
    /// Whether something that keeps no session stands between.
    pub(crate) transaction_pooler: bool,
}

impl Connections {
    pub(crate) fn new(pool: PgPool, losses: Losses, config: &PostgresConfig) -> Self {
        let begin = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {}; \
             SET LOCAL statement_timeout = {}",
            setting(config.lock_timeout),
            setting(config.statement_timeout),
        );
        Self { pool, losses, begin }
    }

    /// A connection of the pool.
    pub(crate) async fn acquire(&self) -> Result<PoolConnection<Postgres>, EngineError> {
        self.pool.acquire().await.map_err(|error| match error {
            sqlx::Error::PoolTimedOut if self.is_exhausted() => {
                EngineError::Contention(ContentionKind::PoolExhausted)
            }
            sqlx::Error::PoolTimedOut => {
                error::no_connection(self.pool.options().get_acquire_timeout())
            }
            error => from_sqlx(error),
        })
    }

    /// Every connection that the pool may have is there, and in use.
    fn is_exhausted(&self) -> bool {
        self.pool.num_idle() == 0 && self.pool.size() >= self.pool.options().get_max_connections()
    }
}

/// Opens the first connection, looks at the server, and makes the pool.
pub(crate) async fn open(url: &str, config: &PostgresConfig) -> Result<Opened, EngineError> {
    let place = Place::parse(url)?;
    let first = first_connection(&place, config).await?;
    let checked = first.check(&place);
    let _ = timeout(config.connect_timeout, first.conn.close()).await;
    checked?;
    let options = place.options(config, first.keeps_session);
    let losses = Losses::default();
    let pool = PgPoolOptions::new()
        .max_connections(config.max_connections)
        .acquire_timeout(config.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire({
            let losses = losses.clone();
            move |conn, meta| {
                let is_tried = meta.idle_for >= IDLE_UNTRIED || losses.came_within(meta.idle_for);
                Box::pin(async move { Ok(!is_tried || answers(conn).await) })
            }
        })
        .connect_lazy_with(options);
    Ok(Opened { pool, losses, transaction_pooler: !first.keeps_session })
}

/// A connection whose server is gone without a word never answers.
async fn answers(conn: &mut PgConnection) -> bool {
    matches!(timeout(PING_PATIENCE, conn.ping()).await, Ok(Ok(())))
}

/// In milliseconds, as far as the server counts; 0 would mean for ever.
fn setting(patience: Duration) -> i32 {
    i32::try_from(patience.as_millis()).unwrap_or(i32::MAX).max(1)
}

/// In force from the first statement on, where a server process serves one client.
///
/// Every statement is a few probes of indexes, whatever the server believes of tables whose statistics are
/// old: it is to follow the indexes, and to read no table as a whole because it was small once. To plan a
/// claim takes several times as long as to run it, and to compile it longer still: it is planned once, and
/// not compiled.
fn session_settings(config: &PostgresConfig) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("default_transaction_isolation", "read committed".to_owned()),
        ("lock_timeout", setting(config.lock_timeout).to_string()),
        ("statement_timeout", setting(config.statement_timeout).to_string()),
        ("plan_cache_mode", "force_generic_plan".to_owned()),
    ];
    let avoided = [
        "enable_seqscan",
        "enable_bitmapscan",
        "enable_hashjoin",
        "enable_mergejoin",
        "enable_material",
        "jit",
    ];
    settings.extend(avoided.map(|name| (name, "off".to_owned())));
    settings
}

/// The first connection to a server, and what it found.
pub(crate) struct First {
    pub(crate) conn: PgConnection,
    /// As `server_version_num`.
    pub(crate) version: i32,
    encoding: String,
    takes_writes: bool,
    /// Whether no transaction pooler stands between.
    pub(crate) keeps_session: bool,
}

/// Connects once, within the time that the first connection may take.
pub(crate) async fn first_connection(
    place: &Place,
    config: &PostgresConfig,
) -> Result<First, EngineError> {
    match timeout(config.connect_timeout, connect(place, config)).await {
        Ok(first) => first.map_err(|error| cannot_open(error, place)),
        Err(_) => {
            let detail = format!("{place} does not answer within {:?}", config.connect_timeout);
            Err(EngineError::Open { kind: OpenKind::Unreachable, detail })
        }
    }
}

impl First {
    fn check(&self, place: &Place) -> Result<(), EngineError> {
        let (kind, detail) = if self.version < OLDEST_VERSION {
            let (is, oldest) = (self.version / 10_000, OLDEST_VERSION / 10_000);
            let detail = format!("{place} is PostgreSQL {is}; version {oldest} or later is needed");
            (OpenKind::UnsupportedServer, detail)
        } else if self.encoding != "UTF8" {
            let detail = format!(
                "the database on {place} is encoded in {}; create one in UTF8",
                self.encoding
            );
            (OpenKind::UnsupportedServer, detail)
        } else if !self.takes_writes {
            (OpenKind::ReadOnly, format!("{place} takes no writes; is it a standby?"))
        } else {
            return Ok(());
        };
        Err(EngineError::Open { kind, detail })
    }
}

/// A pooler that keeps no session refuses the settings, or takes no notice of them.
async fn connect(place: &Place, config: &PostgresConfig) -> Result<First, sqlx::Error> {
    match place.options(config, true).connect().await {
        Ok(conn) => look(conn, config).await,
        Err(error) if error::sqlstate(&error).as_deref() == Some(code::PROTOCOL_VIOLATION) => {
            let first = look(place.options(config, false).connect().await?, config).await?;
            Ok(First { keeps_session: false, ..first })
        }
        Err(error) => Err(error),
    }
}

async fn look(mut conn: PgConnection, config: &PostgresConfig) -> Result<First, sqlx::Error> {
    // In the simple protocol, which every pooler passes on.
    let row = sqlx::raw_sql(
        "SELECT current_setting('server_version_num'), setting, \
         current_setting('server_encoding'), current_setting('transaction_read_only') \
         FROM pg_settings WHERE name = 'lock_timeout'",
    )
    .fetch_one(&mut conn)
    .await?;
    let lock_timeout = setting(config.lock_timeout).to_string();
    let version: String = row.try_get(0)?;
    let keeps_session = row.try_get::<String, _>(1)? == lock_timeout;
    let encoding = row.try_get(2)?;
    let takes_writes = row.try_get::<String, _>(3)? == "off";
    let version = version.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(First { conn, version, encoding, takes_writes, keeps_session })
}

/// Where a database is, without its password.
pub(crate) struct Place {
    pub(crate) options: PgConnectOptions,
}

impl Place {
    /// Reads a `postgres:` URL. What goes wrong is told without the URL, which may hold a password.
    pub(crate) fn parse(url: &str) -> Result<Self, EngineError> {
        let invalid = |problem: &dyn std::fmt::Display| EngineError::Open {
            kind: OpenKind::InvalidUrl,
            detail: format!(
                "the URL does not name a PostgreSQL database, such as \
                 postgres://user@host:5432/database: {problem}"
            ),
        };
        // The driver reads any scheme.
        if !["postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(invalid(&"it does not begin with postgres:"));
        }
        let options = PgConnectOptions::from_str(url).map_err(|error| invalid(&error))?;
        let name = options.get_application_name().is_none();
        let options = if name { options.application_name("flowfabric") } else { options };
        Ok(Self { options: options.statement_cache_capacity(STATEMENT_CACHE) })
    }

    /// How to connect to a server that keeps sessions, or to a pooler that does not.
    fn options(&self, config: &PostgresConfig, keeps_session: bool) -> PgConnectOptions {
        let options = self.options.clone();
        if keeps_session { options.options(session_settings(config)) } else { options }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.options.get_socket() {
            Some(socket) => write!(f, "the server at {}", socket.display()),
            None => {
                write!(f, "the server at {}:{}", self.options.get_host(), self.options.get_port())
            }
        }
    }
}

/// Why the server could not be opened, and what to do about it.
pub(crate) fn cannot_open(error: sqlx::Error, place: &Place) -> EngineError {
    let user = place.options.get_username();
    let database = place.options.get_database().unwrap_or(user);
    let (kind, detail) = match (error::sqlstate(&error).as_deref(), &error) {
        (Some(code::INVALID_PASSWORD | code::INVALID_AUTHORIZATION), _) => (
            OpenKind::AccessDenied,
            format!("{place} refuses the user {user:?}; check the name and the password: {error}"),
        ),
        (Some(code::INVALID_CATALOG_NAME), _) => (
            OpenKind::MissingDatabase,
            format!("{place} has no database {database:?}; create it, as with `createdb`"),
        ),
        (Some(code::PROTOCOL_VIOLATION), error)
            if error.to_string().contains("no such database") =>
        {
            (
                OpenKind::MissingDatabase,
                format!("the pooler at {place} has no database {database:?}"),
            )
        }
        (Some(code::INSUFFICIENT_PRIVILEGE | code::INVALID_SCHEMA_NAME), error) => (
            OpenKind::AccessDenied,
            format!("the user {user:?} may not migrate the database {database:?}: {error}"),
        ),
        (Some(code::DUPLICATE_TABLE | code::UNDEFINED_COLUMN), error) => (
            OpenKind::ForeignSchema,
            format!("the database {database:?} has tables of another program: {error}"),
        ),
        (Some(code::READ_ONLY_TRANSACTION), _) => {
            (OpenKind::ReadOnly, format!("{place} takes no writes; is it a standby?"))
        }
        (_, sqlx::Error::Io(error)) => {
            (OpenKind::Unreachable, format!("{place} cannot be reached: {error}; is it running?"))
        }
        (Some(_), error) => (OpenKind::Unreachable, format!("{place} refuses: {error}")),
        (None, sqlx::Error::Tls(error)) => {
            (OpenKind::Unreachable, format!("{place} cannot be spoken to in TLS: {error}"))
        }
        (None, sqlx::Error::Protocol(error)) => {
            (OpenKind::Unreachable, format!("{place} does not speak as PostgreSQL does: {error}"))
        }
        (None, _) => return from_sqlx(error),
    };
    EngineError::Open { kind, detail }
}

#[cfg(test)]
#[path = "../../ff-core/src/outside_text/mutate.rs"]
#[expect(dead_code, reason = "the parsers of ff-core have more properties")]
mod mutate;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::mutate::{any_text, mutated};
    use super::*;

    fn escaped(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02X}")).collect()
    }

    proptest! {
        #[test]
        fn what_a_url_names_is_what_is_connected_to(
            user in "\\PC{1,12}",
            password in any::<String>(),
            // A segment of dots is none.
            database in "jobs\\PC{0,12}",
            port: u16,
        ) {
            let (user_text, password, name) = (escaped(&user), escaped(&password), escaped(&database));
            let url = format!("postgres://{user_text}:{password}@db.example:{port}/{name}");
            let options = Place::parse(&url).unwrap().options;
            prop_assert_eq!(options.get_username(), user);
            prop_assert_eq!(options.get_database(), Some(&*database));
            prop_assert_eq!((options.get_host(), options.get_port()), ("db.example", port));
        }

        #[test]
        fn any_text_names_a_database_or_is_refused_without_its_password(
            text in any_text(),
            almost in mutated(Just("postgres://ff@db.example:5433/jobs?sslmode=prefer".to_owned())),
            rest in any_text(),
        ) {
            let spoilt = format!("postgres://ff:geheim@{rest}");
            for url in [&text, &almost, &format!("postgresql:{rest}"), &spoilt] {
                match Place::parse(url) {
                    Ok(place) => prop_assert!(!place.to_string().contains("geheim")),
                    Err(EngineError::Open { kind: OpenKind::InvalidUrl, detail }) => {
                        prop_assert!(!detail.contains("geheim"), "{}", detail);
                    }
                    Err(error) => prop_assert!(false, "{error:?}"),
                }
            }
        }
    }

    #[test]
    fn what_goes_wrong_is_told_without_the_password() {
        for url in ["postgres://ff:geheim@host:port/jobs", "postgres://ff:geheim@", "geheim"] {
            if let Err(error) = Place::parse(url) {
                assert!(!error.to_string().contains("geheim@"), "{error}");
            }
        }
        let place = Place::parse("postgres://ff:geheim@db.example:5433/jobs").unwrap();
        assert_eq!(place.to_string(), "the server at db.example:5433");
    }
}
