-- What is written in it.
SELECT
    row_number() OVER (ORDER BY later, md5(Text), Category) AS document,
    Text AS text
FROM (
    SELECT Category, Text, false AS later FROM earlier
    UNION ALL
    SELECT Category, Text, true AS later FROM later
)
WHERE Category NOT IN ('d', 'class')
