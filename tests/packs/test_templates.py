import pytest

from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.core.parse import parse_project
from drivetrain.ops.metrics import higher_is_better
from drivetrain.packs.templates import packs, read_pack, write_pack


@pytest.mark.parametrize("pack", packs())
def test_pack_gives_a_project_that_parses(pack, tmp_path):
    files = write_pack(pack, "my-name", tmp_path / "p")
    spec = parse_project((tmp_path / "p" / "drivetrain.yaml").read_text())
    assert spec.project == "my-name"
    assert all((tmp_path / "p" / table.sql).is_file() for table in spec.features.tables.values())
    assert (tmp_path / "p" / ".gitignore").is_file()
    assert all("{{" not in path.read_text() for path in files)
    assert not (tmp_path / "p" / "pack.yaml").exists()
    assert keeps_its_floor(read_pack(pack).benchmark)


def keeps_its_floor(says):
    seen = says.measured
    assert seen.low <= seen.value <= seen.high
    return seen.value >= says.floor if higher_is_better(says.metric) else seen.value <= says.floor


VARIANTS = [(pack, variant) for pack in packs() for variant in read_pack(pack).variants]


@pytest.mark.parametrize(("pack", "variant"), VARIANTS, ids=[f"{pack}-{variant.name}" for pack, variant in VARIANTS])
def test_a_variant_is_another_project_of_the_pack(pack, variant, tmp_path):
    write_pack(pack, "my-name", tmp_path / "p")
    assert parse_project((tmp_path / "p" / f"{variant.name}.yaml").read_text()).project == "my-name"
    assert keeps_its_floor(variant.benchmark)


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "drivetrain.yaml").write_text("mine")
    with pytest.raises(InvalidInput, match=r"already there: drivetrain\.yaml"):
        write_pack("risk", "x", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["drivetrain.yaml"]


def test_unknown_pack_names_the_others(tmp_path):
    with pytest.raises(NotFound, match="fraud"):
        write_pack("poker", "x", tmp_path)
