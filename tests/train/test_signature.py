import datetime as dt

import numpy as np
import pyarrow as pa

from drivetrain.store.cases import read_cases
from drivetrain.train.signature import MOST_CATEGORIES, input_spread, signature_of


def fields(features, catalog):
    return {field.name: field for field in signature_of(features, read_cases(catalog, features, "train")).inputs}


def test_fields_are_learned_from_the_training_part_alone(make_features, catalog):
    values = np.where(np.arange(200) % 100 < 25, 1000.0, np.arange(200) % 7)
    texts = np.where(np.arange(200) % 100 < 25, "only in test", np.where(np.arange(200) % 3, "often", "seldom"))
    features = make_features({"number": pa.array(values), "text": pa.array(texts.tolist())}, np.arange(200) % 2)
    found = fields(features, catalog)
    assert (found["number"].low, found["number"].high, found["number"].typical) == (0.0, 6.0, 3.0)
    assert found["text"].categories == ("often", "seldom")
    assert found["text"].typical == 0.0


def test_every_type_is_packed_to_its_typical_value(make_features, catalog):
    day = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
    columns = {
        "flag": pa.array([True, True, False, True] * 50),
        "count": pa.array([1, 2, 2, 100] * 50),
        "date": pa.array([day.date()] * 200),
        "moment": pa.array([day] * 200),
        "nothing": pa.array([None] * 200, pa.string()),
    }
    found = fields(make_features(columns, np.arange(200) % 2), catalog)
    assert found["flag"].typical == 1.0
    assert found["count"].typical == 2.0
    assert found["date"].typical == found["moment"].typical == day.timestamp()
    assert (found["nothing"].categories, found["nothing"].typical, found["nothing"].low) == ((), -1.0, None)


def test_rare_categories_are_left_out(make_features, catalog):
    texts = [f"city {row % 97}" if row % 2 else f"hamlet {row}" for row in range(1000)]
    found = fields(make_features({"place": pa.array(texts)}, np.arange(1000) % 2), catalog)["place"]
    assert len(found.categories) == MOST_CATEGORIES
    assert set(found.categories[:50]) <= {f"city {number}" for number in range(97)}
    spread = input_spread(found, np.array([-1.0, 0.0, 0.0, 255.0, np.nan]))
    assert (spread.counts[0], spread.counts[1], spread.counts[-1], spread.missing) == (1, 2, 1, 1)
