-- How often the same user logged in from the same device and address on a day, by the tokens: nobody is exposed.
CREATE VIEW logins.repeated_logins AS
SELECT create_date, user_id, masked_device_id, masked_ip, count(*) AS num_logins,
       min(logged_in_at) AS first_at, max(logged_in_at) AS last_at
FROM logins.user_logins
GROUP BY create_date, user_id, masked_device_id, masked_ip
HAVING count(*) > 1;
