-- What is known of a department at the origin, for each of the four weeks after it, in swings. `last_year` is the same
-- week 52 weeks before, `growth` how the last weeks stand to theirs of a year ago. `is_holiday` follows the calendar (weeks
-- end on Fridays: Super Bowl, Labor Day, Thanksgiving, the end of the year), so it is known of weeks to come.
WITH weeks AS (
    SELECT CAST(Store AS VARCHAR) || '-' || CAST(Dept AS VARCHAR) AS department, CAST("Date" AS DATE) AS week, Weekly_Sales AS sold
    FROM sales
),
changes AS (SELECT *, sold - lag(sold) OVER (PARTITION BY department ORDER BY week) AS change FROM weeks),
past AS (
    SELECT department, week, sold,
        sqrt(avg(change * change) OVER (PARTITION BY department ORDER BY week)) AS swing,
        avg(sold) OVER (PARTITION BY department ORDER BY week ROWS 3 PRECEDING) AS mean_4,
        avg(sold) OVER (PARTITION BY department ORDER BY week ROWS 12 PRECEDING) AS mean_13,
        avg(sold) OVER (PARTITION BY department ORDER BY week ROWS 51 PRECEDING) AS mean_52,
        avg(sold) OVER (PARTITION BY department ORDER BY week ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS around
    FROM changes
),
ahead AS (
    SELECT p.*, h.step, CAST(p.week + 7 * h.step AS DATE) AS target_week
    FROM past p, (SELECT CAST(unnest(range(1, 5)) AS INTEGER) AS step) h
    WHERE p.swing > 0
)
SELECT a.department AS department, a.target_week AS target_week, a.week AS known, a.step AS step,
    a.sold / a.swing AS newest, a.mean_4 / a.swing AS mean_4, a.mean_13 / a.swing AS mean_13, a.mean_52 / a.swing AS mean_52,
    y.sold / a.swing AS last_year, y.around / a.swing AS last_year_around,
    day(a.target_week) BETWEEN 8 AND 14 AND month(a.target_week) = 2
        OR day(a.target_week) BETWEEN 5 AND 11 AND month(a.target_week) = 9
        OR day(a.target_week) BETWEEN 23 AND 29 AND month(a.target_week) = 11
        OR day(a.target_week) > 24 AND month(a.target_week) = 12 AS is_holiday,
    (a.mean_4 - b.mean_4) / a.swing AS growth, (a.mean_13 - b.mean_13) / a.swing AS slow_growth
FROM ahead a
LEFT JOIN past y ON y.department = a.department AND y.week = a.target_week - 364
LEFT JOIN past b ON b.department = a.department AND b.week = a.week - 364
