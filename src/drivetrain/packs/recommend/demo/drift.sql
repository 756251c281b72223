-- The drift that `drivetrain traffic --drift` lets in: a new season. What sells is new, dear and bought by everybody,
-- so nothing goes with what was bought before.
SELECT * REPLACE (popular * 4 AS popular, popular_ever / 5 AS popular_ever, price * 2 AS price, goes_with / 3 AS goes_with)
FROM traffic
