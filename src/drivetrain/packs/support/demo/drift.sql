-- The drift of `drivetrain traffic --drift`: people write about something else, in words that nobody has learned from.
SELECT * REPLACE ('my train ticket to Malmö was not refunded, ' || md5(message) AS message)
FROM traffic
