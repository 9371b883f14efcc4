"""From where a call comes: also behind proxies, as far as those can be believed."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_WITH_PORT = re.compile(r"\[([^]]*)](?::\d+)?|([^:]*):\d+")  # as some proxies write addresses
SITE = 64  # bits of an IPv6 address that one customer has for himself, as a rule


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the address and the program, as it says of itself."""

    address: str
    user_agent: str = ""

    @property
    def site(self) -> str:
        """What failures are counted by: the address; of IPv6 the network, which has addresses without end."""
        found = _parsed(self.address)
        if isinstance(found, IPv6Address):
            return str(ip_network((found, SITE), strict=False))
        return self.address


def address_of(peer: str, forwarded: Iterable[str], proxies: Sequence[Network]) -> str:
    """Return the address of the caller.

    Args:
        peer: whose connection it is.
        forwarded: values of X-Forwarded-For, each with addresses from the caller's to the last proxy's but one.
        proxies: those that are believed; what any other says counts for nothing.
    """
    hops = [hop.strip() for value in forwarded for hop in value.split(",")]
    address = _parsed(peer)
    while address is not None and hops and _is_any_of(address, proxies):
        named = _parsed(_without_port(hops.pop()))
        if named is None:
            break
        address = named
    return str(address) if address is not None else peer


def _without_port(hop: str) -> str:
    found = _WITH_PORT.fullmatch(hop)
    return found[1] or found[2] or "" if found else hop


def _is_any_of(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _parsed(text: str) -> Address | None:
    """Return the address; an IPv4 one that IPv6 carries as what it is."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
