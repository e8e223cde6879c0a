"""A guard around every connection of the process that fetches: public addresses only, and no more bytes than allowed.

The address is checked where the connection is made, not where the URL is read: a name that resolves differently the
second time, a redirect, a playlist's entry or a number written in octal all end in ``connect``.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, field
from typing import Any

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_V4_COMPATIBLE = ipaddress.ip_network("::/96")
# Deprecated or special ranges that older Pythons call global.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "100::/64", "2001::/23", "fec0::/10", "3fff::/20")
)


class AddressRefused(OSError):
    """A connection to an address that is not public was stopped."""


class TooManyBytes(Exception):
    """More was received than allowed."""


def is_public(address: str) -> bool:
    """Whether an IPv4 or IPv6 address is one of the public internet, whatever way it is wrapped."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and (ip in _NAT64 or ip in _V4_COMPATIBLE):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    if any(ip in network for network in _NOT_PUBLIC if network.version == ip.version):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


@dataclass
class Guard:
    """``private_hosts`` may be connected to although they are private, each by the very name given here.

    ``refused`` and ``unresolved`` keep what was stopped, since libraries wrap errors beyond recognition.
    """

    allow_private: bool
    max_bytes: int
    private_hosts: frozenset[str] = frozenset()
    exempt: set[str] = field(default_factory=set)
    refused: str | None = None
    unresolved: str | None = None
    received: int = 0
    exceeded: bool = False

    def install(self) -> None:
        """Replace the process's connecting, resolving and reading functions; there is no way back but its end."""
        resolve, connect, connect_ex = socket.getaddrinfo, socket.socket.connect, socket.socket.connect_ex
        read_into = socket.SocketIO.readinto

        def guarded_resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                found = resolve(host, *args, **kwargs)
            except socket.gaierror:
                self.unresolved = _text(host)
                raise
            # Python connects to the first that answers: one private address among them is enough to refuse the name.
            for entry in found:
                self._check(str(entry[4][0]), _text(host))
            return found

        def guarded_connect(this: socket.socket, address: Any) -> None:
            connect(this, self._checked(this, address))

        def guarded_connect_ex(this: socket.socket, address: Any) -> int:
            return connect_ex(this, self._checked(this, address))

        def guarded_read(this: socket.SocketIO, buffer: Any) -> int | None:
            count = read_into(this, buffer)
            self._count(count or 0)
            return count

        socket.getaddrinfo = guarded_resolve
        socket.socket.connect = guarded_connect  # type: ignore[method-assign,assignment]
        socket.socket.connect_ex = guarded_connect_ex  # type: ignore[method-assign,assignment]
        socket.SocketIO.readinto = guarded_read  # type: ignore[method-assign,assignment]

    def _checked(self, this: socket.socket, address: Any) -> Any:
        if this.family not in (socket.AF_INET, socket.AF_INET6):
            self.refused = self.refused or "a local socket"
            raise AddressRefused("Only internet addresses may be connected to.")
        host = address[0]
        try:
            ipaddress.ip_address(str(host).partition("%")[0])
        except ValueError:
            # A name would be resolved below Python, out of sight: resolve it here and connect to what was checked.
            found = socket.getaddrinfo(host, address[1], this.family, this.type)
            return found[0][4]
        self._check(str(host), str(host))
        return address

    def _check(self, address: str, host: str) -> None:
        if host.lower() in self.private_hosts:
            self.exempt.add(address)
        if not self.allow_private and address not in self.exempt and not is_public(address):
            self.refused = host if host == address else f"{host} ({address})"
            raise AddressRefused(f"{self.refused} is not a public address.")

    def _count(self, count: int) -> None:
        self.received += count
        if self.received > self.max_bytes:
            self.exceeded = True
            raise TooManyBytes(f"More than {self.max_bytes} bytes were received.")


def _text(host: Any) -> str:
    return host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
