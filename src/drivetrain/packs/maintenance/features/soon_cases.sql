-- The rows to predict: every machine at every cycle. Machines that ran to their failure say whether it came within 30
-- cycles, and how many were left. All others are open: nobody learns from them, and they are scored.
WITH newest AS (
    SELECT *, max(cycle) OVER (PARTITION BY unit) AS last_cycle FROM readings
)
SELECT
    unit || '/' || cycle AS machine_cycle,
    unit,
    cycle,
    CASE WHEN fleet = 'ran' THEN last_cycle - cycle END AS cycles_left,
    CASE WHEN fleet = 'ran' THEN last_cycle - cycle <= 30 END AS fails_soon
FROM newest
