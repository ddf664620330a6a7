-- $1: lanes, $2: capabilities, $3: now, $4: limit, $5: worker, $6: worker instance, $7: lease expiry,
-- $8: instance tag
-- Nearly every row passes what a CASE asks, which the planner would not believe of its parts: it would
-- read and sort the whole queue instead of following its index.
WITH RECURSIVE lanes AS MATERIALIZED (
    SELECT DISTINCT item.lane_id
    FROM unnest($1::text[]) AS item (lane_id)
    WHERE NOT EXISTS (
        SELECT 1 FROM ff_lane AS l WHERE l.lane_id = item.lane_id AND l.state = 'paused'
    )
),
queues (lane_id, required_set, required_capabilities) AS (
    SELECT lane.lane_id, head.required_set, head.required_capabilities
    FROM lanes AS lane
    CROSS JOIN LATERAL (
        SELECT hash_array_extended(r.required_capabilities, 0) AS required_set,
            r.required_capabilities
        FROM ff_exec_core AS r
        WHERE r.lane_id = lane.lane_id
            AND r.lifecycle_phase IN ('submitted', 'runnable')
            AND r.eligibility_state = 'eligible_now'
        ORDER BY hash_array_extended(r.required_capabilities, 0)
        LIMIT 1
    ) AS head
    UNION ALL
    SELECT q.lane_id, head.required_set, head.required_capabilities
    FROM queues AS q
    CROSS JOIN LATERAL (
        SELECT hash_array_extended(r.required_capabilities, 0) AS required_set,
            r.required_capabilities
        FROM ff_exec_core AS r
        WHERE r.lane_id = q.lane_id
            AND hash_array_extended(r.required_capabilities, 0) > q.required_set
            AND r.lifecycle_phase IN ('submitted', 'runnable')
            AND r.eligibility_state = 'eligible_now'
        ORDER BY hash_array_extended(r.required_capabilities, 0)
        LIMIT 1
    ) AS head
),
takeable AS (
    SELECT q.lane_id, q.required_set
    FROM queues AS q
    WHERE q.required_capabilities <@ $2::text[]
),
ready AS MATERIALIZED (
    SELECT queue.lane_id, queue.required_set, r.priority, r.created_at_ms, r.execution_id,
        r.partition_key
    FROM takeable AS queue
    CROSS JOIN LATERAL (
        SELECT e.priority, e.created_at_ms, e.execution_id, e.partition_key
        FROM ff_exec_core AS e
        WHERE e.lane_id = queue.lane_id
            AND hash_array_extended(e.required_capabilities, 0) = queue.required_set
            AND e.lifecycle_phase IN ('submitted', 'runnable')
            AND e.eligibility_state = 'eligible_now'
            AND CASE
                WHEN e.required_capabilities <@ $2::text[] AND ff_is_readable(e)
                    THEN coalesce((
                        SELECT a.lease_epoch BETWEEN 0 AND 9223372036854775806
                        FROM ff_attempt AS a
                        WHERE a.partition_key = e.partition_key
                            AND a.execution_id = e.execution_id
                            AND a.attempt_index = e.attempt_index
                    ), true)
            END
        ORDER BY e.priority DESC, e.created_at_ms, e.execution_id, e.partition_key
        LIMIT $4
    ) AS r
),
-- What is due is promoted soon: so many are enough to look at.
due AS MATERIALIZED (
    SELECT r.priority, r.created_at_ms, r.execution_id, r.partition_key
    FROM lanes AS lane
    CROSS JOIN LATERAL (
        SELECT e.priority, e.created_at_ms, e.execution_id, e.partition_key
        FROM ff_exec_core AS e
        WHERE e.lane_id = lane.lane_id
            AND e.lifecycle_phase IN ('submitted', 'runnable')
            AND e.eligibility_state = 'not_eligible_until_time'
            AND e.eligible_at_ms <= $3
            AND CASE
                WHEN e.required_capabilities <@ $2::text[] AND ff_is_readable(e)
                    THEN coalesce((
                        SELECT a.lease_epoch BETWEEN 0 AND 9223372036854775806
                        FROM ff_attempt AS a
                        WHERE a.partition_key = e.partition_key
                            AND a.execution_id = e.execution_id
                            AND a.attempt_index = e.attempt_index
                    ), true)
            END
        ORDER BY e.lane_id, e.eligible_at_ms
        LIMIT greatest($4, 1000)
    ) AS r
),
-- How many of the next ones stand in which queue: no more than these are locked, and those that another
-- claim has locked are made up for from the same queue.
shares AS (
    SELECT lane_id, required_set, count(*) AS share
    FROM (
        SELECT lane_id, required_set, priority, created_at_ms, execution_id, partition_key FROM ready
        UNION ALL
        SELECT NULL, NULL, priority, created_at_ms, execution_id, partition_key FROM due
        ORDER BY priority DESC, created_at_ms, execution_id, partition_key
        LIMIT $4
    ) AS next
    GROUP BY lane_id, required_set
),
picked_ready AS MATERIALIZED (
    SELECT r.partition_key, r.execution_id
    FROM shares AS queue
    CROSS JOIN LATERAL (
        SELECT e.partition_key, e.execution_id
        FROM ff_exec_core AS e
        WHERE e.lane_id = queue.lane_id
            AND hash_array_extended(e.required_capabilities, 0) = queue.required_set
            AND e.lifecycle_phase IN ('submitted', 'runnable')
            AND e.eligibility_state = 'eligible_now'
            AND CASE
                WHEN e.required_capabilities <@ $2::text[] AND ff_is_readable(e)
                    THEN coalesce((
                        SELECT a.lease_epoch BETWEEN 0 AND 9223372036854775806
                        FROM ff_attempt AS a
                        WHERE a.partition_key = e.partition_key
                            AND a.execution_id = e.execution_id
                            AND a.attempt_index = e.attempt_index
                    ), true)
            END
        ORDER BY e.priority DESC, e.created_at_ms, e.execution_id, e.partition_key
        LIMIT queue.share
        FOR NO KEY UPDATE OF e SKIP LOCKED
    ) AS r
),
picked_due AS MATERIALIZED (
    SELECT r.partition_key, r.execution_id
    FROM shares AS queue
    CROSS JOIN LATERAL (
        SELECT e.partition_key, e.execution_id
        FROM due
        JOIN ff_exec_core AS e
            ON e.partition_key = due.partition_key AND e.execution_id = due.execution_id
        -- Looked at again once the row is locked. Written so that no index but the key's serves it.
        WHERE queue.lane_id IS NULL
            AND coalesce(e.lifecycle_phase) IN ('submitted', 'runnable')
            AND coalesce(e.eligibility_state) = 'not_eligible_until_time'
            AND coalesce(e.eligible_at_ms) <= $3
        ORDER BY due.priority DESC, due.created_at_ms, due.execution_id, due.partition_key
        LIMIT queue.share
        FOR NO KEY UPDATE OF e SKIP LOCKED
    ) AS r
),
picked AS (
    SELECT partition_key, execution_id FROM picked_ready
    UNION ALL
    SELECT partition_key, execution_id FROM picked_due
),
claimed AS (
    UPDATE ff_exec_core AS e
    SET lifecycle_phase = 'active',
        ownership_state = 'leased',
        eligibility_state = 'not_applicable',
        public_state = 'running',
        attempt_state = 'running_attempt',
        blocking_reason = NULL,
        eligible_at_ms = NULL,
        started_at_ms = coalesce(e.started_at_ms, $3)
    FROM picked
    WHERE e.partition_key = picked.partition_key AND e.execution_id = picked.execution_id
    RETURNING
        e.partition_key, e.execution_id, e.lane_id, e.namespace, e.execution_kind, e.payload,
        e.payload_encoding, e.tags, e.policy, e.attempt_index, e.priority, e.created_at_ms
),
leased AS (
    INSERT INTO ff_attempt AS a (
        partition_key, execution_id, attempt_index, worker_id, worker_instance_id, lease_epoch,
        lease_expires_at_ms, started_at_ms
    )
    SELECT partition_key, execution_id, attempt_index, $5, $6, 1, $7, $3
    FROM claimed
    ON CONFLICT (partition_key, execution_id, attempt_index) DO UPDATE
    SET worker_id = excluded.worker_id,
        worker_instance_id = excluded.worker_instance_id,
        lease_epoch = a.lease_epoch + 1,
        lease_expires_at_ms = excluded.lease_expires_at_ms,
        started_at_ms = excluded.started_at_ms,
        terminal_at_ms = NULL,
        outcome = NULL,
        error = NULL,
        progress = NULL
    RETURNING a.partition_key, a.execution_id, a.lease_epoch
),
acquired AS (
    INSERT INTO ff_lease_event (
        partition_key, execution_id, event_type, occurred_at_ms, namespace, instance_tag
    )
    SELECT partition_key, execution_id::text, 'acquired', $3, namespace, tags ->> $8
    FROM claimed
)
SELECT
    look.is_short, c.partition_key, c.execution_id, c.lane_id, c.namespace, c.execution_kind,
    c.payload, c.payload_encoding, c.tags::text AS tags, c.policy::text AS policy,
    c.attempt_index, l.lease_epoch
FROM (
    SELECT coalesce(sum(share), 0) > (SELECT count(*) FROM picked) AS is_short FROM shares
) AS look
LEFT JOIN (
    claimed AS c
    JOIN leased AS l ON l.partition_key = c.partition_key AND l.execution_id = c.execution_id
) ON true
WHERE look.is_short OR c.execution_id IS NOT NULL
ORDER BY c.priority DESC, c.created_at_ms, c.execution_id, c.partition_key;
