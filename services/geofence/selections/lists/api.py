"""HTTP in: lists of addresses, streets and files that become shapes of an area."""

import asyncio
from typing import Annotated

import shapely
from fastapi import APIRouter, Query, Request

from services.geofence.areas.answers import refused
from services.geofence.areas.compose import compose
from services.geofence.areas.find_parts import find_parts
from services.geofence.areas.measure import area_km2
from services.geofence.areas.workshop.pool import Workshop
from services.geofence.layers.faults import LayerInvalid
from services.geofence.layers.formats.media import BOUNDARIES, MEDIA
from services.geofence.layers.geometry import GeometryRefused
from services.geofence.layers.intake import refused_layer
from services.geofence.selections.lists.address_list import read_list
from services.geofence.selections.lists.answers import (
    FileRead,
    ListMatched,
    StreetBody,
    StreetMatched,
    UnmatchedNumber,
    UnmatchedRow,
    dots,
    layers_of,
)
from services.geofence.selections.lists.match_list import match_list
from services.geofence.selections.lists.match_street import Stretch, match_street
from services.geofence.selections.lists.read_upload import read_upload
from shared.db.session import Database
from shared.security.principal import Principal
from shared.web.auth import require
from shared.web.errors import bad_request, unsupported_media
from shared.web.limits import Limits

LARGEST_BODY = 512_000
LISTS_A_MINUTE, PER_S = 60, 60
# Each file is read by a process of its own.
FILES_AT_ONCE = 2

Radius = Annotated[float, Query(ge=1, le=1_000, allow_inf_nan=False, examples=[30])]
Words = Annotated[str | None, Query(min_length=1, max_length=200, examples=["closures"])]


def make_router(*, database: Database, workshop: Workshop, limits: Limits) -> APIRouter:
    """Make the routes of lists."""
    router = APIRouter(prefix="/v1/areas", tags=["selections"])
    reading = asyncio.Semaphore(FILES_AT_ONCE)

    async def brake(who: Principal) -> None:
        key = f"selections:{who.kind}:{who.subject}"
        await limits.hit(None, key, limit=LISTS_A_MINUTE, per_s=PER_S)

    @router.post("/addresses", max_body_size=LARGEST_BODY, openapi_extra=_LIST)
    async def post_addresses(
        request: Request, radius_m: Radius = 30.0, who: Principal = require("manager")
    ) -> ListMatched:
        """Try a list of addresses or points: the shapes it comes to, and every row left out.

        CSV in UTF-8 with commas, semicolons or tabs, and a header: address, or number and street,
        with town and postal code; or lon and lat. A row whose columns do not agree is left out as
        `contradictory`. Nothing of it is kept.
        """
        _expect(request, "text/csv")
        await brake(who)
        read = await asyncio.to_thread(read_list, await request.body())
        async with database.transaction() as tx:
            found = await match_list(tx, read)
        return ListMatched(
            rows=read.rows,
            blank=read.blank,
            matched=found.rows,
            points=len(found.points),
            columns=list(read.columns),
            unmatched=[
                UnmatchedRow(row=one.row, reason=one.reason, column=one.column, near=[*one.near])
                for one in found.unmatched
            ],
            shapes=dots(found.points, radius_m),
            layer_versions=layers_of(found.layer),
        )

    @router.post("/streets")
    async def post_streets(body: StreetBody, who: Principal = require("manager")) -> StreetMatched:
        """Find the addresses of a street, a stretch or a side of it, as shapes of an area.

        A number whose points lie too far apart to be one place is left out, and named; so are those
        of a street whose name is written otherwise and may be the same. Addresses in groups far
        from one another may be several streets: they are refused as `ambiguous`.
        """
        await brake(who)
        stretch = Stretch(body.street, body.town, body.first, body.last, body.side, body.postal)
        async with database.transaction() as tx:
            found = await match_street(tx, stretch)
        return StreetMatched(
            addresses=found.addresses,
            beside=found.beside,
            points=len(found.points),
            unmatched=[
                *(UnmatchedNumber(number=one, reason="ambiguous") for one in found.ambiguous),
                *(
                    UnmatchedNumber(number=one, reason="written-otherwise")
                    for one in found.otherwise
                ),
            ],
            shapes=dots(found.points, body.radius_m),
            layer_versions=layers_of(found.layer),
        )

    @router.post("/upload", max_body_size=LARGEST_BODY, openapi_extra=_FILE)
    async def post_upload(
        request: Request, layer: Words = None, who: Principal = require("manager")
    ) -> FileRead:
        """Read a file that draws an area: the shapes in it, in degrees WGS 84.

        GeoJSON, a ZIP archive with a shapefile, GeoPackage, KML or KMZ by their Content-Type, in
        any reference system that the file names; `layer` names one of several. What is drawn in a
        file is held to the same limits as what is drawn by hand. Nothing of it is kept.
        """
        media = _expect(request, *(one for one, kind in MEDIA.items() if kind in BOUNDARIES))
        await brake(who)
        data = await request.body()
        try:
            async with reading:
                shapes = await asyncio.to_thread(read_upload, data, media, layer=layer)
            async with database.transaction() as tx:
                parts = await find_parts(tx, {"include": shapes})
            composed = await compose(parts, workshop=workshop)
        except LayerInvalid as error:
            raise refused_layer(error) from None
        except GeometryRefused as error:
            raise refused(error, at="") from None
        geometry = composed.area.geometry
        return FileRead(
            shapes=shapes,
            area_km2=round(area_km2(geometry), 3),
            vertices=int(shapely.get_num_coordinates(geometry)),
            bounds=geometry.bounds,
        )

    return router


_LIST = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "example": "number,street,town,lon,lat\n12,Main Street,Andover,,\n"
                ",,,-72.3761,41.7331\n",
            }
        },
    }
}
_FILE = {
    "requestBody": {
        "required": True,
        "content": {
            "application/geo+json": {
                "schema": {"type": "object", "required": ["type"]},
                "example": {
                    "type": "Feature",
                    "properties": {},
                    "geometry": {
                        "type": "Polygon",
                        "coordinates": [
                            [[-72.4, 41.7], [-72.3, 41.7], [-72.3, 41.8], [-72.4, 41.7]]
                        ],
                    },
                },
            }
        },
    }
}


def _expect(request: Request, *media: str) -> str:
    """Return the media type of a body if it is one of these."""
    given, *parameters = request.headers.get("content-type", "").lower().split(";")
    if given.strip() not in media:
        raise unsupported_media(media[0])
    charsets = [one.partition("=")[2].strip(' "') for one in parameters if "charset" in one]
    if any(charset not in ("utf-8", "utf8") for charset in charsets):
        raise bad_request("bad-encoding", "Send the body as UTF-8.")
    return given.strip()
