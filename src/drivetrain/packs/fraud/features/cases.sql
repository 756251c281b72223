-- The payments to judge: those whose outcome is known by now, and not the first week, whose windows are not whole.
SELECT
    payment,
    paid_at,
    fraud
FROM payments
WHERE known_at <= (SELECT max(paid_at) FROM payments)
    AND paid_at < (SELECT max(paid_at) FROM payments) - INTERVAL 10 DAYS
    AND paid_at >= (SELECT min(paid_at) FROM payments) + INTERVAL 7 DAYS
