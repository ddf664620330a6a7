-- Executions {from} to {to} over 20 lanes: seven of ten ready, one delayed, two finished but for two that
-- run, however many there are. Each ten are a flow, and all flows but a hundred have finished.
INSERT INTO ff_exec_core (
    partition_key, execution_id, flow_id, lane_id, lifecycle_phase, ownership_state, eligibility_state,
    public_state, attempt_state, priority, created_at_ms, started_at_ms, eligible_at_ms, terminal_at_ms,
    deadline_at_ms, execution_kind, payload, required_capabilities
)
SELECT
    n % 256,
    ('01890000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
    ('01890000-0000-7000-8000-' || lpad(to_hex(n / 10), 12, '0'))::uuid,
    'lane-' || (n / 10) % 20,
    CASE
        WHEN n % 10 < 7 THEN 'submitted'
        WHEN n % 10 = 7 THEN 'runnable'
        WHEN n IN (9, 1009) THEN 'active'
        ELSE 'terminal'
    END,
    CASE WHEN n IN (9, 1009) THEN 'leased' ELSE 'unowned' END,
    CASE
        WHEN n % 10 < 7 THEN 'eligible_now'
        WHEN n % 10 = 7 THEN 'not_eligible_until_time'
        ELSE 'not_applicable'
    END,
    CASE
        WHEN n % 10 < 7 THEN 'waiting'
        WHEN n % 10 = 7 THEN 'delayed'
        WHEN n IN (9, 1009) THEN 'running'
        ELSE 'completed'
    END,
    CASE
        WHEN n % 10 < 8 THEN 'pending'
        WHEN n IN (9, 1009) THEN 'running_attempt'
        ELSE 'attempt_terminal'
    END,
    n % 3,
    1600000000000 + n,
    CASE WHEN n % 10 >= 8 THEN 1600000000000 + n END,
    CASE WHEN n % 10 = 7 THEN 1800000000000 + n END,
    CASE WHEN n % 10 >= 8 AND n NOT IN (9, 1009) THEN 1600000000000 + n END,
    CASE WHEN n % 10 = 1 THEN 1900000000000 + n END,
    'kind',
    '{}',
    CASE WHEN n % 70 = 5 THEN ARRAY['gpu'] ELSE '{}' END
FROM generate_series({from}, {to}) AS n;

INSERT INTO ff_attempt (
    partition_key, execution_id, attempt_index, worker_id, worker_instance_id, lease_epoch,
    lease_expires_at_ms, started_at_ms, terminal_at_ms, outcome
)
SELECT
    partition_key, execution_id, 0, 'worker', 'instance', 1,
    CASE WHEN lifecycle_phase = 'active' THEN 1800000000000 END,
    started_at_ms,
    terminal_at_ms,
    -- The cancellation of a flow leaves none.
    CASE WHEN lifecycle_phase = 'terminal' AND terminal_at_ms % 20 <> 8 THEN 'success' END
FROM ff_exec_core
WHERE started_at_ms BETWEEN 1600000000000 + {from} AND 1600000000000 + {to};

INSERT INTO ff_completion_event (partition_key, execution_id, outcome, occurred_at_ms)
SELECT partition_key, execution_id, 'success', terminal_at_ms
FROM ff_exec_core
WHERE terminal_at_ms BETWEEN 1600000000000 + {from} AND 1600000000000 + {to};

INSERT INTO ff_lease_event (partition_key, execution_id, event_type, occurred_at_ms)
SELECT partition_key, execution_id::text, 'acquired', started_at_ms
FROM ff_exec_core
WHERE started_at_ms BETWEEN 1600000000000 + {from} AND 1600000000000 + {to};

INSERT INTO ff_idempotency (namespace, lane_id, idempotency_key, partition_key, execution_id)
SELECT 'default', lane_id, 'key-' || execution_id, partition_key, execution_id
FROM ff_exec_core
WHERE created_at_ms BETWEEN 1600000000000 + {from} AND 1600000000000 + {to}
ON CONFLICT DO NOTHING;

INSERT INTO ff_lane (lane_id) SELECT 'lane-' || n FROM generate_series(0, 19) AS n ON CONFLICT DO NOTHING;

INSERT INTO ff_flow_core (partition_key, flow_id, public_flow_state, created_at_ms)
SELECT
    n % 256,
    ('01890000-0000-7000-8000-' || lpad(to_hex(n / 10), 12, '0'))::uuid,
    CASE WHEN n <= 1000 THEN 'open' ELSE 'cancelled' END,
    1600000000000 + n
FROM generate_series({from}, {to}) AS n
WHERE n % 10 = 0;

INSERT INTO ff_worker_registry_event (namespace, worker_instance_id, event_type, occurred_at_ms)
SELECT 'default', 'instance-' || n % 100, 'heartbeat', 1600000000000 + n
FROM generate_series({from}, {to}) AS n;

INSERT INTO ff_worker_registry (
    namespace, worker_instance_id, worker_id, last_heartbeat_ms, liveness_ttl_ms, registered_at_ms
)
SELECT 'default', 'instance-' || n, 'worker', 1600000000000, 1000000000000000, 1600000000000
FROM generate_series(0, 99) AS n
ON CONFLICT DO NOTHING;

-- Cancelled flows whose members are gone: each call of a task takes a few off.
INSERT INTO ff_cancel_backlog (partition_key, flow_id)
SELECT flow, lpad(flow::text, 32, '0')::uuid FROM generate_series(0, 199) AS flow
ON CONFLICT DO NOTHING;

INSERT INTO ff_cancel_backlog_member (partition_key, flow_id, execution_id)
SELECT flow, lpad(flow::text, 32, '0')::uuid, gen_random_uuid()
FROM generate_series(0, 199) AS flow, generate_series(1, 50)
WHERE {from} = 1;
