"""Measures rest-auth against its peers. Run by `make bench`, which builds and installs what this
needs.

Writes RESULTS.md and results.svg beside this file, prints the table, and ends with status 1 if a
target is missed.
"""

import argparse
import signal
import sys

from harness import (audit_chapters, chapters, chart, import_chapters, machine, operator_chapters,
                     postgres_chapters, report, storm_chapters, timing_chapter)
from harness.chapters import Effort

ROOMS = [chapters, audit_chapters, storm_chapters, timing_chapter, import_chapters, postgres_chapters,
         operator_chapters]
CHAPTERS = {chapter.__name__.replace("_", "-"): chapter for room in ROOMS for chapter in room.CHAPTERS}

# The picture shows what other programs do beside ours; the table has everything.
PICTURED = {"token-route", "verify", "passwords", "refreshes", "memory", "first-answer", "login-storm", "imports"}

FULL = Effort(rounds=5, seconds=3, launches=10)
QUICK = Effort(rounds=1, seconds=2, launches=3)


def main():
    parser = argparse.ArgumentParser(prog="dev/bench", description="Measures rest-auth against its peers.")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything works")
    parser.add_argument("--only", nargs="+", choices=CHAPTERS, metavar="CHAPTER",
                        help="measure only " + ", ".join(CHAPTERS))
    options = parser.parse_args()
    effort = QUICK if options.quick else FULL
    # The servers are stopped and their files removed on the way out, so leave by an exception.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))

    machine.check()
    busy = machine.busy_percent()
    if busy > 5:
        print(f"warning: the machine is {busy:.0f} % busy with other work; expect noise", file=sys.stderr)
    figures, pictured = [], []
    for name, chapter in CHAPTERS.items():
        if not options.only or name in options.only:
            print(f"measuring: {name}", file=sys.stderr)
            measured = chapter(effort)
            figures += measured
            if name in PICTURED:
                pictured += measured

    # The published results are those of a whole, full run.
    is_whole = not options.quick and not options.only
    directory = machine.BENCHMARKS if is_whole else machine.SCRATCH
    (directory / "RESULTS.md").write_text(report.document(figures, machine.description(busy), effort))
    (directory / "results.svg").write_text(chart.svg(pictured))
    print(report.table(figures))

    missed = [figure for figure in figures if figure.is_missed]
    for figure in missed:
        ratio = f", {report.number(figure.ratio)} of {figure.peer}" if figure.peer else ""
        ours = f"{report.number(figure.ours)} {figure.unit}"
        print(f"missed: {figure.subject}: {ours}{ratio} (target {figure.target.text})", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except machine.BenchmarkError as error:
        sys.exit(f"bench: {error}")
