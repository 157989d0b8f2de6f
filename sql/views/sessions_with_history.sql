-- Sessions with the rides of the user before them, on the same day and ever. A late event may change the count of every
-- later session, so it is counted when it is asked for: with the index, a session costs one look at its user's rides.
CREATE VIEW sessions.sessions_with_history AS
SELECT s.*,
       s.num_rides_before_on_day + coalesce((
           SELECT sum(e.num_rides) FROM sessions.sessions e
           WHERE e.anonymous_id = s.anonymous_id AND e.started_at < s.started_at AND e.day < s.day
       ), 0)::bigint AS num_rides_before
FROM sessions.sessions s;
