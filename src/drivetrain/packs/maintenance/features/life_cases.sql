-- The rows to predict: every machine at every cycle. Machines that ran to their failure say what was left at each cycle;
-- of those to judge by we know it at their newest. All others are open: nobody learns from them, and they are scored.
-- Beyond 125 cycles nothing points to a failure yet, so more than that counts as 125.
WITH newest AS (
    SELECT *, max(cycle) OVER (PARTITION BY unit) AS last_cycle FROM readings
)
SELECT
    unit || '/' || cycle AS machine_cycle,
    unit,
    cycle,
    fleet = 'held' AS is_held,
    CASE
        WHEN fleet = 'ran' THEN least(last_cycle - cycle, 125)
        WHEN fleet = 'held' AND cycle = last_cycle THEN least("left", 125)
    END AS cycles_left
FROM newest
