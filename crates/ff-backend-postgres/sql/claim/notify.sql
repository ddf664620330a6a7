-- $1: channel, $2: lanes
SELECT pg_notify($1, item.lane_id) FROM unnest($2::text[]) AS item (lane_id);
