-- The rows to predict: sales of a department in each of the four weeks after an origin, in swings of the department
-- (its usual change from week to week). Origins lie four weeks apart and end with the data, from the second year on:
-- what the same week sold a year ago is known then. The weeks after the last origin are open.
WITH weeks AS (
    SELECT CAST(Store AS VARCHAR) || '-' || CAST(Dept AS VARCHAR) AS department, CAST("Date" AS DATE) AS week, Weekly_Sales AS sold
    FROM sales
),
span AS (SELECT max(week) AS last_week FROM weeks),
changes AS (SELECT *, sold - lag(sold) OVER (PARTITION BY department ORDER BY week) AS change FROM weeks),
origins AS (
    SELECT department, week AS origin,
        sqrt(avg(change * change) OVER (PARTITION BY department ORDER BY week)) AS swing,
        count(*) OVER (PARTITION BY department ORDER BY week) AS age
    FROM changes
)
SELECT o.department AS department, CAST(o.origin + 7 * h.step AS DATE) AS target_week, o.origin AS origin, o.swing AS swing,
    w.sold / o.swing AS demand
FROM origins o
CROSS JOIN span s
CROSS JOIN (SELECT CAST(unnest(range(1, 5)) AS INTEGER) AS step) h
LEFT JOIN weeks w ON w.department = o.department AND w.week = o.origin + 7 * h.step
WHERE (s.last_week - o.origin) % 28 = 0 AND o.age >= 53
