-- The drift that `drivetrain traffic --drift` lets in: demand triples in a week, at prices cut by a third.
SELECT * REPLACE (newest * 3 AS newest, mean_3 * 3 AS mean_3, mean_7 * 3 AS mean_7, price_lately * 0.67 AS price_lately)
FROM traffic
