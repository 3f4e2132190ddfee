"""What a workstation does with a bundle it does with a packed one: the same numbers come out."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from analyte.contract.errors import IntegrityError
from analyte.runtime.signing import make_key, sign_bundle
from analyte.runtime.trust import open_for_use
from conftest import Invoke


@pytest.fixture(scope="module")
def packed(one_view_bundle: Path, invoke: Invoke, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "b.zip"
    outcome = invoke("bundle", "pack", one_view_bundle, "-o", path)
    assert outcome.code == 0, outcome.stderr
    return path


def test_evaluate(invoke: Invoke, one_view_bundle: Path, one_view_study: Path, packed: Path) -> None:
    by_folder, by_zip = (
        json.loads(invoke("evaluate", subject, one_view_study, "--json").stdout)
        for subject in (one_view_bundle, packed)
    )
    assert by_zip == by_folder
    assert by_zip["results"][0]["name"] == "keras"


def test_parity(invoke: Invoke, packed: Path) -> None:
    outcome = invoke("parity", packed, "--json")
    assert outcome.code == 0, outcome.stderr
    assert json.loads(outcome.stdout)["passed"] is True


def test_flipped_bytes_of_a_real_bundle(one_view_bundle: Path, tmp_path: Path) -> None:
    """As `tests/runtime/test_trust.py` does with a tiny one, over all the files that an export writes."""
    bundle = Path(shutil.copytree(one_view_bundle, tmp_path / "b.analyte"))
    sign_bundle(bundle, make_key("lab", tmp_path).private)
    generator = random.Random(5)
    files = sorted(bundle.iterdir())
    for _ in range(200):
        file = generator.choice(files)
        data = file.read_bytes()
        at = generator.randrange(len(data))
        file.write_bytes(data[:at] + bytes([data[at] ^ generator.randrange(1, 256)]) + data[at + 1 :])
        with pytest.raises(IntegrityError):
            open_for_use(bundle)
        file.write_bytes(data)
    open_for_use(bundle)
