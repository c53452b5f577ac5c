"""The house's own words in each language it speaks, and which language stands in for which."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """The house's own words in one language."""

    cancelled: str
    exercise: str
    reference: str = "Ref"


# The languages of the state's report banner, German and Chinese; English stands in for all others.
WORDINGS = {
    "en": Wording("CANCELLED. The earlier alert no longer applies", "EXERCISE ONLY"),
    "es": Wording("CANCELADO. La alerta anterior ya no es válida", "SOLO UN SIMULACRO"),
    "pt": Wording("CANCELADO. O alerta anterior já não é válido", "APENAS UM SIMULACRO"),
    "fr": Wording("ANNULÉ. L'alerte précédente n'est plus valable", "EXERCICE SEULEMENT"),
    "ht": Wording("ANILE. Alèt anvan an pa valab ankò", "EGZÈSIS SÈLMAN"),
    "it": Wording("ANNULLATO. L'avviso precedente non è più valido", "SOLO ESERCITAZIONE"),
    "pl": Wording("ODWOŁANO. Poprzedni alert już nie obowiązuje", "TYLKO ĆWICZENIA"),
    "vi": Wording("ĐÃ HỦY. Cảnh báo trước đó không còn hiệu lực", "CHỈ LÀ DIỄN TẬP"),
    "de": Wording("AUFGEHOBEN. Die frühere Warnung gilt nicht mehr", "NUR EINE ÜBUNG"),
    "zh": Wording("已取消。先前的警报不再有效", "仅为演习"),
}
DEFAULT = "en"


def base_of(language: str) -> str:
    """Return the first part of a language tag in lower case: es of es-PR."""
    return language.partition("-")[0].lower()


def is_spoken(language: str) -> bool:
    """Tell whether the house has its own words in a language."""
    return base_of(language) in WORDINGS


def wording_of(language: str) -> Wording:
    """Return the house's words in a language, or in English."""
    return WORDINGS.get(base_of(language), WORDINGS[DEFAULT])


def fall_back(language: str, written: Collection[str]) -> str:
    """Return which of the written languages a reader gets: es-PR, else es, else en, else the first.

    Raises:
        ValueError: nothing is written.
    """
    if not written:
        raise ValueError("no language is written")
    wanted = language.lower()
    for rule in (
        lambda one: one.lower() == wanted,
        lambda one: one.lower() == base_of(wanted),
        lambda one: base_of(one) == base_of(wanted),
        lambda one: base_of(one) == DEFAULT,
    ):
        found = sorted(one for one in written if rule(one))
        if found:
            return found[0]
    return min(written)
