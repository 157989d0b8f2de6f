-- How far visits got, by business day: each step counts the visits that had it or a later one, so that it only falls.
CREATE VIEW sessions.funnel_by_day AS
SELECT business_day,
       count(*) AS num_visits,
       count(*) FILTER (WHERE reached >= 1) AS num_opened,
       count(*) FILTER (WHERE reached >= 2) AS num_looked,
       count(*) FILTER (WHERE reached >= 3) AS num_found,
       count(*) FILTER (WHERE reached >= 4) AS num_booked,
       count(*) FILTER (WHERE reached >= 5) AS num_started,
       count(*) FILTER (WHERE has_end) AS num_done
FROM (
    SELECT business_day,
           coalesce(array_position(ARRAY['opened', 'looked', 'found', 'booked', 'started', 'done'], furthest_step), 0)
               AS reached,
           reason IN ('ride_done', 'start_not_seen') AS has_end
    FROM sessions.sessions
    WHERE verdict <> 'continued'
) AS visits
GROUP BY 1;
