-- Lessons that a user completed on a day: the same lesson under two completion ids counts once.
SELECT user_id, completion_date AS day, count(DISTINCT lesson_id) AS num_lessons
FROM lesson_completion
WHERE completion_date BETWEEN :first_day AND :last_day
GROUP BY user_id, completion_date
ORDER BY user_id, completion_date
