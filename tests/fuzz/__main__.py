"""python -m tests.fuzz --minutes 10: change files from outside at random, guided by what code they reach.

Each reader runs in a process of its own, under atheris (libFuzzer). A crash is anything but a `UserError`; a hang is
more than 5 seconds. What caused one is kept in `outputs/fuzz/`, and given again by `--reader NAME --again FILE`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from runner.errors import UserError
from tests.fuzz.readers import NAMES, readers

KEPT = Path("outputs/fuzz")
_HANG_SECONDS, _MAX_BYTES, _MEMORY_MB = 5, 20_000, 3000


def main() -> int:
    """Fuzz all readers, or one; return 0 if none crashed."""
    parser = argparse.ArgumentParser("python -m tests.fuzz")
    parser.add_argument("--minutes", type=float, default=10.0, help="for all readers together")
    parser.add_argument("--reader", choices=NAMES, help="one alone, in this process")
    parser.add_argument("--again", type=Path, help="a file that caused a crash")
    asked = parser.parse_args()
    if asked.again:
        return again(asked.reader, asked.again)
    if asked.reader:
        fuzz(asked.reader, 60 * asked.minutes)  # does not return
    failed = [name for name in NAMES if not in_a_process(name, asked.minutes / len(NAMES))]
    print(f"{', '.join(failed)}: see {KEPT}" if failed else "No crash, no hang.")
    return 1 if failed else 0


def in_a_process(name: str, minutes: float) -> bool:
    """Fuzz a reader, print a line, and return whether it held."""
    command = [sys.executable, "-m", "tests.fuzz", "--reader", name, "--minutes", str(minutes)]
    ended = subprocess.run(command, capture_output=True, text=True)
    runs = re.findall(r"stat::number_of_executed_units: (\d+)", ended.stderr)
    reached = re.findall(r"\bcov: (\d+)", ended.stderr)
    print(
        f"{name:12} {runs[-1] if runs else '?':>9} files, {reached[-1] if reached else '?':>5} places reached", end=""
    )
    print("" if not ended.returncode else f", FAILED\n{ended.stderr[-3000:]}", flush=True)
    return not ended.returncode


def fuzz(name: str, seconds: float) -> None:
    """Fuzz one reader; ends the process."""
    import atheris

    with atheris.instrument_imports(include=["runner"], enable_loader_override=False):
        for module in [module for module in sys.modules if module.partition(".")[0] in ("runner", "tests")]:
            del sys.modules[module]  # they come again, instrumented
        from runner.errors import UserError as Expected
        from tests.fuzz.readers import readers as instrumented

    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        reader = instrumented(Path(place) / "files")[name]()
        corpus = Path(place) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(reader.seeds):
            (corpus / str(number)).write_bytes(seed)
            with suppress(Expected):
                reader(seed)  # what is imported once is not taken for a hang

        def one(content: bytes) -> None:
            try:
                reader(content)
            except Expected:
                pass

        options = [f"-max_total_time={max(1, round(seconds))}", f"-timeout={_HANG_SECONDS}", f"-max_len={_MAX_BYTES}"]
        options += [f"-rss_limit_mb={_MEMORY_MB}", f"-artifact_prefix={KEPT}/{name}-", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, str(corpus)], one)
        atheris.Fuzz()


def again(name: str, path: Path) -> int:
    """Read a file that caused a crash, with its traceback."""
    with tempfile.TemporaryDirectory() as place:
        try:
            readers(Path(place))[name]()(path.read_bytes())
        except UserError as error:
            print(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
