-- The counters of some months, and those of their years whose month cannot be read: nobody may lose them without a word.
SELECT user_type, user_id, year, month, num_logins, device, d_last_accessed
FROM monthly_login_aggregates
WHERE year || '-' || month = ANY (%(months)s)
   OR (year = ANY (%(years)s) AND month !~ '^(0[1-9]|1[0-2])$'
       AND (btrim(month) !~ '^(0?[1-9]|1[0-2])$' OR year || '-' || lpad(btrim(month), 2, '0') = ANY (%(months)s)))
