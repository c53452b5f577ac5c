"""The one lasting folder of a checkout: servers' data, keys, passwords and ledgers."""

import hashlib
import os
import stat
from pathlib import Path

from ctalert.embedded.account import EmbeddedError

CHECKOUT = Path(__file__).resolve().parent.parent


def open_data_folder(beneath: Path = Path("/var/tmp")) -> Path:  # noqa: S108  its owner and mode are checked
    """Return the data folder, made where there is none; CTALERT_DATA overrides where it lies.

    Raises:
        EmbeddedError: somebody else could change what lies in it.
    """
    given = os.environ.get("CTALERT_DATA")
    mark = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:10]
    uid = os.geteuid()
    folder = Path(given).absolute() if given else beneath / f"ctalert-{uid}-{mark}"
    # The servers of root's commands run as another user and pass through it.
    mode = 0o711 if uid == 0 else 0o700
    folder.mkdir(mode=mode, parents=bool(given), exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid:
        raise EmbeddedError(f"{folder} is not a folder of ours: choose another in CTALERT_DATA")
    folder.chmod(mode)
    return folder
