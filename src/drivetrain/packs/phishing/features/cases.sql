-- The websites to judge. The data has no name for a site, so it gets a number that its own signs decide.
SELECT
    row_number() OVER (ORDER BY md5(CAST(sites AS VARCHAR))) AS site,
    is_phishing = 1 AS phishing
FROM sites
