-- What the published days of a month make of each counter: it must be the counter itself.
SELECT user_id, device, sum(num_logins + correction)::bigint + sum(num_later) FILTER (WHERE day = $2)::bigint AS counted
FROM logins.daily_logins
WHERE day BETWEEN $1 AND $2
GROUP BY user_id, device
HAVING bool_or(day = $2)
