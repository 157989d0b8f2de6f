-- Tokens of devices and addresses that more than one user logs in with: how many users, and how often.
CREATE VIEW logins.shared_devices AS
SELECT 'device' AS of, masked_device_id AS token, count(DISTINCT user_id) AS num_users, count(*) AS num_logins
FROM logins.user_logins
GROUP BY masked_device_id
HAVING count(DISTINCT user_id) > 1
UNION ALL
SELECT 'ip', masked_ip, count(DISTINCT user_id), count(*)
FROM logins.user_logins
GROUP BY masked_ip
HAVING count(DISTINCT user_id) > 1;
