-- $1: lanes, $2: capabilities, $3: now, $4: limit; arrays of who claims: $5: workers, $6: worker instances,
-- $7: lease expiries; $8: instance tag; arrays of queues to pass by: $9: lanes, $10: hashes; due ones are passed
-- by with null; arrays of the queues to take from and where they begin, null to look for them: $11: lanes,
-- $12: hashes, $13: negated priorities, $14: creation times, $15: executions; $16: array of what the first of
-- those who claim does not get, then the first two, and so on, counted from 1
-- Nearly every row passes what a CASE asks, which the planner would not believe of its parts: it would
-- read and sort the whole queue instead of following its index.
WITH RECURSIVE lanes AS MATERIALIZED (
    SELECT item.lane_id,
        pg_stat_get_xact_blocks_fetched('ff_exec_core_claimable'::regclass) AS blocks_before
    FROM (SELECT DISTINCT unnest($1::text[])) AS item (lane_id)
    WHERE NOT EXISTS (
        SELECT 1 FROM ff_lane AS l WHERE l.lane_id = item.lane_id AND l.state = 'paused'
    )
),
-- Each queue and the first that waits in it. What was claimed stays in the index until it is vacuumed, and is
-- walked past here.
queues (
    lane_id, required_set, required_capabilities, rank, created_at_ms, execution_id, found_at, blocks
) AS (
    SELECT lane.lane_id, head.*, clock_timestamp(),
        pg_stat_get_xact_blocks_fetched('ff_exec_core_claimable'::regclass)
    FROM lanes AS lane
    CROSS JOIN LATERAL (
        SELECT hash_array_extended(r.required_capabilities, 0), r.required_capabilities,
            -(r.priority::bigint), r.created_at_ms, r.execution_id
        FROM ff_exec_core AS r
        WHERE $11::text[] IS NULL
            AND r.lane_id = lane.lane_id
            AND r.lifecycle_phase IN ('submitted', 'runnable')
            AND r.eligibility_state = 'eligible_now'
        ORDER BY hash_array_extended(r.required_capabilities, 0), -(r.priority::bigint),
            r.created_at_ms, r.execution_id
        LIMIT 1
    ) AS head
    UNION ALL
    SELECT q.lane_id, head.*, clock_timestamp(),
        pg_stat_get_xact_blocks_fetched('ff_exec_core_claimable'::regclass)
    FROM queues AS q
    CROSS JOIN LATERAL (
        SELECT hash_array_extended(r.required_capabilities, 0), r.required_capabilities,
            -(r.priority::bigint), r.created_at_ms, r.execution_id
        FROM ff_exec_core AS r
        WHERE r.lane_id = q.lane_id
            AND hash_array_extended(r.required_capabilities, 0) > q.required_set
            AND r.lifecycle_phase IN ('submitted', 'runnable')
            AND r.eligibility_state = 'eligible_now'
        ORDER BY hash_array_extended(r.required_capabilities, 0), -(r.priority::bigint),
            r.created_at_ms, r.execution_id
        LIMIT 1
    ) AS head
),
takeable AS MATERIALIZED (
    SELECT q.lane_id, q.required_set, q.rank, q.created_at_ms, q.execution_id
    FROM queues AS q
    WHERE q.required_capabilities <@ $2::text[]
        AND NOT EXISTS (
            SELECT 1 FROM unnest($9::text[], $10::bigint[]) AS passed_by (lane_id, required_set)
            WHERE passed_by.lane_id = q.lane_id AND passed_by.required_set = q.required_set
        )
    UNION ALL
    SELECT known.lane_id, known.required_set, known.rank, known.created_at_ms, known.execution_id
    FROM unnest($11::text[], $12::bigint[], $13::bigint[], $14::bigint[], $15::uuid[])
        AS known (lane_id, required_set, rank, created_at_ms, execution_id)
    JOIN lanes USING (lane_id)
),
-- What is due is promoted soon: so many are enough to look at.
due AS MATERIALIZED (
    SELECT r.priority, r.created_at_ms, r.execution_id, r.partition_key
    FROM lanes AS lane
    CROSS JOIN LATERAL (
        SELECT e.priority, e.created_at_ms, e.execution_id, e.partition_key
        FROM ff_exec_core AS e
        WHERE array_position($9::text[], NULL) IS NULL
            AND e.lane_id = lane.lane_id
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
-- Queues are compared where there are several to take from.
several AS MATERIALIZED (
    SELECT count(*) > 1 OR EXISTS (SELECT FROM due) AS are_several FROM takeable
),
ready AS MATERIALIZED (
    SELECT queue.lane_id, queue.required_set, r.priority, r.created_at_ms, r.execution_id,
        r.partition_key
    FROM takeable AS queue
    CROSS JOIN LATERAL (
        SELECT e.priority, e.created_at_ms, e.execution_id, e.partition_key
        FROM ff_exec_core AS e
        WHERE (SELECT are_several FROM several)
            AND e.lane_id = queue.lane_id
            AND hash_array_extended(e.required_capabilities, 0) = queue.required_set
            AND (-(e.priority::bigint), e.created_at_ms, e.execution_id)
                >= (queue.rank, queue.created_at_ms, queue.execution_id)
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
        ORDER BY -(e.priority::bigint), e.created_at_ms, e.execution_id, e.partition_key
        LIMIT $4
    ) AS r
),
-- How many of the next ones stand in which queue: no more than these are locked, and those that another
-- claim has locked are made up for from the same queue.
shares AS MATERIALIZED (
    SELECT lane_id, required_set, count(*) AS share, count(*) AS at_least
    FROM (
        SELECT lane_id, required_set, priority, created_at_ms, execution_id, partition_key FROM ready
        UNION ALL
        SELECT NULL, NULL, priority, created_at_ms, execution_id, partition_key FROM due
        ORDER BY priority DESC, created_at_ms, execution_id, partition_key
        LIMIT $4
    ) AS next
    GROUP BY lane_id, required_set
    UNION ALL
    SELECT lane_id, required_set, $4, 0
    FROM takeable
    WHERE NOT (SELECT are_several FROM several)
),
picked_ready AS MATERIALIZED (
    SELECT queue.lane_id, queue.required_set, r.row_id, r.partition_key, r.execution_id, r.attempt_row_id,
        r.lease_epoch
    FROM shares AS share
    JOIN takeable AS queue USING (lane_id, required_set)
    CROSS JOIN LATERAL (
        SELECT e.ctid AS row_id, e.partition_key, e.execution_id, a.row_id AS attempt_row_id, a.lease_epoch
        FROM ff_exec_core AS e
        -- With an offset the planner cannot make it anything but a probe of the key.
        LEFT JOIN LATERAL (
            SELECT stored.ctid AS row_id, stored.lease_epoch
            FROM ff_attempt AS stored
            WHERE stored.partition_key = e.partition_key
                AND stored.execution_id = e.execution_id
                AND stored.attempt_index = e.attempt_index
            OFFSET 0
        ) AS a ON true
        WHERE e.lane_id = queue.lane_id
            AND hash_array_extended(e.required_capabilities, 0) = queue.required_set
            AND (-(e.priority::bigint), e.created_at_ms, e.execution_id)
                >= (queue.rank, queue.created_at_ms, queue.execution_id)
            AND e.lifecycle_phase IN ('submitted', 'runnable')
            AND e.eligibility_state = 'eligible_now'
            AND CASE
                WHEN e.required_capabilities <@ $2::text[] AND ff_is_readable(e)
                    THEN coalesce(a.lease_epoch, 0) BETWEEN 0 AND 9223372036854775806
            END
        ORDER BY -(e.priority::bigint), e.created_at_ms, e.execution_id, e.partition_key
        LIMIT share.share
        FOR NO KEY UPDATE OF e SKIP LOCKED
    ) AS r
),
picked_due AS MATERIALIZED (
    SELECT queue.lane_id, queue.required_set, r.row_id, r.partition_key, r.execution_id, r.attempt_row_id,
        r.lease_epoch
    FROM shares AS queue
    CROSS JOIN LATERAL (
        SELECT e.ctid AS row_id, e.partition_key, e.execution_id, a.row_id AS attempt_row_id, a.lease_epoch
        FROM due
        JOIN ff_exec_core AS e
            ON e.partition_key = ANY (ARRAY[due.partition_key])
            AND e.execution_id = due.execution_id
        LEFT JOIN LATERAL (
            SELECT stored.ctid AS row_id, stored.lease_epoch
            FROM ff_attempt AS stored
            WHERE stored.partition_key = e.partition_key
                AND stored.execution_id = e.execution_id
                AND stored.attempt_index = e.attempt_index
            OFFSET 0
        ) AS a ON true
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
    SELECT lane_id, required_set, row_id, partition_key, execution_id, attempt_row_id, lease_epoch
    FROM picked_ready
    UNION ALL
    SELECT lane_id, required_set, row_id, partition_key, execution_id, attempt_row_id, lease_epoch
    FROM picked_due
),
-- The rows are locked, so they stay where they are. One that changed just before it was locked is not seen
-- there, and left to the next look. Where the table has partitions, several rows are at one place.
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
    FROM (
        SELECT row_id, partition_key, execution_id, attempt_row_id, lease_epoch,
            width_bucket(row_number() OVER (), $16::bigint[]) + 1 AS claimer
        FROM picked
    ) AS picked
    WHERE e.ctid = picked.row_id
        AND e.partition_key = picked.partition_key
        AND e.execution_id = picked.execution_id
    RETURNING
        e.partition_key, e.execution_id, e.lane_id, e.namespace, e.execution_kind, e.payload,
        e.payload_encoding, e.tags, e.policy, e.attempt_index, e.priority, e.created_at_ms,
        picked.claimer, picked.attempt_row_id, picked.lease_epoch AS epoch_before,
        coalesce(picked.lease_epoch, 0) + 1 AS lease_epoch
),
first_leased AS (
    INSERT INTO ff_attempt (
        partition_key, execution_id, attempt_index, worker_id, worker_instance_id, lease_epoch,
        lease_expires_at_ms, started_at_ms
    )
    SELECT partition_key, execution_id, attempt_index, ($5::text[])[claimer],
        ($6::text[])[claimer], lease_epoch, ($7::bigint[])[claimer], $3
    FROM claimed
    WHERE epoch_before IS NULL
),
-- Where it was found: nobody changes the attempt of an execution that waits. By its key the planner reads all
-- attempts as long as it believes that there are none.
leased_again AS (
    UPDATE ff_attempt AS a
    SET worker_id = ($5::text[])[c.claimer],
        worker_instance_id = ($6::text[])[c.claimer],
        lease_epoch = c.lease_epoch,
        lease_expires_at_ms = ($7::bigint[])[c.claimer],
        started_at_ms = $3,
        terminal_at_ms = NULL,
        outcome = NULL,
        error = NULL,
        progress = NULL
    FROM claimed AS c
    WHERE c.epoch_before IS NOT NULL
        AND a.ctid = c.attempt_row_id
        AND a.partition_key = c.partition_key
        AND a.execution_id = c.execution_id
        AND a.attempt_index = c.attempt_index
),
acquired AS (
    INSERT INTO ff_lease_event (
        partition_key, execution_id, event_type, occurred_at_ms, namespace, instance_tag
    )
    SELECT partition_key, execution_id::text, 'acquired', $3, namespace, tags ->> $8
    FROM claimed
)
SELECT
    'claimed' AS what, c.partition_key, c.execution_id, c.lane_id, c.namespace, c.execution_kind,
    c.payload, c.payload_encoding, c.tags::text AS tags, c.policy::text AS policy, c.attempt_index,
    c.lease_epoch, c.priority, c.created_at_ms, c.claimer, NULL::bigint AS required_set,
    NULL::bigint AS rank, NULL::bigint AS searched_us
FROM claimed AS c
UNION ALL
-- Queues in which others were faster.
SELECT
    'short', NULL, NULL, s.lane_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    s.required_set, NULL, NULL
FROM shares AS s
WHERE s.at_least > (
    SELECT count(*) FROM picked AS p
    WHERE p.lane_id IS NOT DISTINCT FROM s.lane_id
        AND p.required_set IS NOT DISTINCT FROM s.required_set
)
UNION ALL
SELECT
    'changed', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL
WHERE (SELECT count(*) FROM picked) > (SELECT count(*) FROM claimed)
UNION ALL
-- Where the queues begin, when it took more than a few pages of the index to find out.
SELECT
    'head', NULL, q.execution_id, q.lane_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    q.created_at_ms, NULL, q.required_set, q.rank, search.took_us
FROM takeable AS q
CROSS JOIN (
    SELECT max(blocks) - (SELECT min(blocks_before) FROM lanes) AS blocks,
        (extract(epoch FROM max(found_at) - statement_timestamp()) * 1000000)::bigint AS took_us
    FROM queues
) AS search
WHERE search.blocks > 32
ORDER BY priority DESC, created_at_ms, execution_id, partition_key;
