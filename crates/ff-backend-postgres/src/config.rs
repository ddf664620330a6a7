use std::sync::Arc;
use std::time::Duration;

use ff_core::clock::Clock;
use ff_core::partition::PartitionConfig;
use ff_core::rules::input::{DEFAULT_PAYLOAD_MAX_BYTES, InputLimits};

/// A partition is a `smallint`.
const PARTITIONS_MAX: u16 = 1 << 15;

/// How a [`PostgresBackend`](crate::PostgresBackend) is set up.
///
/// ```
/// use std::time::Duration;
///
/// use ff_backend_postgres::PostgresConfig;
///
/// let config = PostgresConfig { lock_timeout: Duration::from_secs(2), ..PostgresConfig::default() };
/// # let _ = config;
/// ```
#[derive(Clone)]
pub struct PostgresConfig {
    /// The time of operations whose arguments carry none. Default: `None`, which follows the server's
    /// clock, so that machines whose own clocks differ agree on when a lease ends.
    pub clock: Option<Arc<dyn Clock>>,
    /// How many partitions executions are spread over. Every program on one database must be told the
    /// same. Default: 256.
    pub partitions: PartitionConfig,
    /// Bytes that a payload, a result or a failure's reason may have. Default: 1 MiB.
    pub payload_max_bytes: usize,
    /// The tag whose value an execution's events carry as `instance_tag`. Default:
    /// `cairn.instance_id`.
    pub instance_tag_key: String,
    /// Connections in the pool. Not used by a backend that is given a pool. Default: 10.
    pub max_connections: u32,
    /// How long the first connection may take. Default: 5 s.
    pub connect_timeout: Duration,
    /// How long an operation waits for a connection of the pool before it answers
    /// `Contention(PoolExhausted)`. Not used by a backend that is given a pool. Default: 5 s.
    pub acquire_timeout: Duration,
    /// How long a statement may run before the server cancels it, and the operation answers
    /// `Contention(StoreBusy)`. A backend that is given a pool sets it for transactions only: set it for
    /// the pool's sessions too. Default: 30 s.
    pub statement_timeout: Duration,
    /// How long a statement waits for a row that another transaction has locked, before the operation
    /// answers `Contention(StoreBusy)`. A backend that is given a pool sets it for transactions only: set it
    /// for the pool's sessions too. Default: 5 s.
    pub lock_timeout: Duration,
    /// Whether a pooler that keeps no session, such as PgBouncer in transaction mode, stands between. Every
    /// statement then runs in a transaction of its own, and none stays prepared.
    /// [`connect`](crate::PostgresBackend::connect) finds it out; a backend that is given a pool must be
    /// told. Default: `false`.
    pub transaction_pooler: bool,
    /// Whether a connection of its own listens for work that other processes make, which a waiting claim
    /// otherwise finds at its next look, within 100 ms. Not used behind a transaction pooler. Default: `true`.
    pub listen: bool,
}

impl Default for PostgresConfig {
    fn default() -> Self {
        Self {
            clock: None,
            partitions: PartitionConfig::default(),
            payload_max_bytes: DEFAULT_PAYLOAD_MAX_BYTES,
            instance_tag_key: "cairn.instance_id".to_owned(),
            max_connections: 10,
            connect_timeout: Duration::from_secs(5),
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(5),
            transaction_pooler: false,
            listen: true,
        }
    }
}

impl PostgresConfig {
    pub(crate) fn limits(&self) -> InputLimits {
        InputLimits {
            payload_max_bytes: self.payload_max_bytes,
            partitions: self.partitions.num_flow_partitions.get().min(PARTITIONS_MAX),
        }
    }
}
