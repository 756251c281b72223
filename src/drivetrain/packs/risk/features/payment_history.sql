-- How often the borrower was late in the last two years.
SELECT
    id AS loan_id,
    "NumberOfTime30-59DaysPastDueNotWorse" AS late_30_59_days,
    "NumberOfTime60-89DaysPastDueNotWorse" AS late_60_89_days,
    NumberOfTimes90DaysLate AS late_90_days
FROM loans
