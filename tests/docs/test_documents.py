"""The Python that docs/documents.md shows runs as it stands."""

import re
import subprocess
import sys

from tests.house.conftest import ROOT
from tests.papers.written import At, pdf

PAGE = (ROOT / "docs" / "documents.md").read_text(encoding="utf-8")


def test_the_python_of_the_page_runs(tmp_path):
    (tmp_path / "bill.pdf").write_bytes(pdf([At(50, 160, "Total:"), At(400, 160, "1,234.50")]))
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Total:\t1,234.50\nSpot(page=1, box=Box(left=")
