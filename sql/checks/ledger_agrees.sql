-- Batches among the last 1,000 whose own sums are not those of their lines in the ledger.
WITH last_batches AS (
    SELECT * FROM ops.message_batches WHERE settled_at IS NOT NULL ORDER BY batch_id DESC LIMIT 1000
), lines AS (
    SELECT batch_id, count(*) AS num_messages,
           count(*) FILTER (WHERE outcome = 'stored') AS num_stored,
           count(*) FILTER (WHERE outcome = 'duplicate') AS num_duplicate,
           count(*) FILTER (WHERE outcome = 'conflicting') AS num_conflicting,
           count(*) FILTER (WHERE outcome = 'rejected') AS num_rejected
    FROM ops.message_ledger
    WHERE batch_id >= (SELECT min(batch_id) FROM last_batches)
    GROUP BY batch_id
)
SELECT b.batch_id
FROM last_batches b
LEFT JOIN lines l USING (batch_id)
WHERE (b.num_messages, b.num_stored, b.num_duplicate, b.num_conflicting, b.num_rejected)
      IS DISTINCT FROM (l.num_messages, l.num_stored, l.num_duplicate, l.num_conflicting, l.num_rejected)
ORDER BY 1
