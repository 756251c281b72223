-- What the calendar says of the day: weekday, where in the month and the year, and public holidays in England.
SELECT DISTINCT
    StockCode AS item,
    CAST(day AS DATE) AS target_day
FROM lines, (SELECT 1) 
