-- The drift that `drivetrain demo --pack phishing` lets into its traffic: phishing sites get certificates and short
-- addresses, so that what gave them away is gone.
SELECT * REPLACE (
    1.0 AS https,
    0.0 AS long_url,
    0 AS ip_in_url
)
FROM traffic
