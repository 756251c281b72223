-- What happened: pieces of each item on each day in each country, and the category that its description tells of.
-- A day without a row is a day without a sale.
WITH sales AS (
    SELECT StockCode AS item, CAST(InvoiceDate AS DATE) AS day, Description AS description, Quantity AS sold,
        CASE
            WHEN Country = 'EIRE' THEN 'Ireland'
            WHEN Country IN ('United Kingdom', 'Netherlands', 'Germany', 'France') THEN Country
            ELSE 'elsewhere'
        END AS country
    FROM lines
    WHERE Quantity >= 0 AND Price > 0 AND regexp_matches(StockCode, '^[0-9]{5}')
),
named AS (SELECT item, mode(description ORDER BY description) AS description FROM sales GROUP BY item)
SELECT
    item, day, country, sum(sold) AS value,
    CASE
        WHEN regexp_matches(any_value(n.description), 'CHRISTMAS|XMAS|ADVENT|REINDEER|SANTA') THEN 'christmas'
        WHEN regexp_matches(any_value(n.description), 'BAG|SHOPPER|PURSE|LUGGAGE') THEN 'bags'
        WHEN regexp_matches(any_value(n.description), 'LIGHT|LAMP|LANTERN|CANDLE|BURNER') THEN 'light'
        WHEN regexp_matches(any_value(n.description), 'MUG|CUP|PLATE|BOWL|CAKE|TEA|JAR|TIN|LUNCH|BAKING|KITCHEN|JAM|SPOON|BOTTLE')
            THEN 'kitchen'
        WHEN regexp_matches(any_value(n.description), 'CARD|WRAP|PAPER|RIBBON|NOTEBOOK|STICKER|CRAFT|TISSUE') THEN 'paper'
        WHEN regexp_matches(any_value(n.description), 'HEART|SIGN|FRAME|HANG|BUNTING|CLOCK|DECORATION|GARLAND|WICKER') THEN 'decoration'
        ELSE 'other'
    END AS category
FROM sales JOIN named n USING (item)
GROUP BY item, day, country
