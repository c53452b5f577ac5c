"""The index on disk: the same answers after it, and no file is believed that might be wrong."""

import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import shapely

from services.geofence.index.change import forget
from services.geofence.index.columns import Sorted
from services.geofence.index.grid import state_grid
from services.geofence.index.live_index import LiveIndex
from services.geofence.index.snapshots import snapshot as module
from services.geofence.index.snapshots.columns_file import MAGIC, NotTrusted, read_columns
from services.geofence.index.snapshots.keeper import SnapshotKeeper
from services.geofence.index.snapshots.snapshot import FILE, OLDEST, read_snapshot
from tests.fakes import StillClock
from tests.unit.geofence.oracle import CENTRE, Answer, ask, change, ident, make_index, no_places

X, Y = map(float, CENTRE)
AREA = shapely.box(X - 0.1, Y - 0.1, X + 0.1, Y + 0.1)
INSIDE, OUTSIDE, NEAR = (X, Y, 0.0), (X + 0.2, Y, 0.0), (X + 0.1001, Y, 50.0)
OFFSETS = {0: 40, 1: 7}
FIRST, END = {0: 0, 1: 0}, {0: 90, 1: 7}
NOW = {"topic_id": "this", "first": FIRST, "end": END}


def some_index() -> LiveIndex:
    """Return an index with sorted, fresh, uncertain, moved and forgotten places."""
    index = make_index(no_places(), 0, grid=state_grid())
    index.apply([change(number, 1, INSIDE, OUTSIDE) for number in range(50)])
    index.apply([change(60, 1, NEAR)])
    index.end_merge(index.begin_merge()())
    index.apply([change(1, 2, OUTSIDE), forget(ident(2)), change(70, 3, INSIDE)])
    return index


ANSWER = Answer(frozenset({0, *range(3, 50), 70}), frozenset({60}))


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def keeper(tmp_path: Path, clock: StillClock) -> SnapshotKeeper:
    return SnapshotKeeper(tmp_path / "folder", clock=clock)


@pytest.fixture
def file(tmp_path: Path, keeper: SnapshotKeeper) -> Path:
    """Return the file of a snapshot just written."""
    keeper.begin(some_index(), topic_id="this", offsets=OFFSETS)()
    return tmp_path / "folder" / FILE


def opened(keeper: SnapshotKeeper) -> LiveIndex:
    loaded = keeper.open(topic_id="this", first=FIRST, end=END)
    assert loaded is not None
    assert loaded.offsets == OFFSETS
    return loaded.index


def test_it_answers_as_the_index_did_and_lives_on(keeper: SnapshotKeeper, file: Path) -> None:
    written = file.read_bytes()
    index = opened(keeper)
    assert ask(index, AREA) == ask(some_index(), AREA) == ANSWER
    assert index.view().count(AREA) == some_index().view().count(AREA)
    # The forgotten stay forgotten, older versions older, and strangers come in.
    index.apply([change(2, 9, INSIDE), change(1, 2, INSIDE), change(70, 4), change(80, 1, INSIDE)])
    assert ask(index, AREA).inside == ANSWER.inside - {70} | {80}
    index.end_merge(index.begin_merge()())
    assert ask(index, AREA).inside == ANSWER.inside - {70} | {80}
    assert file.read_bytes() == written


def test_only_its_owner_may_read_it(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [one.name for one in file.parent.iterdir()] == [FILE]


def test_it_holds_ids_versions_and_coordinates_only(file: Path) -> None:
    head, columns = read_columns(file)
    assert head.keys() == {"format", "topic_id", "offsets", "taken_at", "grid", "tags"}
    place = {"lon", "lat", "person", "start", "fuzzy_lon", "fuzzy_lat", "fuzzy_m", "fuzzy_person"}
    assert columns.keys() == place | {"ids", "versions", "traits", "slots"}


def test_what_comes_while_it_is_written_is_not_in_it(keeper: SnapshotKeeper) -> None:
    """Else the offsets would lie: a change read again would look old and be passed over."""
    index = some_index()
    work = keeper.begin(index, topic_id="this", offsets=OFFSETS)
    later = [change(0, 5, OUTSIDE), change(90, 1, INSIDE), change(4, 2), forget(ident(5))]
    index.apply(later)
    index.end_merge(work())
    assert ask(index, AREA).inside == ANSWER.inside - {0, 4, 5} | {90}
    again = opened(keeper)
    assert ask(again, AREA) == ANSWER
    assert again.apply(later) == 4
    assert ask(again, AREA) == ask(index, AREA)


def test_nothing_is_written_while_nothing_changes(
    keeper: SnapshotKeeper, clock: StillClock
) -> None:
    assert keeper.is_due({})
    keeper.begin(some_index(), topic_id="this", offsets=OFFSETS)()
    later = OFFSETS | {0: 41}
    assert not keeper.is_due(later)
    assert keeper.is_behind(later)
    clock.move(minutes=5)
    assert not keeper.is_due(OFFSETS)
    assert keeper.is_due(later)


def test_without_a_snapshot_there_is_none(keeper: SnapshotKeeper) -> None:
    assert keeper.open(topic_id="this", first=FIRST, end=END) is None


@pytest.mark.parametrize(
    "asked",
    [
        NOW | {"topic_id": "another"},
        NOW | {"end": {0: 39, 1: 7}},
        NOW | {"first": {0: 41, 1: 0}},
        NOW | {"end": {0: 90}, "first": {0: 0}},
    ],
    ids=["another-topic", "beyond-the-end", "before-the-first", "partition-gone"],
)
def test_one_of_another_topic_is_refused_and_deleted(
    keeper: SnapshotKeeper, file: Path, asked: dict[str, Any]
) -> None:
    assert keeper.open(**asked) is None
    assert not file.exists()


@pytest.mark.parametrize(
    ("amount", "used"),
    [(OLDEST - timedelta(seconds=1), True), (OLDEST, False), (timedelta(seconds=-1), False)],
    ids=["just-young-enough", "too-old", "from-the-future"],
)
def test_its_age_decides(
    keeper: SnapshotKeeper, file: Path, clock: StillClock, amount: timedelta, used: bool
) -> None:
    clock.move(seconds=amount.total_seconds())
    assert (keeper.open(topic_id="this", first=FIRST, end=END) is not None) is used
    assert file.exists() is used


def cut(share: float) -> Callable[[bytes], bytes]:
    return lambda whole: whole[: int(len(whole) * share)]


def flipped(at: int) -> Callable[[bytes], bytes]:
    def flip(whole: bytes) -> bytes:
        place = at % len(whole)
        return whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]

    return flip


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut-in-the-header": cut(0.00001),
    "cut-in-the-middle": cut(0.5),
    "cut-by-a-byte": lambda whole: whole[:-1],
    "longer-by-a-byte": lambda whole: whole + b"\0",
    "zeros": lambda whole: bytes(len(whole)),
    "text": lambda whole: b"What is this?" * 1000,
    "magic-alone": lambda whole: MAGIC + bytes(10_000),
    "flipped-in-the-magic": flipped(0),
    "flipped-in-the-length": flipped(10),
    "flipped-in-the-header": flipped(40),
    "flipped-in-a-column": flipped(5_000),
    "flipped-in-the-middle": flipped(3_000_000),
    "flipped-in-the-digest": flipped(-1),
    "halves-of-two": lambda whole: whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2),
}


@pytest.mark.parametrize("breaking", BROKEN.values(), ids=BROKEN)
def test_a_broken_one_is_refused_and_deleted(
    keeper: SnapshotKeeper, file: Path, breaking: Callable[[bytes], bytes]
) -> None:
    broken = breaking(file.read_bytes())
    file.unlink()
    file.touch(0o600)
    file.write_bytes(broken)
    assert keeper.open(topic_id="this", first=FIRST, end=END) is None
    assert not file.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_one_that_others_may_touch_is_refused(
    keeper: SnapshotKeeper, file: Path, mode: int
) -> None:
    file.chmod(mode)
    assert keeper.open(topic_id="this", first=FIRST, end=END) is None
    assert not file.exists()


def test_one_of_another_grid_or_format_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotTrusted):
        read_snapshot(file.parent, grid=state_grid(100.0))
    monkeypatch.setattr(module, "FORMAT", 2)
    with pytest.raises(NotTrusted):
        read_snapshot(file.parent, grid=state_grid())


def test_a_disk_that_takes_nothing_costs_the_index_nothing(
    tmp_path: Path, clock: StillClock
) -> None:
    (tmp_path / "in-the-way").touch()
    keeper = SnapshotKeeper(tmp_path / "in-the-way", clock=clock)
    index = some_index()
    index.end_merge(keeper.begin(index, topic_id="this", offsets=OFFSETS)())
    assert ask(index, AREA) == ANSWER
    assert keeper.is_behind(OFFSETS)


def test_one_half_written_leaves_the_one_before(
    keeper: SnapshotKeeper, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()

    def fail(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", fail)
    index = some_index()
    places = keeper.begin(index, topic_id="this", offsets=OFFSETS | {0: 80})()
    assert isinstance(places, Sorted)
    assert file.read_bytes() == before
    assert [one.name for one in file.parent.iterdir()] == [FILE]
