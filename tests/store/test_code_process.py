"""What the process of a code model makes of packed rows."""

from datetime import datetime

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ops.packing import pack
from drivetrain.store.code_process import CodeColumn, columns_of
from drivetrain.testing.graphs import SIGNATURE

MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(9999, 12, 31))
KINDS = {
    "age": (pa.int64(), st.integers(-(2**53), 2**53)),
    "income-per-month": (pa.float64(), st.floats(allow_nan=False, allow_infinity=False)),
    "member": (pa.bool_(), st.booleans()),
    "city": (pa.string(), st.sampled_from([*SIGNATURE.inputs[3].categories, "Zug", ""])),
    "born": (pa.date32(), MOMENTS.map(datetime.date)),
    "seen": (pa.timestamp("us"), MOMENTS.filter(lambda moment: moment.year < 2106)),
}


@given(st.fixed_dictionaries({name: st.none() | values for name, (_, values) in KINDS.items()}))
def test_what_was_packed_comes_back_as_it_was(row):
    table = pa.table({name: pa.array([row[name]], kind) for name, (kind, _) in KINDS.items()})
    fields = [CodeColumn(field.name, field.type.value, field.categories) for field in SIGNATURE.inputs]
    for name, column in columns_of(fields, pack(SIGNATURE, table)).items():
        (found,) = column.tolist()
        if row[name] is None:
            assert found is None or np.isnan(found)
        else:
            assert found == ("<unknown>" if row[name] in ("Zug", "") else row[name])
