"""Find the geometry of the shapes that a request only names: features, geocodes, saved areas."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import shapely
from shapely.geometry.base import BaseGeometry

from services.geofence.areas.shapes.geocodes import (
    Meaning,
    WholeCountry,
    divisions_of,
    meaning_of,
    towns_of,
)
from services.geofence.areas.shapes.refusals import ShapesRefused
from services.geofence.areas.shapes.shape import Coded, Given, Named, Saved, Shape, of_kind
from services.geofence.layers.find_features import find_features
from services.geofence.layers.geometry import GeometryRefused
from services.geofence.layers.kinds import Feature, Layer
from services.geofence.saved.find_saved import find_saved
from shared.connecticut import Town
from shared.db.session import Tx


@dataclass(frozen=True, slots=True, order=True)
class LayerUsed:
    """A layer version that an area was made with."""

    kind: str
    version: int
    digest: str


@dataclass(slots=True)
class Found:
    """The geometries of what is named, in degrees WGS 84, and the layers they came from."""

    features: list[BaseGeometry] = field(default_factory=list)
    saved: list[BaseGeometry] = field(default_factory=list)
    layers: set[LayerUsed] = field(default_factory=set)

    @property
    def given(self) -> Given:
        """Return the geometries alone."""
        return Given(tuple(self.features), tuple(self.saved))

    def take(self, layer: Layer, features: Iterable[Feature]) -> None:
        """Add features of a layer."""
        self.layers.add(LayerUsed(layer.kind, layer.version, layer.digest))
        self.features.extend(feature.geometry for feature in features)


async def find_shapes(tx: Tx, shapes: Sequence[Shape]) -> Found:
    """Return the geometries of the shapes that name something: of all of them or none.

    Raises:
        GeometryRefused: something named is not there; of geocodes all that are unknown.
    """
    found = Found()
    by_layer: dict[tuple[str, int | None], list[Named]] = defaultdict(list)
    for shape in of_kind(shapes, Named):
        by_layer[shape.kind, shape.version].append(shape)
    for asked in by_layer.values():
        await _find_named(tx, asked, found)
    coded = list(of_kind(shapes, Coded))
    if coded:
        await _find_coded(tx, coded, found)
    for saved in of_kind(shapes, Saved):
        await _find_saved(tx, saved, found)
    return found


async def _find_named(tx: Tx, asked: Sequence[Named], found: Found) -> None:
    """Find features of one layer; counties and planning regions are their towns."""
    kind, version = asked[0].kind, asked[0].version
    known = [divisions_of(kind, code=shape.code, name=shape.name) for shape in asked]
    codes = {
        shape.code
        for shape, its_own in zip(asked, known, strict=True)
        if shape.code is not None and not its_own
    }
    names = {shape.name.lower() for shape in asked if shape.name is not None}
    by_code = await _features(tx, kind, version=version, codes=codes) if codes else None
    by_name = await _features(tx, kind, version=version, names=names) if names else None
    layer = (by_code or by_name or (None,))[0]
    if layer is None and not all(known):
        what = "of this kind is imported" if version is None else "of this version is there"
        member = "kind" if version is None else "version"
        first = asked[[bool(one) for one in known].index(False)]
        raise GeometryRefused("unknown-layer", f"{first.pointer}/{member}", f"No layer {what}.")
    code_of = {one.code: [one] for one in by_code[1]} if by_code else {}
    name_of: dict[str, list[Feature]] = defaultdict(list)
    for one in by_name[1] if by_name else ():
        name_of[one.name.lower()].append(one)
    matches: list[dict[str, Feature | None]] = []
    for shape, its_own in zip(asked, known, strict=True):
        some = code_of.get(shape.code, []) if shape.code else name_of[str(shape.name).lower()]
        matches.append({one.code: one for one in some} | dict.fromkeys(its_own))
    unknown = [_unknown(shape) for shape, some in zip(asked, matches, strict=True) if not some]
    if unknown:
        raise ShapesRefused(unknown)
    for shape, match in zip(asked, matches, strict=True):
        if len(match) > 1:
            detail = f"Several features: name a code of {', '.join(match)}."
            raise GeometryRefused("ambiguous-name", f"{shape.pointer}/name", detail)
    await _take_towns_named(tx, asked, matches, found)
    drawn = {
        code: one
        for match in matches
        for code, one in match.items()
        if one and not towns_of(kind, code)
    }
    if layer and drawn:
        found.take(layer, drawn.values())


async def _take_towns_named(
    tx: Tx, asked: Sequence[Named], matches: Sequence[Collection[str]], found: Found
) -> None:
    """Take the towns that features stand for, however the layer draws those features."""
    divided = [
        (shape, some)
        for shape, match in zip(asked, matches, strict=True)
        if (some := [town for code in match for town in towns_of(shape.kind, code)])
    ]
    if not divided:
        return
    first = divided[0][0]
    if first.version is not None:
        detail = "It stands for its towns in the layer in force, and has no version."
        raise GeometryRefused("unknown-layer", f"{first.pointer}/version", detail)
    towns = {town.geoid: town for _, some in divided for town in some}
    await _take_towns(tx, _place(first), list(towns.values()), found)


def _unknown(shape: Named) -> GeometryRefused:
    member = "code" if shape.code is not None else "name"
    return GeometryRefused("unknown-feature", _place(shape), f"The layer has no such {member}.")


def _place(shape: Named) -> str:
    """Return the pointer to what names a feature."""
    return f"{shape.pointer}/{'code' if shape.code is not None else 'name'}"


async def _find_coded(tx: Tx, asked: Sequence[Coded], found: Found) -> None:
    """Find all that geocodes stand for; one that is unknown refuses all, and each is named."""
    meanings = [(shape, _meaning(shape)) for shape in asked]
    faults = [_unknown_code(shape) for shape, meaning in meanings if meaning is None]
    known = [(shape, meaning) for shape, meaning in meanings if meaning is not None]
    towns = {town.geoid: town for _, meaning in known for town in meaning.towns}
    if towns:
        first = next(shape for shape, meaning in known if meaning.towns)
        await _take_towns(tx, f"{first.pointer}/value", list(towns.values()), found)
    for kind in dict.fromkeys(meaning.kind for _, meaning in known if meaning.kind):
        some = [(shape, meaning) for shape, meaning in known if meaning.kind == kind]
        faults += await _take_features(tx, str(kind), some, found)
    if faults:
        order = {f"{shape.pointer}/value": number for number, shape in enumerate(asked)}
        raise ShapesRefused(sorted(faults, key=lambda one: order[one.pointer]))


def _meaning(shape: Coded) -> Meaning | None:
    try:
        return meaning_of(shape.scheme, shape.value)
    except WholeCountry:
        raise GeometryRefused(
            "whole-country", f"{shape.pointer}/value", "000000 is the whole country.", status=403
        ) from None


def _unknown_code(shape: Coded, detail: str = "Nobody knows this code here.") -> GeometryRefused:
    return GeometryRefused("unknown-geocode", f"{shape.pointer}/value", detail)


async def _take_towns(tx: Tx, at: str, towns: Sequence[Town], found: Found) -> None:
    """Take towns from the town layer, which may know them by either of their codes."""
    codes = {code for town in towns for code in (town.geoid, town.geoid_2022)}
    some = await _features(tx, "town", codes=codes)
    if some is None:
        raise GeometryRefused("unknown-layer", at, "No layer of towns is imported.")
    layer, features = some
    by_code = {one.code: one for one in features}
    matches = [by_code.get(town.geoid) or by_code.get(town.geoid_2022) for town in towns]
    missing = sum(one is None for one in matches)
    if missing:
        # A county without one of its towns would leave people out in silence.
        detail = f"The layer of towns lacks {missing} of the towns that the code stands for."
        raise GeometryRefused("incomplete-layer", at, detail)
    found.take(layer, (one for one in matches if one is not None))


async def _take_features(
    tx: Tx, kind: str, asked: Sequence[tuple[Coded, Meaning]], found: Found
) -> list[GeometryRefused]:
    codes = {str(meaning.code) for _, meaning in asked}
    some = await _features(tx, kind, codes=codes)
    if some is None:
        if kind == "nws_zone":
            detail = "No layer of forecast zones is imported."
            return [
                GeometryRefused("unknown-layer", f"{shape.pointer}/value", detail)
                for shape, _ in asked
            ]
        return [_unknown_code(shape) for shape, _ in asked]
    layer, features = some
    by_code = {one.code: one for one in features}
    lost = [shape for shape, meaning in asked if str(meaning.code) not in by_code]
    if not lost:
        found.take(layer, by_code.values())
    return [_unknown_code(shape, "The layer has no such code.") for shape in lost]


async def _find_saved(tx: Tx, shape: Saved, found: Found) -> None:
    saved = await find_saved(tx, shape.saved_area_id, version=shape.version)
    if saved is None:
        raise GeometryRefused("unknown-saved-area", shape.pointer, "There is no such saved area.")
    found.saved.append(shapely.from_wkb(saved.outcome.wkb))
    found.layers |= {LayerUsed(one.kind, one.version, one.digest) for one in saved.outcome.layers}


async def _features(
    tx: Tx,
    kind: str,
    *,
    version: int | None = None,
    codes: Collection[str] | None = None,
    names: Collection[str] | None = None,
) -> tuple[Layer, list[Feature]] | None:
    return await find_features(
        tx,
        kind,
        version=version,
        codes=None if codes is None else sorted(codes),
        names=None if names is None else sorted(names),
    )
