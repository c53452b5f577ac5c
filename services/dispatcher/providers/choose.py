"""Opens the provider that the settings name for a channel."""

import ipaddress

import aiosmtplib

from services.dispatcher.providers.base import Misconfigured, Provider
from services.dispatcher.providers.mail import Composer
from services.dispatcher.providers.sink import Sink
from services.dispatcher.providers.smtp import Smtp
from services.dispatcher.providers.twilio_client import TwilioHttp, open_client
from services.dispatcher.providers.twilio_sms import TwilioSms
from services.dispatcher.providers.twilio_voice import TwilioVoice
from services.dispatcher.settings import DispatcherSettings
from shared.clock import Clock, SystemClock

# More connections than this only queue inside the server.
_MOST_SMTP_CONNECTIONS = 8
_REPLY_WITHIN_S = 10.0
_SMTP_WITHIN_S = 10.0


def open_provider(
    channel: str,
    settings: DispatcherSettings,
    *,
    clock: Clock | None = None,
    exercise: bool = False,
    reply_within_s: float = _REPLY_WITHIN_S,
) -> Provider:
    """Open a channel's provider inside the running loop; nothing is connected yet.

    An exercise never gets a provider that reaches anybody.

    Raises:
        Misconfigured: a setting the provider needs is missing.
    """
    clock = clock or SystemClock()
    if exercise:
        return Sink(channel)
    if channel == "email":
        return _open_smtp(settings, clock)
    if channel not in ("sms", "voice"):
        raise Misconfigured("no-channel", f"There is no provider for {channel!r}")
    sender = settings.sms_from if channel == "sms" else settings.voice_from
    account, token = settings.twilio_account_sid, settings.twilio_auth_token
    if not account or not token or not sender:
        raise Misconfigured(
            "no-setting",
            "Set CTALERT_TWILIO_ACCOUNT_SID, CTALERT_TWILIO_AUTH_TOKEN and the channel's sender",
        )
    http = TwilioHttp(
        settings.twilio_base_url,
        account,
        token,
        clock=clock,
        connections=settings.slots(channel),
        reply_within_s=reply_within_s,
    )
    client = open_client(http, account, token)
    kind = TwilioSms if channel == "sms" else TwilioVoice
    return kind(client, http, sender=sender, public_url=settings.public_url, clock=clock)


def _open_smtp(settings: DispatcherSettings, clock: Clock) -> Smtp:
    if not settings.smtp_host or not settings.mail_from:
        raise Misconfigured("no-setting", "Set CTALERT_SMTP_HOST and CTALERT_MAIL_FROM")
    clear = settings.smtp_tls == "none"
    if clear and settings.smtp_username is not None and not _is_loopback(settings.smtp_host):
        raise Misconfigured("no-tls", "A login needs an encrypted connection")
    composer = Composer(settings.mail_from, clock=clock)
    hello = composer.address.rpartition("@")[2]

    def client() -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=settings.smtp_password,
            local_hostname=hello,
            use_tls=settings.smtp_tls == "implicit",
            start_tls=settings.smtp_tls == "starttls",
            timeout=_SMTP_WITHIN_S,
        )

    connections = min(settings.slots("email"), _MOST_SMTP_CONNECTIONS)
    return Smtp(client, composer, clock=clock, connections=connections)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
