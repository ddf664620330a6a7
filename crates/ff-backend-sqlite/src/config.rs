use std::sync::Arc;
use std::time::Duration;

use ff_core::clock::{Clock, SystemClock};
use ff_core::contracts::DEFAULT_INSTANCE_TAG_KEY;
use ff_core::rules::input::{DEFAULT_PAYLOAD_MAX_BYTES, InputLimits};

/// Ids may name any partition that PostgreSQL's `smallint` holds, so that rows can move there.
const PARTITIONS: u16 = 1 << 15;

/// How a [`SqliteBackend`](crate::SqliteBackend) is set up.
///
/// ```
/// use ff_backend_sqlite::SqliteConfig;
///
/// let config = SqliteConfig { payload_max_bytes: 4 << 20, ..SqliteConfig::default() };
/// # let _ = config;
/// ```
#[derive(Clone)]
pub struct SqliteConfig {
    /// The time of operations whose arguments carry none. Default: the machine's clock.
    pub clock: Arc<dyn Clock>,
    /// Bytes that a payload, a result or a failure's reason may have. Default: 1 MiB.
    pub payload_max_bytes: usize,
    /// The tag whose value an execution's events carry as `instance_tag`. Default:
    /// [`DEFAULT_INSTANCE_TAG_KEY`].
    pub instance_tag_key: String,
    /// How long an operation waits for other processes to finish writing before it answers
    /// `Contention(StoreBusy)`. Default: 5 s.
    pub busy_timeout: Duration,
}

impl Default for SqliteConfig {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            payload_max_bytes: DEFAULT_PAYLOAD_MAX_BYTES,
            instance_tag_key: DEFAULT_INSTANCE_TAG_KEY.to_owned(),
            busy_timeout: Duration::from_secs(5),
        }
    }
}

impl SqliteConfig {
    pub(crate) fn limits(&self) -> InputLimits {
        InputLimits { payload_max_bytes: self.payload_max_bytes, partitions: PARTITIONS }
    }

    /// The tag as a JSON path. A quoted path takes every key that a tag may have.
    pub(crate) fn instance_tag_path(&self) -> String {
        tag_path(&self.instance_tag_key)
    }
}

pub(crate) fn tag_path(key: &str) -> String {
    format!("$.\"{key}\"")
}
