-- The documents to judge. A document has no name in the data, so it gets a number that its own words decide.
-- The files of Orange begin with two lines that say what their columns are.
SELECT
    row_number() OVER (ORDER BY later, md5(Text), Category) AS document,
    Category AS subject,
    later
FROM (
    SELECT Category, Text, false AS later FROM earlier
    UNION ALL
    SELECT Category, Text, true AS later FROM later
)
WHERE Category NOT IN ('d', 'class')
