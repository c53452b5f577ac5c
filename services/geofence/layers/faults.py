"""What is wrong with a file that should become a layer, and what is only worth knowing."""

from dataclasses import dataclass

MOST_FAULTS = 100
# Codes of bytes that nobody can read, other than of a layer that means nothing.
UNREADABLE = frozenset(
    {"empty-body", "malformed-json", "malformed-zip", "malformed-xml", "malformed-file",
     "dtd-forbidden", "bad-encoding", "duplicate-key", "too-deep"}
)  # fmt: skip
OVERSIZED = frozenset({"too-large", "too-complex", "too-slow"})


@dataclass(frozen=True, slots=True)
class LayerFault:
    """One thing wrong: the feature by its code, the place as a JSON pointer, what it is."""

    feature: str
    pointer: str
    code: str
    detail: str


class LayerInvalid(Exception):
    """A file that is no usable layer, with its validity report."""

    def __init__(self, faults: list[LayerFault]) -> None:
        first = faults[0]
        super().__init__(f"{len(faults)} faults; first {first.pointer}: {first.detail}")
        self.faults = faults

    @property
    def status(self) -> int:
        """Return the HTTP status: 400 unreadable, 413 too much, 422 without meaning."""
        code = self.faults[0].code
        return 400 if code in UNREADABLE else 413 if code in OVERSIZED else 422


@dataclass(frozen=True, slots=True)
class LayerWarning:
    """What an importer should know of a layer that was taken in; features by their codes."""

    code: str
    detail: str
    features: tuple[str, ...] = ()


def whole_file(code: str, detail: str) -> LayerInvalid:
    """Make the refusal of a file as a whole."""
    return LayerInvalid([LayerFault("", "", code, detail)])
