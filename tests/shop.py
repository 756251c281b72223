"""A small shop whose demand is forecast: six items, a year of orders, origins a week apart; it runs in seconds."""

import csv
from datetime import date, timedelta
from pathlib import Path

import numpy as np

ITEMS = {"bag": "out", "cap": "out", "cup": "home", "jar": "home", "lamp": "home", "=mug": "home"}
DAYS, FIRST = 280, date(2025, 6, 2)
PROJECT = """\
project: shop
sources:
  orders:
    kind: files
    path: data/*.csv
    contract:
      columns:
        item: {type: text, nullable: false}
        kind: {type: text, nullable: false}
        day: {type: date, nullable: false}
        sold: {type: integer, nullable: false, min: 0}
        price: {type: number, nullable: false}
features:
  task: number
  spine: features/cases.sql
  entity: item
  time: target_day
  label: demand
  keep: [origin, usual]
  open: true
  tables:
    history: {sql: features/history.sql, event_time: target_day, knowledge_time: known}
  split: {by: time, column: origin, test: 0.05}
model:
  candidates: [{learner: linear}]
  metric: rmse
  budget: {trials: 1}
  origins: 8
  tracking: "off"
gates:
  baseline: null
  slices: null
  robustness: null
  backtest: {by: item, min_coverage: 0.8}
  latency: {p99_ms: 1000}
service: {port: 0}
forecast:
  origin: origin
  scale: usual
  actuals: features/actuals.sql
  levels: [kind]
  reconcile: minimum_trace
  stock: {lead: 2, review: 3, service_level: 0.95, on_hand: features/stock.sql}
"""
DAYS_SQL = "SELECT item, day, sold, price, avg(sold) OVER (PARTITION BY item ORDER BY day) AS usual FROM orders"
AHEAD = "(SELECT CAST(unnest(range(1, 8)) AS INTEGER) AS step)"
CASES = f"""\
WITH days AS ({DAYS_SQL}), span AS (SELECT max(day) AS last_day FROM days)
SELECT o.item AS item, CAST(o.day + h.step AS DATE) AS target_day, o.day AS origin, o.usual AS usual,
    d.sold / o.usual AS demand
FROM days o CROSS JOIN span CROSS JOIN {AHEAD} h LEFT JOIN days d ON d.item = o.item AND d.day = o.day + h.step
WHERE (span.last_day - o.day) % 7 = 0 AND o.usual > 0 AND o.day >= DATE '{FIRST + timedelta(days=27)}'
"""
HISTORY = f"""\
WITH days AS ({DAYS_SQL})
SELECT o.item AS item, CAST(o.day + h.step AS DATE) AS target_day, o.day AS known,
    dayofweek(o.day + h.step) IN (0, 6) AS is_weekend, o.price AS price
FROM days o CROSS JOIN {AHEAD} h
"""
ACTUALS = "SELECT item, day, sold AS value, kind FROM orders\n"
STOCK = "SELECT item, 10 AS on_hand, 12 AS pack FROM orders GROUP BY item\n"


def write_orders(path: Path, days: range) -> None:
    """Orders of the days with these numbers: dearer is less, weekends are more, the rest is chance."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item", "kind", "day", "sold", "price"])
        for number in days:
            day = FIRST + timedelta(days=number)
            for place, (item, kind) in enumerate(ITEMS.items()):
                chance = np.random.default_rng([place, number])
                price = 4.0 if chance.random() < 0.3 else 5.0
                wanted = 10 * (1 + place) * (1.5 if day.weekday() >= 5 else 1.0) * (1.4 if price < 5 else 1.0)
                writer.writerow([item, kind, day.isoformat(), chance.poisson(wanted), price])


def write_shop(folder: Path) -> Path:
    """The files of the shop; no identities yet."""
    (folder / "features").mkdir(parents=True)
    (folder / "drivetrain.yaml").write_text(PROJECT)
    for name, text in (("cases", CASES), ("history", HISTORY), ("actuals", ACTUALS), ("stock", STOCK)):
        (folder / "features" / f"{name}.sql").write_text(text)
    write_orders(folder / "data" / "first.csv", range(DAYS))
    return folder
