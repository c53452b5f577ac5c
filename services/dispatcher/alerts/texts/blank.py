"""Texts that hold characters and show a reader nothing."""

import unicodedata

# Separators, controls, formats such as zero-width spaces, and marks with no letter under them.
_UNSEEN = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Mn"})
# Hangul fillers and the Braille pattern of no dots: letters and symbols by category.
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def is_blank(text: str) -> bool:
    """Tell whether nothing of a text can be seen; joiners inside words are no matter."""
    return all(unicodedata.category(letter) in _UNSEEN or letter in _FILLERS for letter in text)
