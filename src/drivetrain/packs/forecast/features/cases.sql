-- The rows to predict: the demand of an item on each of the 28 days after an origin, in swings of the item.
-- A swing is the usual change from one day to the next (root mean square, from the first sale on to the origin), so an
-- error of 1 is as large as saying "as yesterday": what RMSSE measures, and one model serves large and small items.
-- Origins lie 28 days apart and end with the data. The days after the last one are open: nobody knows their demand yet.
-- The items are the 300 of most revenue up to the origin before the last, so what is judged did not choose them.
WITH sales AS (
    SELECT StockCode AS item, CAST(InvoiceDate AS DATE) AS day, sum(Quantity) AS sold, sum(Quantity * Price) AS revenue
    FROM lines
    WHERE Quantity > 0 AND Price > 0 AND regexp_matches(StockCode, '^[0-9]{5}')
    GROUP BY ALL
),
span AS (SELECT min(day) AS first_day, max(day) AS last_day FROM sales),
items AS (
    SELECT item, min(day) AS first_sale FROM sales, span WHERE day <= last_day - 28
    GROUP BY item ORDER BY sum(revenue) DESC, item LIMIT 300
),
grid AS (
    SELECT item, last_day, CAST(unnest(range(first_sale, last_day + 1, INTERVAL 1 DAY)) AS DATE) AS day FROM items, span
),
days AS (
    SELECT item, day, coalesce(sold, 0) AS sold, coalesce(revenue, 0) AS revenue, last_day FROM grid LEFT JOIN sales USING (item, day)
),
changes AS (
    SELECT *, sold - lag(sold) OVER (PARTITION BY item ORDER BY day) AS change FROM days
),
origins AS (
    SELECT item, day AS origin, last_day,
        sqrt(avg(change * change) OVER (PARTITION BY item ORDER BY day)) AS swing,
        count(*) OVER (PARTITION BY item ORDER BY day) AS age,
        count_if(sold > 0) OVER (PARTITION BY item ORDER BY day) AS sold_days,
        sum(revenue) OVER (PARTITION BY item ORDER BY day) AS revenue
    FROM changes
)
SELECT
    o.item AS item,
    CAST(o.origin + h.horizon AS DATE) AS target_day,
    o.origin AS origin,
    o.swing AS swing,
    o.revenue AS revenue,
    d.sold / o.swing AS demand
FROM origins o
CROSS JOIN (SELECT CAST(unnest(range(1, 29)) AS INTEGER) AS horizon) h
LEFT JOIN days d ON d.item = o.item AND d.day = o.origin + h.horizon
WHERE (o.last_day - o.origin) % 28 = 0 AND o.age >= 56 AND o.sold_days >= 10
