"""What must never be in a tracked file: hosts of registries, paths of one machine, secrets, other people's data."""

import re

import pytest

# Character classes keep these patterns from finding themselves.
HOSTS = re.compile(r"python[h]osted\.|pyp[i]\.org|registry\.npm[j]s|(deb|security)\.debia[n]\.")
PATHS = re.compile(r"(^|[^A-Za-z0-9_.])/(w[o]rk|f[a]rm|r[o]ot|h[o]me/[a-z]+|tmp/d[t])/")
SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KE[Y]-----$|\bAKI[A][0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bsk-[A-Za-z0-9]{32,}\b|\bglpa[t]-[A-Za-z0-9_-]{20}\b"
)
LARGEST = 1_000_000


@pytest.mark.parametrize(
    ("pattern", "sample"),
    [
        (HOSTS, "https://files.python" + "hosted.org/packages"),
        (HOSTS, "https://py" + "pi.org/simple"),
        (PATHS, "cd /wo" + "rk/main"),
        (PATHS, "/ro" + "ot/.cache"),
        (SECRETS, "-----BEGIN PRIVATE" + " KEY-----"),
        (SECRETS, "AKIA" + "ABCDEFGHIJKLMNOP"),
    ],
)
def test_the_patterns_find_what_they_look_for(pattern, sample):
    assert pattern.search(sample)


@pytest.mark.parametrize("pattern", [HOSTS, PATHS, SECRETS], ids=["hosts", "paths", "secrets"])
def test_no_tracked_file_holds_it(files, pattern):
    found = [
        f"{file.name}:{number}" for file in files for number, line in enumerate(file.lines, 1) if pattern.search(line)
    ]
    assert not found, "\n".join(found)


def test_locks_name_no_place_to_download_from_and_hash_everything(files):
    locks = [file for file in files if file.name.startswith("locks/") and file.name.endswith(".txt")]
    assert locks
    for lock in locks:
        assert "://" not in lock.text
        assert "--index-url" not in lock.text
        pinned = re.findall(r"^[a-zA-Z0-9_.-]+(?:\[[^\]]*\])?==", lock.text, re.MULTILINE)
        entries = re.split(r"^(?=[a-zA-Z0-9_.-]+(?:\[[^\]]*\])?==)", lock.text, flags=re.MULTILINE)[1:]
        assert len(pinned) == len(entries) > 50
        assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_no_data_and_no_binary_is_committed(root, files):
    data = {".csv", ".gz", ".parquet", ".zip", ".whl", ".onnx", ".npy", ".pkl", ".joblib", ".xz", ".db"}
    assert [file.name for file in files if any(file.name.endswith(ending) for ending in data)] == []
    assert [file.name for file in files if (root / file.name).stat().st_size > LARGEST] == []


def test_every_decision_has_a_number_of_its_own(root):
    numbers = [path.name[:4] for path in sorted((root / "docs" / "decisions").glob("*.md"))]
    assert len(numbers) == len(set(numbers)), "two records share a number: give the newer one the next"
