-- $1: executions. Of every ten in each of 20 lanes one runs, one has finished, one waits for its time, one
-- has a deadline, one needs a capability, and five just wait. A hundred are a flow, of which every fifth is
-- cancelled and waits for a worker. There is a worker of each of two namespaces to a hundred, and one more that
-- runs everything.
CREATE TEMP TABLE backlog AS
WITH RECURSIVE numbers (number) AS (
    SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number + 1 < $1
)
SELECT
    number,
    unhex(printf('%032x', number)) AS execution_id,
    'lane-' || (number / 10 % 20) AS lane_id,
    unhex(printf('f%031x', number / 100)) AS flow_id,
    number / 100 % 5 = 0 AS flow_is_cancelled,
    1700000000000 + number / 1000 AS created_at_ms,
    1800000000000 AS later_ms,
    number % 10 = 0 AS runs,
    number % 10 = 1 AS is_finished,
    number % 10 = 2 AS is_delayed,
    number % 10 = 3 AS has_deadline,
    number % 10 = 4 AS needs_gpu
FROM numbers;

INSERT INTO ff_exec_core (
    partition_key, execution_id, flow_id, lane_id, lifecycle_phase, ownership_state, eligibility_state,
    public_state, attempt_state, priority, created_at_ms, started_at_ms, terminal_at_ms,
    eligible_at_ms, deadline_at_ms, required_set
)
SELECT
    0,
    execution_id,
    flow_id,
    lane_id,
    CASE WHEN runs THEN 'active' WHEN is_finished THEN 'terminal' ELSE 'submitted' END,
    CASE WHEN runs THEN 'leased' ELSE 'unowned' END,
    CASE
        WHEN runs OR is_finished THEN 'not_applicable'
        WHEN is_delayed THEN 'not_eligible_until_time'
        ELSE 'eligible_now'
    END,
    CASE
        WHEN runs THEN 'running'
        WHEN is_finished THEN 'completed'
        WHEN is_delayed THEN 'delayed'
        ELSE 'waiting'
    END,
    CASE WHEN runs THEN 'running_attempt' WHEN is_finished THEN 'attempt_terminal' ELSE 'pending' END,
    number / 200 % 3,
    created_at_ms,
    CASE WHEN runs OR is_finished THEN created_at_ms END,
    CASE WHEN is_finished THEN created_at_ms END,
    CASE WHEN is_delayed THEN later_ms END,
    CASE WHEN has_deadline THEN later_ms END,
    CASE WHEN needs_gpu THEN '["gpu"]' ELSE '' END
FROM backlog;

INSERT INTO ff_attempt (
    partition_key, execution_id, attempt_index, worker_id, worker_instance_id, lease_epoch,
    lease_expires_at_ms, started_at_ms, terminal_at_ms, outcome
)
SELECT
    0, execution_id, 0, 'worker', 'instance', 1, CASE WHEN runs THEN later_ms END, created_at_ms,
    CASE WHEN is_finished THEN created_at_ms END, CASE WHEN is_finished THEN 'success' END
FROM backlog
WHERE runs OR is_finished;

INSERT INTO ff_execution_capabilities (execution_id, capability)
SELECT execution_id, 'gpu' FROM backlog WHERE needs_gpu;

INSERT INTO ff_idempotency (namespace, lane_id, idempotency_key, partition_key, execution_id)
SELECT 'default', lane_id, number, 0, execution_id FROM backlog;

INSERT INTO ff_lease_event (partition_key, execution_id, event_type, occurred_at_ms)
SELECT 0, lower(hex(execution_id)), 'acquired', created_at_ms FROM backlog;

INSERT INTO ff_completion_event (partition_key, execution_id, outcome, occurred_at_ms)
SELECT 0, execution_id, 'success', created_at_ms FROM backlog;

INSERT INTO ff_operator_event (partition_key, execution_id, event_type, occurred_at_ms)
SELECT 0, lower(hex(execution_id)), 'priority_changed', created_at_ms FROM backlog;

INSERT INTO ff_flow_core (partition_key, flow_id, public_flow_state, created_at_ms)
SELECT
    0,
    flow_id,
    CASE WHEN flow_is_cancelled THEN 'cancelled' WHEN number / 100 % 5 = 1 THEN 'open' ELSE 'completed' END,
    created_at_ms
FROM backlog
WHERE number % 100 = 0;

INSERT INTO ff_edge_group (partition_key, flow_id, downstream_eid, policy)
SELECT 0, flow_id, execution_id, '{}' FROM backlog WHERE number % 100 = 0;

INSERT INTO ff_cancel_backlog (partition_key, flow_id)
SELECT 0, flow_id FROM backlog WHERE number % 100 = 0 AND flow_is_cancelled;

INSERT INTO ff_cancel_backlog_member (partition_key, flow_id, execution_id)
SELECT 0, flow_id, execution_id FROM backlog WHERE runs AND flow_is_cancelled;

INSERT INTO ff_worker_registry (
    namespace, worker_instance_id, worker_id, last_heartbeat_ms, liveness_ttl_ms, registered_at_ms
)
SELECT namespace.value, 'instance-' || (number / 100), 'worker', later_ms, 30000, created_at_ms
FROM backlog
CROSS JOIN json_each('["default", "other"]') AS namespace
WHERE number % 100 = 0
UNION ALL
SELECT 'default', 'instance', 'worker', later_ms, 30000, created_at_ms
FROM backlog
WHERE number = 0;

INSERT INTO ff_worker_registry_event (namespace, worker_instance_id, event_type, occurred_at_ms)
SELECT 'default', 'instance-' || (number / 100), 'heartbeat', created_at_ms FROM backlog;

INSERT INTO ff_lane (lane_id) SELECT DISTINCT lane_id FROM backlog;
INSERT INTO ff_namespace (namespace, retention_ms) VALUES ('default', 1000000000000);

DROP TABLE backlog;
