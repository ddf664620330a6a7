-- Arrays: $1: partitions, $2: executions, $3: lanes, $4: lifecycle phases, $5: ownership states,
-- $6: eligibility states, $7: public states, $8: attempt states, $9: priorities, $10: creation times,
-- $11: eligible times, $12: deadlines, $13: payloads, $14: policies, $15: namespaces, $16: kinds,
-- $17: creators, $18: payload encodings, $19: tags, $20: idempotency keys, $21: required capabilities;
-- $22: whether new lanes are noted, for which others that note them wait until this transaction ends
WITH item AS MATERIALIZED (
    SELECT *
    FROM unnest(
        $1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bytea[],
        $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[],
        $21::text[]
    ) AS item (
        partition_key, execution_id, lane_id, lifecycle_phase, ownership_state, eligibility_state,
        public_state, attempt_state, priority, created_at_ms, eligible_at_ms, deadline_at_ms, payload,
        policy, namespace, execution_kind, creator_identity, payload_encoding, tags, idempotency_key,
        required_capabilities
    )
),
created AS (
    INSERT INTO ff_exec_core (
        partition_key, execution_id, lane_id, lifecycle_phase, ownership_state, eligibility_state,
        public_state, attempt_state, priority, created_at_ms, eligible_at_ms, deadline_at_ms, payload,
        policy, namespace, execution_kind, creator_identity, payload_encoding, tags,
        required_capabilities
    )
    SELECT
        item.partition_key,
        item.execution_id,
        item.lane_id,
        item.lifecycle_phase,
        item.ownership_state,
        item.eligibility_state,
        item.public_state,
        item.attempt_state,
        item.priority,
        item.created_at_ms,
        item.eligible_at_ms,
        item.deadline_at_ms,
        item.payload,
        item.policy::jsonb,
        item.namespace,
        item.execution_kind,
        item.creator_identity,
        item.payload_encoding,
        item.tags::jsonb,
        ARRAY(SELECT jsonb_array_elements_text(item.required_capabilities::jsonb))
    FROM item
    WHERE item.idempotency_key IS NULL
        OR NOT EXISTS (
            SELECT 1 FROM ff_idempotency AS k
            WHERE k.namespace = ANY (ARRAY[item.namespace])
                AND k.lane_id = item.lane_id
                AND k.idempotency_key = item.idempotency_key
        )
    ORDER BY item.execution_id, item.partition_key
    ON CONFLICT (partition_key, execution_id) DO NOTHING
    RETURNING partition_key, execution_id, lane_id
),
-- A key that another transaction takes at the same time breaks the statement, which is then run again.
keyed AS (
    INSERT INTO ff_idempotency (namespace, lane_id, idempotency_key, partition_key, execution_id)
    SELECT item.namespace, item.lane_id, item.idempotency_key, item.partition_key, item.execution_id
    FROM item
    -- In a CASE it is looked up in a hash table, and not by going through all that was created.
    WHERE CASE
        WHEN item.idempotency_key IS NOT NULL
            THEN (item.partition_key, item.execution_id) IN (
                SELECT c.partition_key::bigint, c.execution_id FROM created AS c
            )
    END
    ORDER BY item.namespace, item.lane_id, item.idempotency_key
),
lanes AS (
    INSERT INTO ff_lane (lane_id)
    SELECT new.lane_id
    FROM (SELECT DISTINCT c.lane_id FROM created AS c) AS new
    WHERE $22 AND NOT EXISTS (SELECT 1 FROM ff_lane AS l WHERE l.lane_id = new.lane_id)
    ORDER BY new.lane_id
    ON CONFLICT DO NOTHING
)
SELECT partition_key, execution_id FROM created;
