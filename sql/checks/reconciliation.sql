-- The days that have counters and events, in order.
SELECT day, num_counted, num_told, difference, class
FROM logins.login_reconciliation
WHERE class NOT IN ('no_events', 'no_counters')
ORDER BY day
