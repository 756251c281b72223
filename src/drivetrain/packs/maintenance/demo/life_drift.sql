-- The drift of the two projects on machines that fail: `cp demo/life_drift.sql demo/drift.sql`, then
-- `drivetrain traffic --drift`. Sensor s11 was replaced by one that reads 1 higher.
SELECT * REPLACE (
    s11 + 1 AS s11,
    s11_5 + 1 AS s11_5,
    s11_15 + 1 AS s11_15,
    s11_30 + 1 AS s11_30
)
FROM traffic
