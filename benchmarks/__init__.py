"""One file per figure in docs/performance.md; each has `measure(options) -> list[Row]`."""
