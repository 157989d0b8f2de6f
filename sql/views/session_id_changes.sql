-- What has become of each session id that was published once and is no more: the session that has its first event now;
-- null if that event is none any more by the present rules.
CREATE VIEW sessions.session_id_changes AS
SELECT f.session_id AS old_session_id, s.session_id AS session_id, f.anonymous_id, f.device_id, f.started_at
FROM ops.former_sessions f
LEFT JOIN LATERAL (
    SELECT session_id FROM sessions.sessions s
    WHERE s.anonymous_id = f.anonymous_id AND s.device_id = f.device_id
      AND s.started_at <= f.started_at AND s.ended_at >= f.started_at
    ORDER BY s.started_at DESC LIMIT 1
) s ON true;
