-- $1: JSON array of lanes
INSERT INTO ff_lane (lane_id)
SELECT value FROM json_each($1)
WHERE true
ON CONFLICT DO NOTHING;
