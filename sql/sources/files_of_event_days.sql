-- Which files hold events of which day, and how many; a file that was delivered on several days counts once.
SELECT DISTINCT e.event_day, e.evidence_id, e.num_events
FROM sessions.delivered_events e
JOIN ops.deliveries d ON d.kind = 'mobile_events' AND d.evidence_id = e.evidence_id AND d.day = e.day
