-- What is known of an item at the origin (`known`), for each of the 28 days after it; amounts in swings, as the demand.
-- `price_lately` below 1 is a promotion; `last_year` looks at the same weeks 52 weeks before. What the calendar says is
-- known of every day to come. Of an item in its first four weeks `launch` tells how others of its price, and of its
-- category, sold in that week of their life.
WITH sales AS (
    SELECT StockCode AS item, CAST(InvoiceDate AS DATE) AS day, sum(Quantity) AS sold, sum(Quantity * Price) AS revenue,
        max(Price) AS price
    FROM lines
    WHERE Quantity >= 0 AND Price > 0 AND regexp_matches(StockCode, '^[0-9]{5}')
    GROUP BY ALL
),
span AS (SELECT min(day) AS first_day, max(day) AS last_day FROM sales),
items AS (
    SELECT item, min(day) AS first_sale, CAST(log2(arg_min(price, day)) AS INTEGER) AS band,
        row_number() OVER (ORDER BY sum(CASE WHEN day <= last_day - 28 THEN revenue END) DESC NULLS LAST, item) <= 300
            AS is_major
    FROM sales, span GROUP BY item
),
grid AS (
    SELECT items.*, first_day, last_day, CAST(unnest(range(first_sale, CASE WHEN is_major THEN last_day + 1
        ELSE least(first_sale + 56, last_day + 1) END, INTERVAL 1 DAY)) AS DATE) AS day
    FROM items, span
),
days AS (
    SELECT grid.* , coalesce(sold, 0) AS sold, coalesce(revenue / nullif(sold, 0), price) AS price FROM grid LEFT JOIN sales USING (item, day)
),
changes AS (
    SELECT *, sold - lag(sold) OVER (PARTITION BY item ORDER BY day) AS change FROM days
),
-- The swing of new items at a price, as known on a day. What sold in the first four weeks of the data was there before.
launches AS (
    SELECT band, day, sqrt(sum(sum(change * change)) OVER w / sum(count(change)) OVER w) AS swing
    FROM changes WHERE day < first_sale + 28 AND first_sale >= first_day + 28
    GROUP BY band, day WINDOW w AS (PARTITION BY band ORDER BY day)
),
past AS (
    SELECT item, day, sold, band, is_major, first_sale, first_day, last_day,
        sqrt(avg(change * change) OVER (PARTITION BY item ORDER BY day)) AS swing,
        count(*) OVER (PARTITION BY item ORDER BY day) AS age,
        avg(sold) OVER w3 AS mean_3, avg(sold) OVER w7 AS mean_7, avg(sold) OVER w14 AS mean_14,
        avg(sold) OVER w28 AS mean_28, avg(sold) OVER w56 AS mean_56, avg(sold) OVER w91 AS mean_91,
        avg(sold) OVER w182 AS mean_182, avg(sold) OVER w364 AS mean_364,
        stddev_pop(sold) OVER w28 AS deviation_28, stddev_pop(sold) OVER w91 AS deviation_91,
        max(sold) OVER w28 AS most_28, max(sold) OVER w91 AS most_91, median(sold) OVER w28 AS median_28,
        avg(CAST(sold > 0 AS INTEGER)) OVER w7 AS share_sold_7, avg(CAST(sold > 0 AS INTEGER)) OVER w28 AS share_sold_28,
        avg(CAST(sold > 0 AS INTEGER)) OVER w91 AS share_sold_91,
        day - max(CASE WHEN sold > 0 THEN day END) OVER (PARTITION BY item ORDER BY day) AS days_without,
        avg(price) OVER w7 AS price_7, avg(price) OVER w28 AS price_28, avg(price) OVER w182 AS price_182,
        avg(sold) OVER (PARTITION BY item ORDER BY day ROWS BETWEEN 3 PRECEDING AND 3 FOLLOWING) AS around_7,
        avg(sold) OVER (PARTITION BY item ORDER BY day ROWS BETWEEN 14 PRECEDING AND 14 FOLLOWING) AS around_29,
        avg(sold) OVER k4 AS weekday_4, avg(sold) OVER k8 AS weekday_8, avg(sold) OVER k26 AS weekday_26
    FROM changes
    WINDOW
        w3 AS (PARTITION BY item ORDER BY day ROWS 2 PRECEDING), w7 AS (PARTITION BY item ORDER BY day ROWS 6 PRECEDING),
        w14 AS (PARTITION BY item ORDER BY day ROWS 13 PRECEDING), w28 AS (PARTITION BY item ORDER BY day ROWS 27 PRECEDING),
        w56 AS (PARTITION BY item ORDER BY day ROWS 55 PRECEDING), w91 AS (PARTITION BY item ORDER BY day ROWS 90 PRECEDING),
        w182 AS (PARTITION BY item ORDER BY day ROWS 181 PRECEDING), w364 AS (PARTITION BY item ORDER BY day ROWS 363 PRECEDING),
        k4 AS (PARTITION BY item, dayofweek(day) ORDER BY day ROWS 3 PRECEDING),
        k8 AS (PARTITION BY item, dayofweek(day) ORDER BY day ROWS 7 PRECEDING),
        k26 AS (PARTITION BY item, dayofweek(day) ORDER BY day ROWS 25 PRECEDING)
),
-- The category, as in actuals.sql.
named AS (SELECT StockCode AS item, mode(Description ORDER BY Description) AS description FROM lines GROUP BY ALL),
categories AS (
    SELECT item,
        CASE
            WHEN regexp_matches(description, 'CHRISTMAS|XMAS|ADVENT|REINDEER|SANTA') THEN 'christmas'
            WHEN regexp_matches(description, 'BAG|SHOPPER|PURSE|LUGGAGE') THEN 'bags'
            WHEN regexp_matches(description, 'LIGHT|LAMP|LANTERN|CANDLE|BURNER') THEN 'light'
            WHEN regexp_matches(description, 'MUG|CUP|PLATE|BOWL|CAKE|TEA|JAR|TIN|LUNCH|BAKING|KITCHEN|JAM|SPOON|BOTTLE')
                THEN 'kitchen'
            WHEN regexp_matches(description, 'CARD|WRAP|PAPER|RIBBON|NOTEBOOK|STICKER|CRAFT|TISSUE') THEN 'paper'
            WHEN regexp_matches(description, 'HEART|SIGN|FRAME|HANG|BUNTING|CLOCK|DECORATION|GARLAND|WICKER') THEN 'decoration'
            ELSE 'other'
        END AS category
    FROM named
),
-- How much of a new item sold on a day of each week of its life, at one price and in one category, as known at an origin.
lives AS (
    SELECT band, category, (day - first_sale) // 7 AS week, day, sum(sold) AS sold, count(*) AS days
    FROM past JOIN categories USING (item) WHERE day < first_sale + 56 AND first_sale >= first_day + 28 GROUP BY ALL
),
origins AS (SELECT DISTINCT day AS origin FROM past WHERE (last_day - day) % 28 = 0),
by_price AS (
    SELECT origin, band, week, sum(sold) / sum(days) AS usual FROM lives JOIN origins ON day <= origin GROUP BY ALL
),
by_category AS (
    SELECT origin, category, week, sum(sold) / sum(days) AS usual FROM lives JOIN origins ON day <= origin GROUP BY ALL
),
ahead AS (
    SELECT o.* REPLACE (if(o.age < 28, l.swing, o.swing) AS swing),
        CAST(o.day + h.horizon AS DATE) AS target_day, h.horizon,
        if(o.age < 28, (o.day - o.first_sale + h.horizon) // 7, NULL) AS week
    FROM past o CROSS JOIN (SELECT CAST(unnest(range(1, 29)) AS INTEGER) AS horizon) h
    LEFT JOIN launches l ON l.band = o.band AND l.day = o.day
    WHERE (o.last_day - o.day) % 28 = 0 AND if(o.age < 28, l.swing > 0, o.is_major AND o.swing > 0)
),
-- The holidays of England by rule: Easter (Gauss), the Mondays of May and August, and a wedding. Christmas is closed.
years AS (SELECT unnest(range(year(first_day), year(last_day) + 2)) AS y FROM span),
moons AS (SELECT y, (19 * (y % 19) + 24) % 30 AS d FROM years),
easters AS (SELECT y, make_date(y, 3, 22) + CAST(d + (2 * (y % 4) + 4 * (y % 7) + 6 * d + 5) % 7 AS INTEGER) AS sunday FROM moons),
holidays AS (
    SELECT unnest([
        sunday - 2, sunday + 1,
        make_date(y, 5, 1) + CAST((8 - isodow(make_date(y, 5, 1))) % 7 AS INTEGER),
        make_date(y, 5, 31) - CAST(isodow(make_date(y, 5, 31)) - 1 AS INTEGER),
        make_date(y, 8, 31) - CAST(isodow(make_date(y, 8, 31)) - 1 AS INTEGER)
    ]) AS day FROM easters
    UNION ALL SELECT DATE '2011-04-29'
)
SELECT
    a.item AS item,
    a.target_day AS target_day,
    a.day AS known,
    a.horizon AS horizon,
    dayofweek(a.target_day) AS weekday,
    day(a.target_day) AS day_of_month,
    dayofweek(a.target_day) = 6 OR month(a.target_day) = 12 AND day(a.target_day) > 22
        OR month(a.target_day) = 1 AND day(a.target_day) < 4 AS is_closed,
    a.target_day IN (SELECT day FROM holidays) AS is_bank_holiday,
    a.sold / a.swing AS newest,
    a.mean_3 / a.swing AS mean_3, a.mean_7 / a.swing AS mean_7, a.mean_14 / a.swing AS mean_14,
    a.mean_28 / a.swing AS mean_28, a.mean_56 / a.swing AS mean_56, a.mean_91 / a.swing AS mean_91,
    a.mean_182 / a.swing AS mean_182, a.mean_364 / a.swing AS mean_364,
    a.deviation_28 / a.swing AS deviation_28, a.deviation_91 / a.swing AS deviation_91,
    a.most_28 / a.swing AS most_28, a.most_91 / a.swing AS most_91, a.median_28 / a.swing AS median_28,
    a.share_sold_7 AS share_sold_7, a.share_sold_28 AS share_sold_28, a.share_sold_91 AS share_sold_91,
    a.days_without AS days_without,
    a.price_28 AS price, a.price_7 / a.price_28 AS price_lately, a.price_28 / a.price_182 AS price_level,
    w.weekday_4 / a.swing AS weekday_4, w.weekday_8 / a.swing AS weekday_8, w.weekday_26 / a.swing AS weekday_26,
    y.around_7 / a.swing AS last_year_7, y.around_29 / a.swing AS last_year_29, b.mean_28 / a.swing AS last_year_before,
    if(a.age < 28, a.age, NULL) AS age, p.usual / a.swing AS launch, c.usual / a.swing AS launch_category
FROM ahead a
LEFT JOIN past w ON w.item = a.item AND w.day = a.target_day - 7 * CAST(ceil(a.horizon / 7.0) AS INTEGER)
LEFT JOIN past y ON y.item = a.item AND y.day = a.target_day - 364
LEFT JOIN past b ON b.item = a.item AND b.day = a.day - 364
LEFT JOIN by_price p ON p.origin = a.day AND p.band = a.band AND p.week = a.week
LEFT JOIN categories k ON k.item = a.item
LEFT JOIN by_category c ON c.origin = a.day AND c.category = k.category AND c.week = a.week
