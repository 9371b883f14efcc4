"""The other port, for kubelet and Prometheus: nothing there is secret, so anybody who reaches the pod may ask."""

from collections.abc import Iterator

from awssts.domain.container_protocol import Request, Response
from awssts.entry.sidecar.connection import Crowd
from awssts.entry.sidecar.vendor import Vendor

TEXT = b"text/plain; charset=utf-8"
METRICS = b"text/plain; version=0.0.4; charset=utf-8"  # Prometheus' exposition format


def answer(request: Request, vendor: Vendor, crowd: Crowd) -> Response:
    """Answer /healthz (it runs), /readyz (it has credentials to give) and /metrics."""
    if request.method != b"GET":
        return _text(405, "only GET is answered", (b"allow", b"GET"))
    if request.has_body:
        return _text(413, "a request has no body")
    if request.target == b"/healthz":
        return _text(200, "ok")
    if request.target == b"/readyz":
        why = vendor.unready()
        return _text(503, why) if why else _text(200, "ok")
    if request.target == b"/metrics":
        return Response(200, "".join(_metrics(vendor, crowd)).encode(), content_type=METRICS)
    return _text(404, "there are /healthz, /readyz and /metrics")


def _text(status: int, text: str, *headers: tuple[bytes, bytes]) -> Response:
    return Response(status, f"{text}\n".encode(), headers, TEXT)


def _metrics(vendor: Vendor, crowd: Crowd) -> Iterator[str]:
    held = vendor.stock.held
    ready = {"": 0 if vendor.unready() else 1}
    yield _family("ready", "gauge", "Whether credentials would be given now.", ready)
    if held is not None and held.expiration is not None:
        ends = {"": int(held.expiration.timestamp())}
        yield _family("credentials_expiration_timestamp_seconds", "gauge", "When what is served expires.", ends)
    taken = {'{outcome="taken"}': vendor.taken, '{outcome="refused"}': vendor.refused}
    yield _family("reads_total", "counter", "Changes of the mounted Secret, by what came of them.", taken)
    answered = {f'{{status="{status}"}}': number for status, number in sorted(vendor.answered.items())}
    yield _family("requests_total", "counter", "Requests for credentials, by status.", answered)
    yield _family("connections", "gauge", "Open connections for credentials.", {"": len(crowd)})
    cut = {'{reason="evicted"}': crowd.evicted, '{reason="late"}': crowd.late}
    yield _family("connections_cut_total", "counter", "Connections ended for others' sake, by why.", cut)


def _family(name: str, kind: str, told: str, samples: dict[str, int]) -> str:
    name = f"awssts_sidecar_{name}"
    lines = [f"# HELP {name} {told}", f"# TYPE {name} {kind}"]
    lines += [f"{name}{labels} {value}" for labels, value in samples.items()]
    return "\n".join(lines) + "\n"
