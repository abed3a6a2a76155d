"""`python -m bench [NAME ...]`: run the measured comparisons and keep their figures.

Times on a shared machine drift; so each benchmark measures a named reference in the
same run and prints the ratio. The figures also go to ``build/bench/NAME.json``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import bank, batch, downloads, line, lines, link, payment, session

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER: Final = Path("build/bench")
BENCHMARKS: Final[dict[str, Callable[[], dict[str, object]]]] = {
    "payment": payment.measure,
    "line": line.measure,
    "link": link.measure,
    "lines": lines.measure,
    "session": session.measure,
    "batch": batch.measure,
    "downloads": downloads.measure,
    "bank": bank.measure,
}


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all of them; 1 when a target is missed."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.stderr.write(f"no benchmark {unknown}; there are {[*BENCHMARKS]}\n")
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    missed = False
    for name in names or BENCHMARKS:
        figures = BENCHMARKS[name]()
        (FOLDER / f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n")
        missed |= figures["target_met"] is not True
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
