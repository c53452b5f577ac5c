"""The words of notices: codes, answers to STOP and HELP, and calls for the duty officer."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.dispatcher.delivery.wording.languages import fallback


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice's subject and text; {authority}, {code} and {reason} are filled in."""

    subject: str
    text: str


# Plain GSM 7-bit letters where the language allows it: an accent halves what a text can hold.
_NOTICES: dict[str, dict[str, Notice]] = {
    "confirm_code": {
        "en": Notice(
            "Your {authority} code",
            "{code} is your {authority} code. It is good for 10 minutes."
            " Not you? Ignore this message.",
        ),
        "es": Notice(
            "Su código de {authority}",
            "{code} es su código de {authority}. Vale 10 minutos."
            " ¿No fue usted? Ignore este mensaje.",
        ),
        "pt": Notice(
            "Seu código de {authority}",
            "{code} é o seu código de {authority}. Vale por 10 minutos."
            " Não foi você? Ignore esta mensagem.",
        ),
    },
    "opted_out": {
        "en": Notice(
            "You have left {authority}",
            "{authority}: you will get no more messages here. Text START to come back.",
        ),
        "es": Notice(
            "Ha dejado {authority}",
            "{authority}: no recibirá más mensajes aquí. Envíe START para volver.",
        ),
        "pt": Notice(
            "Você saiu de {authority}",
            "{authority}: você não receberá mais mensagens aqui. Envie START para voltar.",
        ),
    },
    "help": {
        "en": Notice(
            "About {authority}",
            "{authority}: emergency alerts of the State of Connecticut. Text STOP to end."
            " In danger call 911.",
        ),
        "es": Notice(
            "Sobre {authority}",
            "{authority}: alertas de emergencia del Estado de Connecticut. Envíe STOP para"
            " terminar. En peligro llame al 911.",
        ),
        "pt": Notice(
            "Sobre {authority}",
            "{authority}: alertas de emergência do Estado de Connecticut. Envie STOP para sair."
            " Em perigo ligue 911.",
        ),
    },
    "duty_page": {
        "en": Notice("{authority} needs you", "{authority} needs you: {reason}"),
    },
}


def notice_text(
    template: str, *, channel: str, language: str, authority: str, values: Mapping[str, str]
) -> tuple[str, str]:
    """Return a notice's subject and text in the language that fits best.

    A code is spoken digit by digit.

    Raises:
        KeyError: there is no such template, or a value is missing.
    """
    words = _NOTICES[template]
    notice = words[fallback(language, words)[0]]
    filling = {"authority": authority, **values}
    if channel == "voice" and "code" in filling:
        filling["code"] = ", ".join(filling["code"])
    return notice.subject.format(**filling), notice.text.format(**filling)
