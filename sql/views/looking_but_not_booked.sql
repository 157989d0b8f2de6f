-- Visits of users who wanted a ride and got none, by business day, city and reason.
CREATE VIEW sessions.looking_but_not_booked AS
SELECT business_day, coalesce(zone, '(unknown)') AS city, reason, count(*) AS num_visits
FROM sessions.sessions
WHERE verdict IN ('failed', 'out_of_zone', 'abandoned', 'looked')
GROUP BY 1, 2, 3;
