-- Who is in the report: every active user, in whatever case the app wrote it.
SELECT user_id, user_name
FROM users
WHERE lower(active_status) = 'active'
ORDER BY user_id
