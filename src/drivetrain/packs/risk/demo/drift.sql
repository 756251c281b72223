-- The drift that `drivetrain demo` lets into its traffic: a new channel reports income per year in thousands,
-- and brings younger borrowers who use more of their credit lines.
SELECT * REPLACE (
    monthly_income * 12 / 1000 AS monthly_income,
    GREATEST(18, age - 12) AS age,
    LEAST(1.0, revolving_utilization * 1.6) AS revolving_utilization
)
FROM traffic
