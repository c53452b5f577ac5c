"""What an alert says: checked words, and from them the text of every language and channel."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from services.dispatcher.alerts.texts.blank import is_blank
from services.dispatcher.alerts.texts.segments import LONGEST, measure, plainer
from services.dispatcher.alerts.texts.wording import base_of, wording_of
from services.dispatcher.delivery.states import Texts

LONGEST_SUBJECT = 200
LONGEST_BODY = 20_000
MOST_LANGUAGES = 8
# A derived text may be cut to this many segments: each costs seconds on a loaded network.
DERIVED_SEGMENTS = 3
# Without 0, 1, I, L, O and U: the tag is read out over telephones.
_TAG_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_TAG_LENGTH = 6
_BLANKS = re.compile(r"\s+")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")
_END = (".", "!", "?", "\u3002", "\uff01", "\uff1f", ":", "…")
_WORD_END = re.compile(r"\s+\S*$")


class ContentRefused(Exception):
    """A text that may not be sent: where (a JSON pointer below the texts), a code, a sentence."""

    def __init__(self, pointer: str, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.pointer, self.code, self.sentence = pointer, code, sentence


@dataclass(frozen=True, slots=True)
class Words:
    """One language's words as the author wrote them; a written text wins over a derived one."""

    headline: str
    description: str = ""
    instruction: str = ""
    sms: str | None = None
    voice: str | None = None
    email_subject: str | None = None
    email_body: str | None = None


def reference_of(alert_id: UUID) -> str:
    """Return the short tag by which an alert is known in its texts, such as 7F3K9Q."""
    number = int.from_bytes(hashlib.sha256(alert_id.bytes).digest()[:8], "big")
    letters = []
    for _ in range(_TAG_LENGTH):
        number, digit = divmod(number, len(_TAG_LETTERS))
        letters.append(_TAG_LETTERS[digit])
    return "".join(letters)


def clean(text: str, pointer: str, *, lines: bool = True) -> str:
    """Return a text in NFC with plain line ends, the empty text where a reader sees nothing.

    Raises:
        ContentRefused: it holds control or bidirectional characters (S33).
    """
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\t", " ")
    # Line and paragraph separators: a mail header that holds one cannot be written.
    text = text.replace("\u2028", "\n").replace("\u2029", "\n")
    if _BIDI.search(text):
        raise ContentRefused(pointer, "bidi-char", "The text turns the direction of writing.")
    for letter in text:
        if unicodedata.category(letter) in ("Cc", "Cs") and not (lines and letter == "\n"):
            raise ContentRefused(pointer, "control-char", "The text holds control characters.")
    return "" if is_blank(text) else text.strip()


def build_texts(
    words: Mapping[str, Words], *, authority: str, reference: str, exercise: bool = False
) -> dict[str, Texts]:
    """Return the texts of every language and channel; each begins with the authority's name.

    Raises:
        ContentRefused: no language, too many, or a text that is blank, too long or not plain.
    """
    if not words:
        raise ContentRefused("", "text-required", "At least one language is needed.")
    if len(words) > MOST_LANGUAGES:
        raise ContentRefused("", "too-many-languages", f"At most {MOST_LANGUAGES} languages.")
    return {
        language: _Writer(language, authority, reference, exercise).write(one)
        for language, one in words.items()
    }


def build_correction(
    headlines: Mapping[str, str], *, authority: str, reference: str
) -> dict[str, Texts]:
    """Return the texts that take an alert back, in every language it was sent in."""
    texts = {}
    for language, headline in headlines.items():
        said = _sentence(f"{wording_of(language).cancelled}: {headline}")
        subject = f"{authority}: {wording_of(language).cancelled}"
        texts[language] = Texts(
            sms=f"{authority}: {plainer(said)} Ref {reference}",
            voice=f"{authority}. {said}",
            email_subject=subject[:LONGEST_SUBJECT],
            email_body=f"{authority}\n\n{said}\n\nRef {reference}\n",
        )
    return texts


class _Writer:
    """Writes one language's texts."""

    def __init__(self, language: str, authority: str, reference: str, exercise: bool) -> None:
        drill = f" [{wording_of(language).exercise}]" if exercise else ""
        self._at, self._name = f"/{language}", authority + drill
        self._tail = f"Ref {reference}"
        self._spaces = base_of(language) not in ("zh",)

    def write(self, words: Words) -> Texts:
        headline = _one_line(self._written(words.headline, "headline"))
        description = self._plain(words.description, "description")
        instruction = self._plain(words.instruction, "instruction")
        return Texts(
            sms=self._sms(words.sms, headline, instruction, description),
            voice=self._voice(words.voice, headline, instruction, description),
            email_subject=self._subject(words.email_subject, headline),
            email_body=self._body(words.email_body, headline, instruction, description),
        )

    def _sms(self, written: str | None, headline: str, instruction: str, description: str) -> str:
        if written is not None:
            said = plainer(self._written(written, "sms"))
            text = f"{self._named(said, ': ')} {self._tail}"
            self._check_length(text, "sms", LONGEST)
            return text
        most = LONGEST - len(self._name) - len(self._tail) - 3
        # What to do comes first; what happened follows as far as there is room.
        said = _cut(" ".join(filter(None, map(_sentence, (headline, instruction)))), most)
        text = f"{self._name}: {plainer(said)} {self._tail}"
        rest = _one_line(plainer(description))
        while rest:
            longer = f"{self._name}: {plainer(said)} {_sentence(rest)} {self._tail}"
            if len(longer) <= LONGEST and measure(longer).segments <= DERIVED_SEGMENTS:
                return longer
            rest = _shorter(rest, longer)
        return text

    def _voice(self, written: str | None, headline: str, instruction: str, description: str) -> str:
        if written is not None:
            text = self._named(self._written(written, "voice"), ". ")
            self._check_length(text, "voice", LONGEST)
            return text
        said = " ".join(filter(None, map(_sentence, (headline, instruction, description))))
        return _cut(f"{self._name}. {said}", LONGEST)

    def _subject(self, written: str | None, headline: str) -> str:
        if written is None:
            return _cut(f"{self._name}: {headline}", LONGEST_SUBJECT)
        pointer = f"{self._at}/email_subject"
        text = self._named(_seen(clean(written, pointer, lines=False), pointer), ": ")
        self._check_length(text, "email_subject", LONGEST_SUBJECT)
        return text

    def _body(self, written: str | None, headline: str, instruction: str, description: str) -> str:
        if written is not None:
            said = self._written(written, "email_body")
        else:
            said = "\n\n".join(filter(None, (headline, instruction, description)))
        text = f"{self._named(said, chr(10) * 2)}\n\n{self._tail}\n"
        self._check_length(text, "email_body", LONGEST_BODY)
        return text

    def _named(self, said: str, between: str) -> str:
        return said if said.startswith(self._name) else f"{self._name}{between}{said}"

    def _plain(self, text: str, name: str) -> str:
        # What is left out may be left out; what is given has to say something.
        return self._written(text, name) if text else ""

    def _written(self, text: str, name: str) -> str:
        pointer = f"{self._at}/{name}"
        return _seen(clean(text, pointer), pointer)

    def _check_length(self, text: str, name: str, most: int) -> None:
        if len(text) > most:
            sentence = f"With name and reference the text has more than {most} characters."
            raise ContentRefused(f"{self._at}/{name}", "too-long", sentence)


def _seen(text: str, pointer: str) -> str:
    if not text:
        raise ContentRefused(pointer, "blank", "The text is blank.")
    return text


def _one_line(text: str) -> str:
    return _BLANKS.sub(" ", text).strip()


def _sentence(text: str) -> str:
    text = _one_line(text)
    return text if not text or text.endswith(_END) else f"{text}."


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return _WORD_END.sub("", text[: most - 3]) + "..."


def _shorter(rest: str, longer: str) -> str:
    """Cut about as many letters as the text is too long by, at the end of a word."""
    size = measure(longer)
    a_piece = 153 if size.encoding == "GSM-7" else 67
    over = max(len(longer) - LONGEST, len(longer) - DERIVED_SEGMENTS * a_piece, 1)
    if rest.endswith("..."):
        rest = rest[:-3]
        over += 3
    kept = rest[: max(0, len(rest) - over - 3)]
    if " " not in kept:
        return ""
    return _WORD_END.sub("", kept) + "..."
