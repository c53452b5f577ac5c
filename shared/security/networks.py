"""The network a caller comes from, which shares one counter: whoever has one has many addresses."""

import ipaddress


def network_of(address: str | None) -> str:
    """Return the /24 of an IP address, or the /56 for IPv6; "unknown" where there is none."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    prefix = 24 if parsed.version == 4 else 56
    return str(ipaddress.ip_network(f"{parsed}/{prefix}", strict=False))
