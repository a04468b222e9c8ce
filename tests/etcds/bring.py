"""``python -m tests.etcds.bring``: has each etcd that the tests know in ``.etcds``; quick where all are there.

Ends with 1, and words, where one can't be brought on this machine.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.etcds.missing import Missing
from tests.etcds.sources import Source, chosen, reported


def bring(sources: list[Source]) -> list[str]:
    """Bring those that are not here; return what stopped it, a text for each that is still missing."""
    problems = []
    for source in sources:
        if source.find() is not None:
            continue
        print(f"etcd {source.version}: from {source.words} ...", file=sys.stderr, flush=True)
        begun = time.monotonic()
        try:
            source.bring()
        except Missing as error:
            problems.append(f"etcd {source.version} is missing: {error}")
            continue
        path = source.find()
        assert path is not None
        print(f"etcd {reported(path)}: {path.parent}, {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return problems


def versions_of(parser: argparse.ArgumentParser) -> None:
    """Let a command line choose versions."""
    parser.add_argument(
        "--versions", default="", help="some of them, with spaces or commas; 3.5 is all of 3.5; all where none is named"
    )


def sources_of(parser: argparse.ArgumentParser, given: argparse.Namespace) -> list[Source]:
    """Return the sources that a command line has chosen; ends with 2 where there is no such version."""
    try:
        return chosen(given.versions.replace(",", " ").split())
    except LookupError as error:
        parser.error(str(error))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    versions_of(parser)
    problems = bring(sources_of(parser, parser.parse_args()))
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
