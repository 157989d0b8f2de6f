-- Days with sessions that go on over midnight, and the last day that one of them reaches.
SELECT day, max(ended_on) AS reach FROM sessions.sessions WHERE ended_on > day GROUP BY day
