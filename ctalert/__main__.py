"""`python -m ctalert COMMAND`: what ctl and the image call."""

import sys

from ctalert.cli import main

if __name__ == "__main__":
    sys.exit(main())
