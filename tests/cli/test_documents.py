"""``documents`` by the command line."""

import json

from tests.papers.bills import LAYOUTS, bills


def test_learn_and_show(commands, tmp_path):
    lines = []
    for number, bill in enumerate(bills(LAYOUTS, 14, seed=7)):
        (tmp_path / f"{number}.pdf").write_bytes(bill.content)
        lines.append(json.dumps({"path": f"{number}.pdf", "fields": dict(bill.truth)}))
    (tmp_path / "marked.jsonl").write_text("\n".join(lines))
    learned = commands("documents", "learn", "marked.jsonl", "--to", "fields.npz", "--no-ocr", cwd=tmp_path).stdout
    assert "learned from 14 documents; measured on 3 held back" in learned
    assert "supplier" in learned
    shown = commands("documents", "show", "0.pdf", "--tagger", "fields.npz", "--no-ocr", cwd=tmp_path).stdout
    assert "application/pdf, 1 page, language" in shown
    assert "total" in shown
    told = json.loads(commands("documents", "show", "0.pdf", "--no-ocr", "--json", cwd=tmp_path).stdout)
    assert told["fields"][0].keys() == {"kind", "value", "page", "box", "score"}
    wrong = commands("documents", "show", "none.pdf", "--json", cwd=tmp_path, code=4)
    assert json.loads(wrong.stdout)["error"]["code"] == "no_files"
