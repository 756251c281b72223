-- The drift that `drivetrain demo --pack fraud` lets into its traffic: a ring pays at web shops from a few dozen
-- devices that all cards share, with amounts half again as large, and many checks fail.
SELECT * REPLACE (
    'web' AS channel,
    'farm-' || CAST(hash(payment) % 40 AS VARCHAR) AS device,
    amount * 1.5 AS amount,
    hash(payment) % 3 = 0 AS check_failed
)
FROM traffic
