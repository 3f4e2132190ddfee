"""``analyte log`` as people and scripts call it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from pathlib import Path

import pytest

from analyte.runtime.signing import make_key
from analyte.runtime.store.heads import load_signer
from runtime.conftest import Analyte, analyte_command
from runtime.store.readings import alter, fill, happened, opened, varied


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "readings.sqlite"
    key = make_key("device", tmp_path)
    fill(path, [varied(number) for number in range(30)], load_signer(key.private))
    return path


def test_tail(analyte: Analyte, store: Path, profile: Path) -> None:
    text = analyte("log", "tail", "--device", profile, "-n", "3").stdout.splitlines()
    assert [line.split()[0] for line in text] == ["31", "32", "33"]
    assert text[0].split(maxsplit=2)[2] == "A1 refused: focus"
    assert text[1].split(maxsplit=2)[2] == "A2 29 µg/mL [28, 30]"
    assert text[2].split(maxsplit=2)[2] == 'lamp.changed by kim (burnt out) 1 -> {"hours": 0}'
    lines = analyte("log", "tail", "--store", store, "--json").stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["sequence"] for row in rows] == list(range(14, 34))
    assert [row["kind"] for row in rows[7:9]] == ["reading", "event"]


def test_tail_follows_what_is_stored_meanwhile(store: Path) -> None:
    with subprocess.Popen(
        analyte_command("log", "tail", "--store", store, "-n", "1", "--follow", "--json"),
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUTF8": "1"},
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["sequence"] == 33
        with opened(store) as writing:
            writing.add(happened())
        assert json.loads(process.stdout.readline())["sequence"] == 34
        process.terminate()


def test_names_cannot_steer_a_terminal(analyte: Analyte, store: Path) -> None:
    with opened(store) as writing:
        writing.add(happened(why="\x1b[2Jgone"))
    assert "\x1b" not in analyte("log", "tail", "--store", store).stdout


def test_verify(analyte: Analyte, store: Path) -> None:
    result = analyte("log", "verify", "--store", store, "--key", "device.pub")
    assert result.returncode == 0
    assert result.stdout.startswith("30 readings and 3 events, rows 1 to 33\n")
    assert result.stdout.endswith("\nverified\n")
    assert json.loads(analyte("log", "verify", "--store", store, "--json").stdout)["passed"] is True


def test_verify_names_what_was_altered(analyte: Analyte, store: Path) -> None:
    alter(store, "UPDATE readings SET value = 1.25 WHERE sequence = 5")
    result = analyte("log", "verify", "--store", store, "--json")
    assert result.returncode == 7
    assert json.loads(result.stdout)["bad_sequence"] == 5
    assert "does not verify: row 5 a column of the reading was altered" in result.stderr
    assert analyte("log", "verify", "--store", store).stdout.endswith("NOT verified\n")


def test_an_unsigned_record_says_so(analyte: Analyte, tmp_path: Path) -> None:
    fill(tmp_path / "u.sqlite", [varied(1)])
    result = analyte("log", "verify", "--store", "u.sqlite")
    assert result.returncode == 0
    assert "note: no head is signed" in result.stdout


def test_csv(analyte: Analyte, store: Path, tmp_path: Path) -> None:
    with opened(store) as writing:
        from dataclasses import replace

        writing.append([replace(varied(50), detail='=HYPERLINK("http://x")', unit="-")])
    assert analyte("log", "export", "out.csv", "--store", store).stdout == "out.csv: 31 readings\n"
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[1:10] == [
        "captured_at", "site", "value", "lower", "upper", "unit", "flags", "refused", "reason"
    ]  # fmt: skip
    assert (rows[1]["sequence"], rows[1]["value"], rows[1]["refused"]) == ("2", "1.0", "false")
    assert (rows[0]["value"], rows[0]["refused"], rows[0]["reason"]) == ("", "true", "focus")
    assert rows[15]["flags"] == "glare below_loq"
    assert (rows[-1]["detail"], rows[-1]["unit"]) == ('\'=HYPERLINK("http://x")', "'-")


def test_json_lines_to_the_letter(analyte: Analyte, store: Path, tmp_path: Path) -> None:
    arguments = ("--since", "2026-01-01T00:05Z", "--until", "2026-01-01T01:15+01:00", "--valid")
    analyte("log", "export", "out.jsonl", "--store", store, *arguments)
    wanted = [varied(number).to_json() for number in range(5, 15) if number not in (7, 14)]
    assert (tmp_path / "out.jsonl").read_text("utf-8").splitlines() == wanted


def test_parquet(analyte: Analyte, store: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    assert analyte("log", "export", "out.parquet", "--store", store).returncode == 0
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.num_rows == 30
    assert table.column("value").to_pylist()[:2] == [None, 1.0]
    assert table.column("refused").to_pylist()[:2] == [True, False]
    assert table.column("covariates").to_pylist()[0] == ""


def test_events(analyte: Analyte, store: Path, tmp_path: Path) -> None:
    assert analyte("log", "export", "e.csv", "--store", store, "--events").returncode == 0
    with (tmp_path / "e.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["sequence"] for row in rows] == ["11", "22", "33"]
    assert (rows[0]["who"], rows[0]["why"], rows[0]["old"], rows[0]["new"]) == (
        "kim",
        "burnt out",
        "1",
        '{"hours": 0}',
    )


def test_exports_replace_nothing_unasked(analyte: Analyte, store: Path, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("mine")
    result = analyte("log", "export", "out.csv", "--store", store)
    assert (result.returncode, (tmp_path / "out.csv").read_text()) == (3, "mine")
    assert "exists already" in result.stderr
    assert analyte("log", "export", "out.csv", "--store", store, "--overwrite").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["verify"], 2, "--store FILE or --device PROFILE"),
        (["verify", "--store", "none.sqlite"], 3, "there is no store"),
        (["verify", "--store", "device.pub"], 7, "not a store of analyte"),
        (["export", "out.xlsx", "--store", "readings.sqlite"], 2, "expected .csv, .jsonl, .parquet"),
        (["export", "o.csv", "--store", "readings.sqlite", "--since", "noon"], 3, "not a time"),
        (["export", "o.csv", "--store", "readings.sqlite", "--events", "--valid"], 2, "--events"),
        (["release", "abc", "--why", "x", "--store", "readings.sqlite"], 3, "no such hold"),
        (["hold", "--why", "x", "--store", "none.sqlite"], 3, "there is no store"),
        (["hold", "--why", " ", "--store", "readings.sqlite"], 2, "a reason is needed"),
        (["forget", "mqtt", "--why", "", "--store", "readings.sqlite"], 2, "a reason is needed"),
        (
            ["hold", "--why", "x", "--store", "readings.sqlite", "--since", "2026-02", "--until", "2026-01"],
            3,
            "not a time",
        ),
        (
            [
                "hold",
                "--why",
                "x",
                "--store",
                "readings.sqlite",
                "--since",
                "2026-02-01",
                "--until",
                "2026-02-01",
            ],
            2,
            "nothing lies between the two times",
        ),
        (
            [
                "export",
                "o.csv",
                "--store",
                "readings.sqlite",
                "--since",
                "2026-02-01",
                "--until",
                "2026-01-01T00:00",
            ],
            2,
            "expected later than 2026-02-01T00:00:00.000000+00:00",
        ),
        (
            ["verify", "--store", "readings.sqlite", "--heads", "gone"],
            3,
            "gone: --heads: there is no such file",
        ),
        (["forget", "mqtt", "--why", "x", "--store", "readings.sqlite"], 3, "no such receiver"),
    ],
)
def test_refuses(analyte: Analyte, store: Path, arguments: list[str], code: int, said: str) -> None:
    result = analyte("log", *arguments)
    assert (result.returncode, "Traceback" in result.stderr) == (code, False)
    assert said in result.stderr
    assert not store.with_name("o.csv").exists()
    assert not store.with_name("none.sqlite").exists()


def test_hold_and_release(analyte: Analyte, store: Path) -> None:
    held = analyte("log", "hold", "--store", store, "--since", "2026-01-01", "--why", "complaint 17")
    assert held.returncode == 0
    listed = json.loads(analyte("log", "holds", "--store", store, "--json").stdout)
    assert (listed["id"], listed["why"], listed["until"]) == (held.stdout.strip(), "complaint 17", None)
    assert analyte("log", "release", listed["id"][:8], "--store", store, "--why", "closed").returncode == 0
    assert analyte("log", "holds", "--store", store).stdout == ""
    rows = [
        json.loads(line) for line in analyte("log", "tail", "--store", store, "--json").stdout.splitlines()
    ]
    assert [row.get("what") for row in rows[-2:]] == ["hold.placed", "hold.released"]
    assert rows[-1]["old"] == listed["id"]
    assert rows[-1]["role"] == "supervisor"
    assert analyte("log", "verify", "--store", store).returncode == 0
