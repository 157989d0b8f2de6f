-- How many rows a day has, how many of them are exact, and from which snapshot on they are known.
SELECT day, count(*) AS num_rows, count(*) FILTER (WHERE status = 'exact') AS num_exact, max(to_snapshot) AS to_snapshot
FROM logins.daily_logins
WHERE ops.is_among(day, $1)
GROUP BY day
ORDER BY day
