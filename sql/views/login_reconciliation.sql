-- Each day's logins by the counters beside those that the queue told of, and of which class the difference is. The class
-- is `agrees` where the events lie within the bounds of the counters.
CREATE VIEW logins.login_reconciliation AS
WITH counted AS (
    SELECT day, sum(num_logins)::bigint AS num_counted, sum(low)::bigint AS low,
           CASE WHEN bool_and(high IS NOT NULL) THEN sum(high)::bigint END AS high
    FROM logins.daily_logins
    GROUP BY day
), told AS (
    SELECT create_date AS day, count(*) AS num_told
    FROM logins.user_logins
    GROUP BY create_date
)
SELECT day, c.num_counted, c.low, c.high, t.num_told, t.num_told - c.num_counted AS difference,
       CASE
           WHEN t.num_told IS NULL THEN 'no_events'
           WHEN c.num_counted IS NULL THEN 'no_counters'
           WHEN t.num_told < c.low THEN 'events_missing'
           WHEN t.num_told > c.high THEN 'counters_missing'
           ELSE 'agrees'
       END AS class
FROM counted c
FULL JOIN told t USING (day);
