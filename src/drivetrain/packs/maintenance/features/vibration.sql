-- The last hour beside the unit's own last day and week, so that a unit that always shakes more is not odd for that.
-- The windows look back only, so they are the same on a unit that still runs.
WITH looked_back AS (
    SELECT
        unit_id || '/' || strftime(time, '%Y-%m-%dT%H:%M') AS reading,
        vibration,
        avg(vibration) OVER hour AS mean_hour,
        max(vibration) OVER hour AS most_hour,
        stddev_samp(vibration) OVER hour AS unrest_hour,
        avg(vibration) OVER day AS mean_day,
        max(vibration) OVER day AS most_day,
        avg(vibration) OVER week AS mean_week,
        max(vibration) OVER week AS most_week
    FROM vibrations
    WINDOW
        hour AS (PARTITION BY unit_id ORDER BY time RANGE INTERVAL 50 MINUTES PRECEDING),
        day AS (PARTITION BY unit_id ORDER BY time RANGE INTERVAL 1 DAY PRECEDING),
        week AS (PARTITION BY unit_id ORDER BY time RANGE INTERVAL 7 DAYS PRECEDING)
)
SELECT
    reading,
    vibration / nullif(most_week, 0) AS now_of_week,
    mean_hour / nullif(most_week, 0) AS hour_of_week,
    most_hour / nullif(most_week, 0) AS peak_of_week,
    unrest_hour / nullif(most_week, 0) AS unrest_of_week,
    mean_day / nullif(mean_week, 0) AS day_of_week,
    most_day / nullif(most_week, 0) AS day_peak_of_week
FROM looked_back
