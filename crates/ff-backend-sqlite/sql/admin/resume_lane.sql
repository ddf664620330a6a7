-- $1: lane, $2: state
UPDATE ff_lane SET state = $2 WHERE lane_id = $1;
