"""The corpus of short notebooks (``integration/corpus/THEME.py``) on real kernel processes, without a cluster.

To try cases while working on the shim::

    cd actors/kernel/python/tests
    python -m corpus THEME|FILE… [--case PART_OF_NAME]… [--way standby|rebuild|ping-pong|control]… [--seed N] [--jobs N] [--apart] [--no-audit]

prints one line for each failure (with its traceback) and a sum; without a THEME it runs every file. The same
cases are pytest cases in ``test_corpus.py``, for example ``pytest -k 'aliases-cycle'`` or
``pytest -k 'numpy and standby'``; there ``NBOS_TEST_HASHSEED`` chooses the PYTHONHASHSEED.

The ways: *standby* follows cell by cell and is asked at the end, after the full pass that comes before
a planned move; *rebuild* is a fresh process made from the manifest after the executor is gone, without a last word
from it (a crash); *ping-pong* changes the executor after every cell, in the same manner; *control* is a plain ipykernel.

The executors are audited (``nbos_kernel.audit``; ``NBOS_CORPUS_AUDIT=0`` turns it off): after every cell a scratch
process applies what the cell changed, and what comes out differently there is a failure of the case, although no
check may look at it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from replica import Child, Manifest, Result
from stock import StockKernel

CORPUS = Path(__file__).resolve().parents[4] / "integration" / "corpus"
WAYS = ("control", "standby", "rebuild", "ping-pong")
# Loading torch on a busy machine takes seconds.
CELL_DEADLINE = float(os.environ.get("NBOS_TEST_DEADLINE", "180"))
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# "open": known not to hold yet in every way; counted, and not expected.
_MARKS = frozenset({"alone", "pinned", "local", "open"})
_HEAD = re.compile(r"# %%[ \t]*(.*)$")
_CASE = re.compile(r"case:[ \t]*([a-z0-9_]+)((?:[ \t]*\[[a-z]+\])*)[ \t]*$")


@dataclass(frozen=True)
class Cell:
    code: str
    raises: str | None = None


@dataclass(frozen=True)
class Case:
    theme: str
    name: str
    marks: frozenset[str]
    cells: tuple[Cell, ...]
    check: str


@dataclass
class _Draft:
    name: str
    marks: frozenset[str]
    cells: list[Cell] = field(default_factory=list)
    check: str | None = None


def themes() -> list[Path]:
    return sorted(CORPUS.glob("*.py"))


def read(path: Path) -> list[Case]:
    """The cases of a file. Raises ValueError with the line of what is not in the format."""
    drafts: list[_Draft] = []
    lines: list[str] = []
    kind = raises = None

    def close() -> None:
        code = "\n".join(lines).strip("\n")
        lines.clear()
        if kind == "check":
            drafts[-1].check = code
        elif kind == "cell" and code:
            drafts[-1].cells.append(Cell(code, raises))

    for number, line in enumerate(path.read_text().splitlines(), 1):
        head = _HEAD.match(line)
        if head is None:
            lines.append(line)
            continue
        close()
        title, kind, raises = head.group(1).strip(), "cell", None
        case = _CASE.match(title)
        if case is not None:
            marks = frozenset(re.findall(r"\[([a-z]+)\]", case.group(2)))
            if marks - _MARKS:
                raise ValueError(f"{path}:{number}: unknown marks {sorted(marks - _MARKS)}")
            drafts.append(_Draft(case.group(1), marks))
        elif not drafts or drafts[-1].check is not None:
            raise ValueError(f"{path}:{number}: a cell outside a case")
        elif title == "check":
            kind = "check"
        elif title.startswith("raises "):
            raises = title.removeprefix("raises ").strip()
        elif title:
            raise ValueError(f"{path}:{number}: not a head of a cell: {line}")
    close()
    names = [draft.name for draft in drafts]
    for draft in drafts:
        if not draft.check or not draft.cells or names.count(draft.name) > 1:
            raise ValueError(f"{path}: case {draft.name} needs cells, a check and a name of its own")
    return [Case(path.stem, d.name, d.marks, tuple(d.cells), d.check or "") for d in drafts]


def packs(cases: Iterable[Case]) -> list[list[Case]]:
    """The cases by the kernels they run in."""
    together: list[Case] = []
    single: list[list[Case]] = []
    for case in cases:
        if "alone" in case.marks:
            single.append([case])
        else:
            together.append(case)
    return ([together] if together else []) + single


def run(cases: list[Case], way: str) -> dict[str, str | None]:
    """What is wrong with each case of one pack, by name. A case that fails beside others is run alone too."""
    if way == "rebuild":
        cases = [case for case in cases if "local" not in case.marks]
    problems = _WAYS[way](cases)
    if len(cases) > 1:
        for case in cases:
            together = problems[case.name]
            if together is not None:
                by_itself = _WAYS[way]([case])[case.name]
                verdict = "alone it passes" if by_itself is None else f"alone: {by_itself}"
                problems[case.name] = f"{together}\n[it ran beside {len(cases) - 1} others; {verdict}]"
    return problems


class _Pinned(Exception):
    """The right refusal of a cell that touches something pinned: the rest of the case does not apply."""


def _cell(child: Child | StockKernel, case: Case, cell: Cell) -> Result:
    result = child.execute(cell.code)
    text = "\n".join([cell.code, f"{result.ename}: {result.evalue}", result.stderr, *_traceback(result)])
    if result.ename == "PinnedError" and cell.raises != "PinnedError":
        assert "pinned" in case.marks and "'" in result.evalue, f"refused: {text}"
        return result
    if cell.raises is None:
        assert result.status == "ok", f"the cell failed: {text}"
    else:
        assert result.ename == cell.raises, f"the cell should raise {cell.raises}: {text}"
    _replicated(result, text)
    return result


def _replicated(result: Result, text: str) -> None:
    told = "\n".join(line for line in result.stderr.splitlines() if "NB0904" in line or "NB0905" in line)
    assert not told, f"not replicated: {text}\n{told}"


def _check(child: Child | StockKernel, case: Case) -> Result:
    """An ordinary cell, as a user's next one."""
    result = child.execute(case.check)
    if result.ename == "PinnedError" and "pinned" in case.marks:
        assert "'" in result.evalue, f"the refusal names no variable: {result.evalue}"
        return result
    assert result.status == "ok", "\n".join(
        ["the check failed: " + case.check, f"{result.ename}: {result.evalue}", *_traceback(result)])
    _replicated(result, case.check)
    return result


def _traceback(result: Result) -> list[str]:
    return [_COLOURS.sub("", line) for line in result.reply.get("traceback", [])[-3:]]


class _Problems:
    def __init__(self, cases: list[Case]) -> None:
        self.by_case: dict[str, str | None] = dict.fromkeys(case.name for case in cases)
        self._over: set[str] = set()

    @contextmanager
    def of(self, case: Case, number: int | None = None) -> Iterator[None]:
        try:
            yield
        except _Pinned:
            self._over.add(case.name)
        except (AssertionError, OSError) as error:
            where = "" if number is None else f"cell {number} of the case: "
            if self.by_case[case.name] is None:
                self.by_case[case.name] = f"{where}{error or type(error).__name__}"

    def over(self, case: Case) -> bool:
        return case.name in self._over


def _control(cases: list[Case]) -> dict[str, str | None]:
    problems = _Problems(cases)
    with tempfile.TemporaryDirectory(prefix="nbk", ignore_cleanup_errors=True) as home:
        kernel = StockKernel(home, CELL_DEADLINE)
        try:
            for case in cases:
                for number, cell in enumerate(case.cells, 1):
                    with problems.of(case, number):
                        _cell(kernel, case, cell)
            for case in cases:
                with problems.of(case):
                    _check(kernel, case)
        finally:
            kernel.end()
    return problems.by_case


def _standby(cases: list[Case]) -> dict[str, str | None]:
    problems, manifest = _Problems(cases), Manifest()
    with _hosts(2, audited=1) as (executor, standby):
        for case in cases:
            for number, cell in enumerate(case.cells, 1):
                with problems.of(case, number):
                    result = _cell(executor, case, cell)
                    manifest.take(result, executor.host)
                    _applied(manifest.follow(standby))
        manifest.barrier(executor)
        left_over = manifest.follow(standby)
        for case in cases:
            with problems.of(case):
                _check(standby, case)
                _applied(left_over)
    return problems.by_case


def _rebuild(cases: list[Case]) -> dict[str, str | None]:
    problems, manifest = _Problems(cases), Manifest()
    with _hosts(1, audited=1) as (executor,):
        cwd = executor.cwd
        for case in cases:
            for number, cell in enumerate(case.cells, 1):
                with problems.of(case, number):
                    manifest.take(_cell(executor, case, cell), executor.host)
        executor.end()
        with _hosts(1, cwd, first=2) as (fresh,):
            failed = manifest.restore(fresh)
            for case in cases:
                with problems.of(case):
                    _check(fresh, case)
                if failed and problems.by_case[case.name] is not None:
                    problems.by_case[case.name] = f"{problems.by_case[case.name]}\nnot applied: {failed}"
    return problems.by_case


def _ping_pong(cases: list[Case]) -> dict[str, str | None]:
    problems, manifest, turn = _Problems(cases), Manifest(), 0
    with _hosts(2, audited=2) as pair:
        for case in cases:
            for number, cell in enumerate([*case.cells, None], 1):
                if problems.over(case):
                    break
                runner, other = pair[turn % 2], pair[(turn + 1) % 2]
                turn += 1
                with problems.of(case, number if cell else None):
                    # What the check changes is followed like everything else.
                    result = _cell(runner, case, cell) if cell else _check(runner, case)
                    manifest.take(result, runner.host)
                    manifest.barrier(runner)
                    _applied(manifest.follow(other))
                    if cell and result.ename == "PinnedError" and cell.raises != "PinnedError":
                        raise _Pinned
    return problems.by_case


_WAYS = {"control": _control, "standby": _standby, "rebuild": _rebuild, "ping-pong": _ping_pong}


def _applied(failed: list[dict[str, object]]) -> None:
    assert not failed, f"not applied: {failed}"


def _audit() -> bool:
    return os.environ.get("NBOS_CORPUS_AUDIT", "1") != "0"


@contextmanager
def _hosts(count: int, cwd: str | None = None, first: int = 1, audited: int = 0) -> Iterator[list[Child]]:
    """Processes on different hosts that share a home directory; the first `audited` of them run cells."""
    home = cwd or tempfile.mkdtemp(prefix="nbk")
    children: list[Child] = []
    audited = audited if _audit() else 0
    try:
        for number in range(first, first + count):
            arguments = ["--audit"] if number - first < audited else []
            children.append(Child(f"h{number}", cwd=home, deadline=CELL_DEADLINE, arguments=arguments))
        yield [child.ready() for child in children]
    finally:
        for child in children:
            child.end()
        if cwd is None:
            shutil.rmtree(home, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="corpus", description="run cases of the corpus on kernel processes")
    parser.add_argument("themes", nargs="*", help="files, or names (or patterns) of files in integration/corpus")
    parser.add_argument("--case", action="append", help="only cases whose name contains this")
    parser.add_argument("--way", action="append", choices=WAYS)
    parser.add_argument("--seed", default="0", help="PYTHONHASHSEED of the kernels")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--audit", action=argparse.BooleanOptionalAction, default=_audit(),
                        help="executors compare what each delta makes elsewhere; any report is a failure (default: %(default)s)")
    parser.add_argument("--apart", action="store_true", help="every case in kernels of its own")
    args = parser.parse_args()
    os.environ["NBOS_TEST_HASHSEED"] = args.seed
    os.environ["NBOS_CORPUS_AUDIT"] = "1" if args.audit else "0"
    paths = [p for t in args.themes for p in ([Path(t)] if t.endswith(".py") else sorted(CORPUS.glob(f"{t}.py")))] or themes()
    failures = passed = 0
    with ThreadPoolExecutor(args.jobs) as pool:
        jobs = []
        for path in paths:
            cases = [c for c in read(path) if not args.case or any(part in c.name for part in args.case)]
            jobs += [(path.stem, way, pool.submit(run, pack, way)) for way in args.way or WAYS
                     for pack in ([[case] for case in cases] if args.apart else packs(cases))]
        for theme, way, job in jobs:
            for name, problem in job.result().items():
                if problem is None:
                    passed += 1
                else:
                    failures += 1
                    print(f"FAILED {theme}-{name}-{way}\n    " + problem.replace("\n", "\n    "), flush=True)
    print(f"{passed} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
