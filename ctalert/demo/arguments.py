"""What the demo is asked for, checked before anything is started."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctalert.demo.message import NoWords, read_words
from shared.connecticut import town_by_name


@dataclass(frozen=True, slots=True)
class Asked:
    """A demo: of a file's words over these towns, or of its own words where there are none."""

    once: bool
    json: bool
    residents: int
    words: Sequence[dict[str, str]]
    towns: Sequence[str]


def read_arguments(arguments: list[str]) -> Asked:
    """Return what is asked for; exit with 2 and one sentence where it cannot be done."""
    parser = argparse.ArgumentParser(prog="ctl demo")
    parser.add_argument("--once", action="store_true", help="stop after the report")
    parser.add_argument(
        "--json", action="store_true", help="the report as one JSON line at the end"
    )
    parser.add_argument("--cap", type=_words, help="a CAP message whose words are sent, dated now")
    parser.add_argument("--towns", type=_towns, help="NAME,…: over these towns' boundaries")
    parser.add_argument("--residents", type=at_least(1), default=10_000)
    options = parser.parse_args(arguments)
    if (options.cap is None) != (options.towns is None):
        parser.error("--cap and --towns go together")
    return Asked(
        once=options.once, json=options.json, residents=options.residents,
        words=options.cap or (), towns=options.towns or (),
    )  # fmt: skip


def at_least(least: int) -> Callable[[str], int]:
    """Return the reader of a whole number that may not be lower, for `type=` of an argument."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
        if number < least:
            raise argparse.ArgumentTypeError(f"{number} is less than {least}")
        return number

    return read


def _words(text: str) -> list[dict[str, str]]:
    try:
        return read_words(Path(text))
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text} cannot be read: {error.strerror}") from None
    except NoWords as error:
        raise argparse.ArgumentTypeError(f"{text} {error}") from None


def _towns(text: str) -> tuple[str, ...]:
    """Return each town that is named, once, as the gazetteer writes it."""
    names = []
    for name in filter(None, map(str.strip, text.split(","))):
        town = town_by_name(name)
        if town is None:
            raise argparse.ArgumentTypeError(f"Connecticut has no town {name!r}")
        names.append(town.name)
    if not names:
        raise argparse.ArgumentTypeError("it names no town")
    return tuple(dict.fromkeys(names))
