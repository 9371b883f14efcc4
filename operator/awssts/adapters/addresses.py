"""Addresses that no endpoint of a policy may have: where clouds hand out credentials and metadata of a node.

Checked for each address that is about to be connected to, after names were resolved: so a name in DNS that changes
between a check and its use gains nothing.
"""

import ipaddress
import socket
from typing import Any, Final

_REFUSED: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",  # link-local: metadata of EC2, Azure, Google, OpenStack; credentials of ECS and EKS pods
        "fe80::/10",  # link-local
        "fd00:ec2::/32",  # EC2 and EKS, by IPv6
        "fd20:ce::254/128",  # Google Cloud, by IPv6
        "100.100.100.200/32",  # Alibaba Cloud
        "192.0.0.192/32",  # Oracle Cloud
        "168.63.129.16/32",  # Azure: WireServer
    )
)
_EMBEDDING: Final = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "64:ff9b::/96",  # NAT64: RFC 6052, section 2.1
        "64:ff9b:1::/48",  # NAT64 of a network's own, by its usual /96: RFC 8215
        "::/96",  # IPv4-compatible: RFC 4291, section 2.5.5.1
    )
)


class RefusedAddressError(OSError):
    """The address is one of a cloud's own services."""


def open_socket(address: tuple[Any, ...]) -> socket.socket:
    """Return a socket for an address as ``getaddrinfo`` gives it.

    Raises:
        RefusedAddressError: it is none to connect to.
    """
    family, kind, protocol, _, where = address
    if is_refused(str(where[0])):
        raise RefusedAddressError
    return socket.socket(family, kind, protocol)


def is_refused(text: str) -> bool:
    """Tell whether an address is refused, also where IPv6 carries an IPv4 one: mapped, by 6to4 or by NAT64."""
    address = ipaddress.ip_address(text)
    carried = [address, *_carried(address)]
    return any(one in network for one in carried for network in _REFUSED if one.version == network.version)


def _carried(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return []
    within = any(address in network for network in _EMBEDDING)
    embedded = ipaddress.IPv4Address(address.packed[-4:]) if within else None
    return [one for one in (address.ipv4_mapped, address.sixtofour, embedded) if one is not None]
