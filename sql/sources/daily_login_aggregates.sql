-- What the older job had summed up, all of it.
SELECT date, user_type, user_id, num_logins, device FROM daily_login_aggregates
