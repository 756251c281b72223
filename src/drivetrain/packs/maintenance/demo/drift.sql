-- The drift that `drivetrain traffic --drift` lets in: a sensor that was replaced reads 8 higher, and another one sticks.
SELECT * REPLACE (
    f1 + 8 AS f1,
    f3_less_f1 - 8 AS f3_less_f1,
    f7_less_f1 - 8 AS f7_less_f1,
    0 AS f5
)
FROM traffic
