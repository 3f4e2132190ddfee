"""The root of the command line: instant help, one line per error, and the right exit code."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analyte.cli import COMMANDS
from contract.datasets import write_dataset

HEAVY = {"tensorflow", "keras", "cv2", "numpy", "pydantic", "onnxruntime", "matplotlib", "sklearn", "tqdm"}


def run(*arguments: str, program: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run analyte, or ``program`` in its place, in a process of its own."""
    call = ["-c", program] if program is not None else ["-m", "analyte.cli"]
    return subprocess.run(
        [sys.executable, *call, *arguments],
        env=os.environ | {"PYTHONUTF8": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def failing(statement: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run analyte with a command ``train`` whose body is ``statement``."""
    program = f"""
import sys, types, click
module = types.ModuleType("analyte.train.commands.train")
@click.command("train")
def command():
    {statement}
module.command = command
sys.modules["analyte.train.commands.train"] = module
from analyte.cli import main
main()
"""
    return run(*(arguments or ("train",)), program=program)


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line that an error is."""
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("analyte: ")
    assert done.stderr.endswith("\n")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.removeprefix("analyte: ").rstrip("\n")


class TestHelp:
    PROGRAM = """
import sys
sys.argv[0] = "analyte"
from analyte.cli import main
try:
    main()
finally:
    print(sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""

    @pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("--version",), ()])
    def test_imports_nothing_heavy(self, arguments: tuple[str, ...]) -> None:
        done = run(*arguments, program=self.PROGRAM)
        imported = set(ast.literal_eval(done.stderr.splitlines()[-1]))
        assert "click" in imported
        assert not imported & HEAVY

    def test_names_every_command(self) -> None:
        done = run("--help")
        assert done.returncode == 0
        assert not done.stderr
        listed = [
            line.split()[0] for line in done.stdout.partition("Commands:")[2].splitlines() if line.strip()
        ]
        assert [name for name in listed if name in COMMANDS] == list(COMMANDS)

    @pytest.mark.parametrize("name", COMMANDS)
    def test_help_of_each_command(self, name: str) -> None:
        done = run(name, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{name} [OPTIONS]" in done.stdout

    def test_version(self) -> None:
        assert run("--version").stdout.startswith("analyte, version ")

    def test_pipe_that_closes_early(self) -> None:
        done = subprocess.run(
            ["bash", "-c", '"$0" -m analyte.cli --help | true', sys.executable],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == ""

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
    def test_output_to_a_full_disk(self) -> None:
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "analyte.cli", "--help"],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=60,
                check=False,
            )
        assert done.returncode == 3
        assert "the disk is full" in done.stderr
        assert "Traceback" not in done.stderr


def test_closed_pipe_in_the_middle_of_output() -> None:
    program = """
import subprocess, sys
call = [sys.executable, "-c", sys.argv[1], "train"]
done = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
done.stdout.readline()
done.stdout.close()
print(done.stderr.read().decode(), end="")
done.wait()
"""
    body = "[click.echo('x' * 1000) for _ in range(10000)]"
    inner = (
        "import sys, types, click\n"
        "module = types.ModuleType('analyte.train.commands.train')\n"
        f"module.command = click.Command('train', callback=lambda: {body})\n"
        "sys.modules['analyte.train.commands.train'] = module\n"
        "from analyte.cli import main\nmain()"
    )
    assert run(inner, program=program).stdout == ""


class TestUsage:
    @pytest.mark.parametrize(
        "arguments", [("trian",), ("--colour",), ("read",), ("train", "--epochs", "many")]
    )
    def test_exit_2(self, arguments: tuple[str, ...]) -> None:
        done = run(*arguments)
        assert done.returncode == 2
        assert not done.stdout
        assert "Error: " in done.stderr
        assert "Traceback" not in done.stderr

    def test_no_command(self) -> None:
        assert run().returncode == 2


class TestErrors:
    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("AnalyteError", 1),
            ("InputError", 3),
            ("DatasetError", 3),
            ("ParityError", 4),
            ("UnavailableError", 5),
            ("CameraError", 6),
            ("IntegrityError", 7),
        ],
    )
    def test_exit_codes(self, name: str, code: int) -> None:
        done = failing(f"from analyte.contract import errors; raise errors.{name}('a\\nb', where='f', got=1)")
        assert done.returncode == code
        assert only_line(done) == "f: a b; got 1"

    def test_debug_shows_where(self) -> None:
        statement = "from analyte.contract.errors import CameraError; raise CameraError('gone')"
        for arguments in (("--debug", "train"), ("train", "--debug")):
            done = failing(statement, *arguments)
            assert done.returncode == 6
            assert "Traceback (most recent call last)" in done.stderr
            assert done.stderr.endswith("analyte: gone\n")

    def test_unexpected(self) -> None:
        done = failing("raise RuntimeError('first\\n\\nsecond')")
        assert done.returncode == 1
        line = only_line(done)
        assert line == "unexpected RuntimeError: first second. Run again with --debug and report it"

    @pytest.mark.parametrize(
        ("error", "says"),
        [
            ("OSError(28, 'No space left on device')", "the disk is full. Free some space and run again"),
            (
                "PermissionError(13, 'Permission denied', 'f.png')",
                "f.png: not allowed to write or read there",
            ),
            ("FileNotFoundError(2, 'No such file', 'f.png')", "f.png: No such file"),
            ("OSError()", "OSError"),
        ],
    )
    def test_system_errors(self, error: str, says: str) -> None:
        done = failing(f"raise {error}")
        assert done.returncode == 3
        assert only_line(done).startswith(says)

    def test_names_that_are_no_text(self) -> None:
        """A file name of bytes that are no UTF-8 is still shown."""
        statement = (
            "from analyte.contract.errors import ImageError; raise ImageError('bad', where='p\\udcff.png')"
        )
        done = failing(statement)
        assert done.returncode == 3
        assert "p\\udcff.png: bad" in done.stderr

    def test_missing_extra_is_named(self) -> None:
        done = failing("import onnx_that_nobody_has")
        assert done.returncode == 5
        line = only_line(done)
        assert "'analyte train' needs a package that is not installed" in line
        assert "'onnx_that_nobody_has'" in line
        assert line.endswith(f"pip install 'analyte[{COMMANDS['train'].extra}]'")

    def test_missing_module_of_our_own_is_a_bug(self) -> None:
        done = failing("import analyte.contract.nothing")
        assert done.returncode == 1
        assert "unexpected ModuleNotFoundError" in only_line(done)

    def test_missing_library_at_import(self) -> None:
        """As on a device without an engine: the command's module itself cannot be imported."""
        program = """
import sys
sys.modules["pydantic"] = None
from analyte.cli import main
main()
"""
        done = run("simulate", "out", program=program)
        assert done.returncode == 5
        assert "pip install 'analyte[train]'" in only_line(done)

    def test_file_that_ends_early_is_not_ctrl_c(self) -> None:
        done = failing("raise EOFError('file ended')")
        assert done.returncode == 1
        assert "unexpected EOFError: file ended" in done.stderr
        assert "Ctrl-C" not in done.stderr

    @pytest.mark.parametrize("code", [0, 4, 130])
    def test_exit_of_a_command(self, code: int) -> None:
        """``train`` leaves with 130 after Ctrl-C although it keeps the best epoch."""
        done = failing(f"raise click.exceptions.Exit({code})")
        assert (done.returncode, done.stderr) == (code, "")

    def test_exit_of_a_command_whose_camera_hangs(self) -> None:
        """The interpreter does not take itself apart around a driver's thread."""
        hang = "atexit.register(print, 'taken apart'); "
        hang += "threading.Thread(target=time.sleep, args=(60,), name='camera', daemon=True).start(); "
        result = failing(
            f"import atexit, threading, time; {hang}print('said'); raise click.exceptions.Exit(6)"
        )
        assert (result.returncode, result.stdout) == (6, "said\n")

    @pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
    def test_closed_streams_take_no_other_file(self, closed: str, tmp_path: Path) -> None:
        """A file that got the number 2 would hold what libraries print."""
        store = tmp_path / "store"
        body = f"file = open({str(store)!r}, 'wb'); assert file.fileno() > 2; click.echo('said'); "
        body += "os.write(2, b'printed by a library'); sys.stdout.buffer.flush(); file.write(b'kept')"
        program = f"""
import os, sys, types, click
module = types.ModuleType("analyte.train.commands.train")
@click.command("train")
def command():
    {body}
module.command = command
sys.modules["analyte.train.commands.train"] = module
from analyte.cli import main
main()
"""
        done = subprocess.run(
            ["/bin/sh", "-c", f'exec "$0" -c "$1" train {closed}', sys.executable, program],
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done
        assert store.read_bytes() == b"kept"
        assert done.stdout == (b"" if "1>" in closed else b"said\n")

    def test_success(self) -> None:
        assert failing("click.echo('done')").returncode == 0


class TestCtrlC:
    def test_raised(self) -> None:
        done = failing("raise KeyboardInterrupt")
        assert done.returncode == 130
        assert done.stderr.strip() == "analyte: stopped by Ctrl-C"

    def test_signal(self, tmp_path: Path) -> None:
        ready = tmp_path / "ready"
        program = (
            "import sys, types, time, pathlib, click\n"
            "module = types.ModuleType('analyte.train.commands.train')\n"
            "def wait(): pathlib.Path(sys.argv[-1]).touch(); time.sleep(50)\n"
            "module.command = click.Command('train', callback=lambda path: wait(),\n"
            "                               params=[click.Argument(['path'])])\n"
            "sys.modules['analyte.train.commands.train'] = module\n"
            "from analyte.cli import main\nmain()"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", program, "train", str(ready)], stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 30
        while not ready.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 130
        assert errors.strip() == "analyte: stopped by Ctrl-C"


class TestBadInput:
    """Real commands: nothing is written, and TensorFlow is not even started."""

    def refused(self, tmp_path: Path, *arguments: str) -> str:
        before = sorted(tmp_path.rglob("*"))
        done = run(*arguments)
        assert done.returncode == 3
        assert not done.stdout
        assert sorted(tmp_path.rglob("*")) == before
        return only_line(done)

    def test_labels(self, tmp_path: Path) -> None:
        data = write_dataset(tmp_path / "d", ["a.png,five", "gone.png,1"])
        line = self.refused(tmp_path, "train", str(data), "-o", str(tmp_path / "run"))
        assert "row 2: value 'five' is not a number; row 3: no such picture 'gone.png'" in line

    def test_one_group(self, tmp_path: Path) -> None:
        data = write_dataset(tmp_path / "d", ["a.png,1,g", "b.png,2,g"], header="path,value,group")
        line = self.refused(tmp_path, "train", str(data), "-o", str(tmp_path / "run"))
        assert "one group only" in line

    def test_output_exists(self, tmp_path: Path) -> None:
        data = write_dataset(tmp_path / "d")
        line = self.refused(tmp_path, "train", str(data), "-o", str(data))
        assert line == f"{data}: exists already. Choose another name or pass --overwrite"

    def test_no_bundle(self, tmp_path: Path) -> None:
        line = self.refused(tmp_path, "read", str(tmp_path), "p.png")
        wanted = "a folder with manifest.json, or a file of 'analyte bundle pack'"
        assert line == f"{tmp_path}: not a bundle; expected {wanted}"
