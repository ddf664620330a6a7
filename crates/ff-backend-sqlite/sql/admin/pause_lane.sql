-- $1: lane, $2: state
INSERT INTO ff_lane (lane_id, state) VALUES ($1, $2)
ON CONFLICT (lane_id) DO UPDATE SET state = excluded.state;
