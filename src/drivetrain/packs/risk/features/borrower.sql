-- Who borrows. Age is a protected attribute: the fairness gate looks at it.
SELECT
    id AS loan_id,
    age,
    MonthlyIncome AS monthly_income,
    NumberOfDependents AS dependents
FROM loans
