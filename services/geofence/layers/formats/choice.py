"""Which of a file's inner layers is meant: never guessed where there is more than one."""

from collections.abc import Sequence

from services.geofence.layers.faults import whole_file

LONGEST = 200


def choose(names: Sequence[str], wanted: str | None) -> str:
    """Return the only layer, or the one of the name that is given.

    Raises:
        LayerInvalid: there is none, several without a name given, or not one of that name.
    """
    if any(len(name) > LONGEST or not name.isprintable() for name in names):
        raise whole_file("malformed-file", "The name of an inner layer is no name.")
    if not names:
        raise whole_file("empty-layer", "The file holds no layer of the geometry that is needed.")
    if wanted is None:
        if len(names) > 1:
            raise whole_file(
                "layer-required", f"The file holds {len(names)} such layers: name the one meant."
            )
        return names[0]
    found = [name for name in names if name == wanted]
    if len(found) != 1:
        known = "several layers" if found else "no such layer"
        raise whole_file("unknown-inner-layer", f"The file holds {known} of that name.")
    return found[0]
