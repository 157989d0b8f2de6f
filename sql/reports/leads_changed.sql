-- Leads that were first listed in the window, or have read as they do only since a day of it.
SELECT lead_id, CASE WHEN first_seen_on >= :first_day THEN 'new' ELSE 'changed' END AS change,
       (updated_at AT TIME ZONE 'UTC')::date AS changed_on, company, city, state, phone, license_number, license_status,
       capacity
FROM leads.leads
WHERE first_seen_on <= :last_day AND (updated_at AT TIME ZONE 'UTC')::date BETWEEN :first_day AND :last_day
ORDER BY lead_id COLLATE "C"
