-- What its address says.
SELECT
    row_number() OVER (ORDER BY md5(CAST(sites AS VARCHAR))) AS site,
    https,
    is_popular,
    long_url,
    age_of_domain,
    ip_in_url
FROM sites
