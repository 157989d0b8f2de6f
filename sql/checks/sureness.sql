-- How many rows a day has, how many of them are exact, and from which snapshot on they are known.
SELECT day, count(*) AS num_rows, count(*) FILTER (WHERE status = 'exact') AS num_exact, max(to_snapshot) AS to_snapshot
FROM logins.daily_logins
WHERE day BETWEEN $2 AND $3 AND day = ANY (string_to_array($1, ',')::date[])
GROUP BY day
ORDER BY day
