-- Visits and bookings by business day and city; beside them what the plain reading would count. A session that only holds
-- the end of an earlier session's ride is no visit of its own.
CREATE VIEW sessions.bookings_by_day_and_city AS
SELECT business_day,
       coalesce(zone, '(unknown)') AS city,
       count(*) FILTER (WHERE verdict <> 'continued') AS num_visits,
       count(*) FILTER (WHERE verdict NOT IN ('continued', 'no_intent')) AS num_looking,
       count(*) FILTER (WHERE verdict = 'booked') AS num_booked,
       count(*) FILTER (WHERE plain_booked) AS num_plain_booked,
       sum(num_rides)::bigint AS num_rides,
       count(*) FILTER (WHERE is_open) AS num_open
FROM sessions.sessions
GROUP BY 1, 2;
