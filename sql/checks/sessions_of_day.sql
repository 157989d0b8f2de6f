-- The sessions that have a moment of a UTC day: those that start on it, and those that an earlier day's reach into it.
SELECT anonymous_id, device_id, started_at, ended_at, num_events
FROM sessions.sessions
WHERE day = $1 OR (ended_on > day AND day < $1 AND ended_on >= $1)
