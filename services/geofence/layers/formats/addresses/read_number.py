"""Read a number as people write it."""


def read_number(text: str) -> float:
    """Return the number that a text is.

    Raises:
        ValueError: it is none.
    """
    # Python takes -7_2.5 for -72.5.
    if "_" in text:
        raise ValueError("no number")
    return float(text)
