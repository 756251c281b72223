-- The rows to predict: every machine that ran to its failure at every cycle, and the newest cycle of the others.
-- Beyond 125 cycles nothing points to a failure yet, so more than that counts as 125.
WITH newest AS (
    SELECT *, max(cycle) OVER (PARTITION BY unit) AS last_cycle FROM readings
)
SELECT
    unit || '/' || cycle AS machine_cycle,
    unit,
    cycle,
    fleet = 'held' AS is_held,
    least(CASE fleet WHEN 'ran' THEN last_cycle - cycle WHEN 'held' THEN "left" END, 125) AS cycles_left
FROM newest
WHERE fleet = 'ran' OR cycle = last_cycle
