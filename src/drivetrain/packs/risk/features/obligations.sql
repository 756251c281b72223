-- What the borrower owes already.
SELECT
    id AS loan_id,
    RevolvingUtilizationOfUnsecuredLines AS revolving_utilization,
    DebtRatio AS debt_ratio,
    NumberOfOpenCreditLinesAndLoans AS open_credit_lines,
    NumberRealEstateLoansOrLines AS real_estate_loans
FROM loans
