"""Languages as small numbers, so that a person's takes two bytes."""

from collections.abc import Iterable

# Two bytes less three bits for channels; 0 is no language, and who is one too many has none.
MOST = 2**13


class Languages:
    """Grows, never shrinks; a language's number stays the same for the life of the index."""

    def __init__(self, tags: Iterable[str] = ("",)) -> None:
        self.tags = list(tags)
        self._numbers = {tag: number for number, tag in enumerate(self.tags)}

    def number(self, tag: str) -> int:
        """Return the number of a language tag, giving a new one to a tag not met before."""
        number = self._numbers.get(tag)
        if number is None:
            if len(self.tags) >= MOST:
                return 0
            number = self._numbers[tag] = len(self.tags)
            self.tags.append(tag)
        return number
