"""Makes a project of the risk pack small: 1,500 made-up loans with the same columns, two trials, lenient gates."""

import csv
import random
import sys
from pathlib import Path

import yaml

COLUMNS = (
    "id", "SeriousDlqin2yrs", "RevolvingUtilizationOfUnsecuredLines", "age", "NumberOfTime30-59DaysPastDueNotWorse",
    "DebtRatio", "MonthlyIncome", "NumberOfOpenCreditLinesAndLoans", "NumberOfTimes90DaysLate",
    "NumberRealEstateLoansOrLines", "NumberOfTime60-89DaysPastDueNotWorse", "NumberOfDependents",
)  # fmt: skip


def loan(number):
    chance = random.Random(number)
    age, late, use = chance.randint(21, 80), chance.choice([0] * 8 + [1, 2]), round(chance.random(), 4)
    income = round(chance.lognormvariate(8.6, 0.5), 0)
    risk = 0.02 + 0.25 * use + 0.3 * (late > 0) - age / 500
    delinquent = int(chance.random() < risk)
    debt, lines = round(chance.random() * 2, 4), chance.randint(0, 20)
    homes, people = chance.randint(0, 3), chance.choice([0, 1, 2, "NA"])
    shown = "NA" if number % 20 == 0 else income
    return (number, delinquent, use, age, late, debt, shown, lines, int(late > 1), homes, int(late > 0), people)


def shrink(folder):
    file = folder / "drivetrain.yaml"
    project = yaml.safe_load(file.read_text())
    contract = project["sources"]["loans"]["contract"]
    project["sources"]["loans"] = {"kind": "files", "path": "data/loans.csv", "contract": contract}
    project["model"] |= {"budget": {"trials": 2}, "tracking": "off"}
    project["model"]["candidates"] = [{"learner": "logistic"}]
    project["gates"] = {
        "roc_auc": {"min": 0.55},
        "fairness": [{"column": "age", "cuts": [45], "measure": "demographic_parity", "max": 1.0}],
        "slices": {"max_drop": 0.9, "min_rows": 50},
        "robustness": {"max_drop": 0.9},
        "latency": {"p99_ms": 1000},
    }
    file.write_text(yaml.safe_dump(project, sort_keys=False))
    (folder / "data").mkdir()
    with (folder / "data" / "loans.csv").open("w", newline="") as out:
        csv.writer(out).writerows([COLUMNS, *map(loan, range(1, 1501))])


if __name__ == "__main__":
    shrink(Path(sys.argv[1]))
