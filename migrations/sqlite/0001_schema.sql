-- Every table of the engine. Times are milliseconds since the Unix epoch; ids are 16-byte UUIDs.
-- A column without NOT NULL or with a DEFAULT may be left out by another program's INSERT.

CREATE TABLE ff_exec_core (
    partition_key INTEGER NOT NULL,
    execution_id BLOB NOT NULL,
    flow_id BLOB,
    lane_id TEXT NOT NULL,
    attempt_index INTEGER NOT NULL DEFAULT 0,
    lifecycle_phase TEXT NOT NULL,
    ownership_state TEXT NOT NULL,
    eligibility_state TEXT NOT NULL,
    public_state TEXT NOT NULL,
    attempt_state TEXT NOT NULL,
    blocking_reason TEXT,
    cancellation_reason TEXT,
    cancelled_by TEXT,
    priority INTEGER NOT NULL DEFAULT 0,
    created_at_ms INTEGER NOT NULL,
    started_at_ms INTEGER,
    terminal_at_ms INTEGER,
    eligible_at_ms INTEGER,
    deadline_at_ms INTEGER,
    payload BLOB,
    result BLOB,
    policy TEXT,
    namespace TEXT NOT NULL DEFAULT 'default',
    execution_kind TEXT NOT NULL DEFAULT '',
    creator_identity TEXT NOT NULL DEFAULT '',
    payload_encoding TEXT NOT NULL DEFAULT '',
    tags TEXT NOT NULL DEFAULT '{}',
    retry_count INTEGER NOT NULL DEFAULT 0,
    reclaim_count INTEGER NOT NULL DEFAULT 0,
    raw_fields TEXT NOT NULL DEFAULT '{}',
    -- The required capabilities as one value, which parts a lane into queues, so that a claim passes by
    -- whatever its worker cannot take without reading it. It may be left empty: what
    -- ff_execution_capabilities holds of a row is required too.
    required_set TEXT NOT NULL DEFAULT '',
    CHECK (partition_key BETWEEN 0 AND 32767),
    CHECK (length(execution_id) = 16),
    PRIMARY KEY (partition_key, execution_id)
) STRICT;

-- Claims read a queue in the order of this index.
CREATE INDEX ff_exec_core_claimable ON ff_exec_core (
    lane_id, required_set, priority DESC, created_at_ms, execution_id, partition_key
)
    WHERE lifecycle_phase IN ('submitted', 'runnable') AND eligibility_state = 'eligible_now';

-- Claims look here for what has become due in a lane, and promotion for what has anywhere.
CREATE INDEX ff_exec_core_delayed_in_lane
    ON ff_exec_core (lane_id, eligible_at_ms)
    WHERE lifecycle_phase IN ('submitted', 'runnable')
        AND eligibility_state = 'not_eligible_until_time';
CREATE INDEX ff_exec_core_delayed
    ON ff_exec_core (eligible_at_ms)
    WHERE lifecycle_phase IN ('submitted', 'runnable')
        AND eligibility_state = 'not_eligible_until_time';

-- Promotion looks here for what waits to be admitted.
CREATE INDEX ff_exec_core_submitted
    ON ff_exec_core (created_at_ms)
    WHERE lifecycle_phase = 'submitted' AND eligibility_state = 'eligible_now';

CREATE INDEX ff_exec_core_deadline
    ON ff_exec_core (deadline_at_ms)
    WHERE deadline_at_ms IS NOT NULL AND lifecycle_phase NOT IN ('terminal', 'cancelled');

CREATE INDEX ff_exec_core_finished
    ON ff_exec_core (namespace, terminal_at_ms)
    WHERE lifecycle_phase IN ('terminal', 'cancelled');

-- Lists and counts.
CREATE INDEX ff_exec_core_listed
    ON ff_exec_core (lane_id, public_state, created_at_ms, execution_id, partition_key);

CREATE INDEX ff_exec_core_members
    ON ff_exec_core (flow_id, execution_id, partition_key)
    WHERE flow_id IS NOT NULL;

CREATE TABLE ff_idempotency (
    namespace TEXT NOT NULL,
    lane_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    partition_key INTEGER NOT NULL,
    execution_id BLOB NOT NULL,
    PRIMARY KEY (namespace, lane_id, idempotency_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX ff_idempotency_execution ON ff_idempotency (execution_id, partition_key);

CREATE TABLE ff_execution_capabilities (
    execution_id BLOB NOT NULL,
    capability TEXT NOT NULL,
    PRIMARY KEY (execution_id, capability)
) STRICT, WITHOUT ROWID;

CREATE TABLE ff_attempt (
    partition_key INTEGER NOT NULL,
    execution_id BLOB NOT NULL,
    attempt_index INTEGER NOT NULL,
    worker_id TEXT,
    worker_instance_id TEXT,
    lease_epoch INTEGER NOT NULL DEFAULT 0,
    lease_expires_at_ms INTEGER,
    started_at_ms INTEGER,
    terminal_at_ms INTEGER,
    outcome TEXT,
    error TEXT,
    progress TEXT,
    CHECK (partition_key BETWEEN 0 AND 32767),
    CHECK (length(execution_id) = 16),
    PRIMARY KEY (partition_key, execution_id, attempt_index)
) STRICT, WITHOUT ROWID;

-- A flow's cancellation ends its members' attempts without an outcome.
CREATE INDEX ff_attempt_open
    ON ff_attempt (lease_expires_at_ms)
    WHERE outcome IS NULL AND terminal_at_ms IS NULL;

-- Flows, and all that belongs to one, lie at partition 0; their members anywhere.
CREATE TABLE ff_flow_core (
    partition_key INTEGER NOT NULL,
    flow_id BLOB NOT NULL,
    graph_revision INTEGER NOT NULL DEFAULT 0,
    public_flow_state TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    terminal_at_ms INTEGER,
    namespace TEXT NOT NULL DEFAULT 'default',
    flow_kind TEXT NOT NULL DEFAULT '',
    tags TEXT NOT NULL DEFAULT '{}',
    raw_fields TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (partition_key, flow_id)
) STRICT;

-- Lists: of all flows, and of those in one state, of which the open ones are few.
CREATE INDEX ff_flow_core_listed ON ff_flow_core (created_at_ms, flow_id);
CREATE INDEX ff_flow_core_listed_in_state
    ON ff_flow_core (public_flow_state, created_at_ms, flow_id);

CREATE TABLE ff_edge (
    partition_key INTEGER NOT NULL,
    flow_id BLOB NOT NULL,
    edge_id BLOB NOT NULL,
    upstream_eid BLOB NOT NULL,
    downstream_eid BLOB NOT NULL,
    policy TEXT NOT NULL,
    policy_version INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (partition_key, flow_id, edge_id)
) STRICT;

CREATE TABLE ff_edge_group (
    partition_key INTEGER NOT NULL,
    flow_id BLOB NOT NULL,
    downstream_eid BLOB NOT NULL,
    policy TEXT NOT NULL,
    k_target INTEGER NOT NULL DEFAULT 0,
    success_count INTEGER NOT NULL DEFAULT 0,
    fail_count INTEGER NOT NULL DEFAULT 0,
    skip_count INTEGER NOT NULL DEFAULT 0,
    running_count INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (partition_key, flow_id, downstream_eid)
) STRICT;

CREATE TABLE ff_cancel_backlog (
    partition_key INTEGER NOT NULL,
    flow_id BLOB NOT NULL,
    requested_at_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (partition_key, flow_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE ff_cancel_backlog_member (
    partition_key INTEGER NOT NULL,
    flow_id BLOB NOT NULL,
    execution_id BLOB NOT NULL,
    held_until_ms INTEGER,
    PRIMARY KEY (partition_key, flow_id, execution_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX ff_cancel_backlog_member_execution ON ff_cancel_backlog_member (execution_id);

-- AUTOINCREMENT: an id whose event was trimmed is never given again.
CREATE TABLE ff_completion_event (
    event_id INTEGER PRIMARY KEY AUTOINCREMENT,
    partition_key INTEGER NOT NULL,
    execution_id BLOB NOT NULL,
    flow_id BLOB,
    outcome TEXT NOT NULL,
    occurred_at_ms INTEGER NOT NULL,
    namespace TEXT NOT NULL DEFAULT 'default',
    instance_tag TEXT
) STRICT;

CREATE INDEX ff_completion_event_execution ON ff_completion_event (execution_id, partition_key);

CREATE TABLE ff_lease_event (
    event_id INTEGER PRIMARY KEY AUTOINCREMENT,
    partition_key INTEGER NOT NULL,
    execution_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    occurred_at_ms INTEGER NOT NULL,
    namespace TEXT NOT NULL DEFAULT 'default',
    instance_tag TEXT
) STRICT;

CREATE INDEX ff_lease_event_execution ON ff_lease_event (execution_id, partition_key);

CREATE TABLE ff_operator_event (
    event_id INTEGER PRIMARY KEY AUTOINCREMENT,
    partition_key INTEGER NOT NULL,
    execution_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    details TEXT,
    occurred_at_ms INTEGER NOT NULL,
    namespace TEXT NOT NULL DEFAULT 'default',
    instance_tag TEXT
) STRICT;

CREATE INDEX ff_operator_event_execution ON ff_operator_event (execution_id, partition_key);

CREATE TABLE ff_worker_registry (
    namespace TEXT NOT NULL,
    worker_instance_id TEXT NOT NULL,
    worker_id TEXT NOT NULL,
    lanes TEXT NOT NULL DEFAULT '[]',
    capabilities TEXT NOT NULL DEFAULT '[]',
    last_heartbeat_ms INTEGER NOT NULL,
    liveness_ttl_ms INTEGER NOT NULL,
    registered_at_ms INTEGER NOT NULL,
    PRIMARY KEY (namespace, worker_instance_id)
) STRICT, WITHOUT ROWID;

-- Lists over all namespaces, and the question whether a process lives.
CREATE INDEX ff_worker_registry_instance ON ff_worker_registry (worker_instance_id, namespace);

CREATE TABLE ff_worker_registry_event (
    event_id INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL,
    worker_instance_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    reason TEXT,
    occurred_at_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX ff_worker_registry_event_instance
    ON ff_worker_registry_event (namespace, worker_instance_id, event_id);

CREATE TABLE ff_lane (
    lane_id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL DEFAULT 'active'
) STRICT, WITHOUT ROWID;

CREATE TABLE ff_namespace (
    namespace TEXT NOT NULL PRIMARY KEY,
    retention_ms INTEGER
) STRICT, WITHOUT ROWID;
