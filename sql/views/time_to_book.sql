-- From opening the app to the first ride, and the ride itself, in seconds, by business day and city.
CREATE VIEW sessions.time_to_book AS
SELECT business_day,
       coalesce(zone, '(unknown)') AS city,
       count(ms_to_ride) AS num_rides,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY ms_to_ride) / 1000 AS median_seconds_to_ride,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY ms_to_ride) / 1000 AS p90_seconds_to_ride,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY ms_riding) / 1000 AS median_seconds_riding
FROM sessions.sessions
WHERE ms_to_ride IS NOT NULL
GROUP BY 1, 2;
