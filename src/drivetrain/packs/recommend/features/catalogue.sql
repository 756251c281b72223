-- What there is to sell. In this shop a name ends with the kind of thing that it is: RED RETROSPOT CAKE STAND is a stand.
-- What nobody bought for two months counts as out of stock, because these data know nothing of the shelves.
WITH sold AS (
    SELECT upper(StockCode) AS item, trim(Description) AS name, InvoiceDate AS bought_at FROM lines
    WHERE Quantity > 0 AND Price > 0 AND "Customer ID" IS NOT NULL AND regexp_matches(StockCode, '^[0-9]{5}')
)
SELECT
    item,
    mode(name ORDER BY name) AS name,
    regexp_extract(mode(name ORDER BY name), '([A-Z]+)[^A-Z]*$', 1) AS category,
    max(bought_at) >= (SELECT max(bought_at) FROM sold) - INTERVAL 60 DAYS AS in_stock
FROM sold
GROUP BY item
