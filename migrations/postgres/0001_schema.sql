-- Every table of the engine. Times are milliseconds since the Unix epoch.
-- A column without NOT NULL or with a DEFAULT may be left out by another program's INSERT.
-- Text that is compared or ordered is in the collation "C", so that every server orders it as SQLite does.

CREATE TABLE ff_exec_core (
    partition_key smallint NOT NULL,
    execution_id uuid NOT NULL,
    flow_id uuid,
    lane_id text COLLATE "C" NOT NULL,
    attempt_index integer NOT NULL DEFAULT 0,
    lifecycle_phase text COLLATE "C" NOT NULL,
    ownership_state text COLLATE "C" NOT NULL,
    eligibility_state text COLLATE "C" NOT NULL,
    public_state text COLLATE "C" NOT NULL,
    attempt_state text COLLATE "C" NOT NULL,
    blocking_reason text,
    cancellation_reason text,
    cancelled_by text,
    priority integer NOT NULL DEFAULT 0,
    created_at_ms bigint NOT NULL,
    started_at_ms bigint,
    terminal_at_ms bigint,
    eligible_at_ms bigint,
    deadline_at_ms bigint,
    payload bytea,
    result bytea,
    policy jsonb,
    namespace text COLLATE "C" NOT NULL DEFAULT 'default',
    execution_kind text COLLATE "C" NOT NULL DEFAULT '',
    creator_identity text NOT NULL DEFAULT '',
    payload_encoding text NOT NULL DEFAULT '',
    tags jsonb NOT NULL DEFAULT '{}',
    retry_count integer NOT NULL DEFAULT 0,
    reclaim_count integer NOT NULL DEFAULT 0,
    raw_fields jsonb NOT NULL DEFAULT '{}',
    required_capabilities text[] COLLATE "C" NOT NULL DEFAULT '{}',
    CHECK (partition_key >= 0),
    PRIMARY KEY (partition_key, execution_id)
) WITH (
    fillfactor = 85,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.05
);

-- Claims read a queue in the order of this index. The required capabilities part a lane into queues, so that
-- a claim passes by whatever its worker cannot take without reading it. By their hash, because an index
-- entry holds less than a set of capabilities may.
CREATE INDEX ff_exec_core_claimable ON ff_exec_core (
    lane_id, hash_array_extended(required_capabilities, 0), priority DESC, created_at_ms, execution_id,
    partition_key
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

-- Promotion admits to their queue those that were submitted a while ago.
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
    namespace text COLLATE "C" NOT NULL,
    lane_id text COLLATE "C" NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL,
    partition_key smallint NOT NULL,
    execution_id uuid NOT NULL,
    PRIMARY KEY (namespace, lane_id, idempotency_key)
);

CREATE INDEX ff_idempotency_execution ON ff_idempotency (execution_id, partition_key);

-- Room in each page, and no index on what a renewal changes: it then touches no index at all.
CREATE TABLE ff_attempt (
    partition_key smallint NOT NULL,
    execution_id uuid NOT NULL,
    attempt_index integer NOT NULL,
    worker_id text,
    worker_instance_id text,
    lease_epoch bigint NOT NULL DEFAULT 0,
    lease_expires_at_ms bigint,
    started_at_ms bigint,
    terminal_at_ms bigint,
    outcome text COLLATE "C",
    error jsonb,
    progress jsonb,
    CHECK (partition_key >= 0),
    PRIMARY KEY (partition_key, execution_id, attempt_index)
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.05
);

-- The cancellation of a flow leaves attempts that have ended without an outcome.
CREATE INDEX ff_attempt_open
    ON ff_attempt (started_at_ms)
    WHERE outcome IS NULL AND terminal_at_ms IS NULL;

CREATE TABLE ff_flow_core (
    partition_key smallint NOT NULL,
    flow_id uuid NOT NULL,
    graph_revision bigint NOT NULL DEFAULT 0,
    public_flow_state text COLLATE "C" NOT NULL,
    created_at_ms bigint NOT NULL,
    terminal_at_ms bigint,
    namespace text COLLATE "C" NOT NULL DEFAULT 'default',
    flow_kind text COLLATE "C" NOT NULL DEFAULT '',
    tags jsonb NOT NULL DEFAULT '{}',
    raw_fields jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (partition_key, flow_id)
);

-- Lists: of all flows, and of those in one state, of which the open ones are few.
CREATE INDEX ff_flow_core_listed ON ff_flow_core (created_at_ms, flow_id);
CREATE INDEX ff_flow_core_listed_in_state
    ON ff_flow_core (public_flow_state, created_at_ms, flow_id);

CREATE TABLE ff_edge (
    partition_key smallint NOT NULL,
    flow_id uuid NOT NULL,
    edge_id uuid NOT NULL,
    upstream_eid uuid NOT NULL,
    downstream_eid uuid NOT NULL,
    policy jsonb NOT NULL,
    policy_version integer NOT NULL DEFAULT 0,
    PRIMARY KEY (partition_key, flow_id, edge_id)
);

CREATE TABLE ff_edge_group (
    partition_key smallint NOT NULL,
    flow_id uuid NOT NULL,
    downstream_eid uuid NOT NULL,
    policy jsonb NOT NULL,
    k_target integer NOT NULL DEFAULT 0,
    success_count integer NOT NULL DEFAULT 0,
    fail_count integer NOT NULL DEFAULT 0,
    skip_count integer NOT NULL DEFAULT 0,
    running_count integer NOT NULL DEFAULT 0,
    PRIMARY KEY (partition_key, flow_id, downstream_eid)
);

CREATE TABLE ff_cancel_backlog (
    partition_key smallint NOT NULL,
    flow_id uuid NOT NULL,
    requested_at_ms bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (partition_key, flow_id)
);

CREATE TABLE ff_cancel_backlog_member (
    partition_key smallint NOT NULL,
    flow_id uuid NOT NULL,
    execution_id uuid NOT NULL,
    held_until_ms bigint,
    PRIMARY KEY (partition_key, flow_id, execution_id)
);

CREATE INDEX ff_cancel_backlog_member_execution
    ON ff_cancel_backlog_member (execution_id, partition_key);

-- An identity is taken before the commit, so a lower one may commit later. Readers go by the transaction,
-- and read of those only that are older than every one still running.
CREATE TABLE ff_completion_event (
    event_id bigint GENERATED BY DEFAULT AS IDENTITY,
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    partition_key smallint NOT NULL,
    execution_id uuid NOT NULL,
    flow_id uuid,
    outcome text COLLATE "C" NOT NULL,
    occurred_at_ms bigint NOT NULL,
    namespace text COLLATE "C" NOT NULL DEFAULT 'default',
    instance_tag text,
    PRIMARY KEY (transaction_id, event_id)
);

CREATE INDEX ff_completion_event_execution ON ff_completion_event (execution_id, partition_key);

CREATE TABLE ff_lease_event (
    event_id bigint GENERATED BY DEFAULT AS IDENTITY,
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    partition_key smallint NOT NULL,
    execution_id text COLLATE "C" NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    occurred_at_ms bigint NOT NULL,
    namespace text COLLATE "C" NOT NULL DEFAULT 'default',
    instance_tag text,
    PRIMARY KEY (transaction_id, event_id)
);

CREATE INDEX ff_lease_event_execution ON ff_lease_event (execution_id, partition_key);

CREATE TABLE ff_operator_event (
    event_id bigint GENERATED BY DEFAULT AS IDENTITY,
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    partition_key smallint NOT NULL,
    execution_id text COLLATE "C" NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    details jsonb,
    occurred_at_ms bigint NOT NULL,
    namespace text COLLATE "C" NOT NULL DEFAULT 'default',
    instance_tag text,
    PRIMARY KEY (transaction_id, event_id)
);

CREATE INDEX ff_operator_event_execution ON ff_operator_event (execution_id, partition_key);

CREATE TABLE ff_worker_registry (
    namespace text COLLATE "C" NOT NULL,
    worker_instance_id text COLLATE "C" NOT NULL,
    worker_id text COLLATE "C" NOT NULL,
    lanes text[] COLLATE "C" NOT NULL DEFAULT '{}',
    capabilities text[] COLLATE "C" NOT NULL DEFAULT '{}',
    last_heartbeat_ms bigint NOT NULL,
    liveness_ttl_ms bigint NOT NULL,
    registered_at_ms bigint NOT NULL,
    PRIMARY KEY (namespace, worker_instance_id)
);

CREATE INDEX ff_worker_registry_instance ON ff_worker_registry (worker_instance_id, namespace);

CREATE TABLE ff_worker_registry_event (
    event_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    namespace text COLLATE "C" NOT NULL,
    worker_instance_id text COLLATE "C" NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    reason text,
    occurred_at_ms bigint NOT NULL
);

CREATE INDEX ff_worker_registry_event_instance
    ON ff_worker_registry_event (namespace, worker_instance_id, event_id);

CREATE TABLE ff_lane (
    lane_id text COLLATE "C" NOT NULL PRIMARY KEY,
    state text COLLATE "C" NOT NULL DEFAULT 'active'
);

CREATE TABLE ff_namespace (
    namespace text COLLATE "C" NOT NULL PRIMARY KEY,
    retention_ms bigint
);

-- Whether the rules can read the row, as far as a claim must know before it takes one: its statement
-- leaves no time to ask them. It is one expression, so that the planner puts it in the caller's place.
CREATE FUNCTION ff_is_readable(e ff_exec_core) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT e.attempt_index BETWEEN 0 AND 2147483646
        AND e.retry_count BETWEEN 0 AND 2147483646
        AND e.reclaim_count BETWEEN 0 AND 2147483646
        AND e.ownership_state IN ('unowned', 'leased')
        AND e.attempt_state IN (
            'pending', 'initial', 'running_attempt', 'attempt_interrupted', 'pending_retry_attempt',
            'pending_replay_attempt', 'attempt_terminal'
        )
        AND e.public_state IN (
            'waiting', 'pending', 'delayed', 'rate_limited', 'waiting_children', 'running', 'claimed',
            'suspended', 'resumable', 'completed', 'failed', 'cancelled', 'expired', 'skipped'
        )
        AND jsonb_typeof(e.tags) = 'object'
        AND NOT jsonb_path_exists(e.tags, 'strict $.* ? (@.type() != "string")')
        AND (e.policy IS NULL OR jsonb_typeof(e.policy) = 'object')
        AND jsonb_typeof(e.raw_fields) = 'object'
        AND CASE
            WHEN NOT e.raw_fields ? 'replay_count' THEN true
            WHEN e.raw_fields ->> 'replay_count' ~ '^[0-9]{1,10}$'
                THEN jsonb_typeof(e.raw_fields -> 'replay_count') = 'number'
                    AND (e.raw_fields ->> 'replay_count')::bigint < 4294967296
            ELSE false
        END
$$;
