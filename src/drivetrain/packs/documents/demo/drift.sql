-- The drift that `drivetrain demo --pack documents` lets into its traffic: a scanner that reads vowels wrongly.
SELECT * REPLACE (regexp_replace(text, '[aeo]', '0', 'g') AS text)
FROM traffic
