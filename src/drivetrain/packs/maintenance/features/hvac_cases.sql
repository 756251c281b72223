-- The rows to judge: each reading with a week behind it. The newest eight days of a unit are held back.
-- Nobody wrote down a fault.
SELECT
    unit_id || '/' || strftime(time, '%Y-%m-%dT%H:%M') AS reading,
    time AS at,
    unit_id AS unit,
    unit_id || '/' || CAST(time AS DATE) AS unit_day,
    time >= max(time) OVER (PARTITION BY unit_id) - INTERVAL 8 DAY AS is_held,
    CAST(NULL AS BOOLEAN) AS faulty
FROM vibrations
QUALIFY time >= min(time) OVER (PARTITION BY unit_id) + INTERVAL 7 DAY
