"""Why an endpoint gave no answer, in words that people may see."""

import errno
import os
import ssl

import aiohttp

from awssts.adapters.addresses import RefusedAddressError


class NoAnswerError(Exception):
    """There is an answer, but none that can be used; the text says why, and holds nothing of the call."""


class CannotAskError(Exception):
    """The operator can't ask: no fault of the endpoint. The text says why, and holds nothing of the call."""


_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})


def is_ours(error: Exception) -> bool:
    """Tell whether it is the operator that could not ask: it has no more sockets, or does not want to."""
    if isinstance(error, aiohttp.InvalidURL):
        return True
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return isinstance(cause, RefusedAddressError) or (isinstance(cause, OSError) and cause.errno in _OURS)


def is_answer(error: Exception) -> bool:
    """Tell whether somebody is there, with whom there is no HTTP or no TLS: as with a wrong port or CA bundle."""
    return isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientSSLError | ValueError)


def reason(error: Exception) -> str:
    """Say what happened, in words that hold nothing of the call: texts of aiohttp have URLs and raw bytes in them."""
    match error:
        case aiohttp.ClientConnectorCertificateError(
            certificate_error=ssl.SSLCertVerificationError(verify_message=why)
        ):
            text = f"its certificate is not trusted: {why}"
        case aiohttp.ClientConnectorSSLError(os_error=why):
            text = f"no TLS connection: {getattr(why, 'reason', None) or 'the handshake failed'}"
        case aiohttp.ClientConnectorDNSError():
            text = "its host name can't be resolved"
        case aiohttp.ClientConnectorError(os_error=RefusedAddressError()):
            text = "its address belongs to a cloud's own services (link-local, metadata), which are never asked"
        case aiohttp.ClientConnectorError(os_error=OSError(errno=int(number))):
            text = os.strerror(number).lower()
        case aiohttp.ClientResponseError():
            text = "it did not answer with HTTP that can be understood"
        case aiohttp.InvalidURL():
            text = "its URL can't be used"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | aiohttp.ClientPayloadError():
            text = "the connection was closed before the answer was complete"
        case _:
            text = f"the call failed ({type(error).__name__})"
    return text
