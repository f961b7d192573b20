"""Whether a port of this machine can be listened on."""

import errno
import socket

_ANY = ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"))


def is_free(port: int) -> bool:
    """Whether a program could listen on the port, on all addresses and in both families.

    Connections of an earlier program that are still being closed do not count: servers listen beside them too.
    """
    for family, address in _ANY:
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family is socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((address, port))
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):  # a machine without this family
                return False
    return True
