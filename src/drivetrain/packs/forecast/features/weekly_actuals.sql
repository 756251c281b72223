-- What happened: sales of each department in each week.
SELECT CAST(Store AS VARCHAR) || '-' || CAST(Dept AS VARCHAR) AS department, "Date" AS day, Weekly_Sales AS value FROM sales
