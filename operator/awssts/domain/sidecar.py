"""What a pod gets that asks for the sidecar: a container, volumes, and in other containers what leads to it."""

from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]

SIDECAR: Final = "awssts"
CREDENTIALS: Final = "awssts-credentials"  # volumes
TOKEN: Final = "awssts-token"  # noqa: S105 - a volume's name
PORT: Final = 9911
HEALTH_PORT: Final = 9912
MOUNT: Final = "/var/run/secrets/awssts.dev"
TOKEN_MOUNT: Final = "/var/run/awssts"  # noqa: S105 - a folder
OURS: Final[Mapping[str, str]] = {
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{PORT}/credentials",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": f"{TOKEN_MOUNT}/token",
}
REGION: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")
NOBODY: Final = 65532  # the image's own user
DAY: Final = 86_400  # seconds


def served(container: Json, region: str | None) -> Json:
    """Return the container with what leads its SDKs to the sidecar."""
    env = list(container.get("env") or ())
    there = {variable["name"] for variable in env}
    wanted = dict(OURS)
    if region and there.isdisjoint(REGION):
        wanted |= dict.fromkeys(REGION, region)
    env += [{"name": name, "value": value} for name, value in wanted.items() if name not in there]
    mounts = list(container.get("volumeMounts") or ())
    if all(mount["name"] != TOKEN for mount in mounts):
        mounts.append({"name": TOKEN, "mountPath": TOKEN_MOUNT, "readOnly": True})
    return {**container, "env": env, "volumeMounts": mounts}


def volumes(secret: str) -> tuple[Json, ...]:
    """``optional``: the sidecar starts, and says what it waits for; a Secret that is deleted ends no pod."""
    return (
        {"name": CREDENTIALS, "secret": {"secretName": secret, "optional": True}},
        {"name": TOKEN, "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
    )


def sidecar(image: str, spec: Json) -> Json:
    """Return the sidecar for a pod of that spec."""
    return {
        "name": SIDECAR,
        "image": image,
        "args": [
            "sidecar",
            f"--dir={MOUNT}",
            f"--port={PORT}",
            f"--health-port={HEALTH_PORT}",
            f"--token-file={OURS['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE']}",
            "--create-token",
        ],
        "restartPolicy": "Always",
        "ports": [{"name": "awssts-health", "containerPort": HEALTH_PORT}],
        "startupProbe": _probe("/readyz", periodSeconds=1, failureThreshold=DAY),
        "livenessProbe": _probe("/healthz", periodSeconds=30, timeoutSeconds=5),
        "resources": {
            "requests": {"cpu": "5m", "memory": "32Mi"},
            "limits": {"cpu": "200m", "memory": "64Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            # Else the pod's own: some clusters give each namespace a range of users.
            **({"runAsUser": NOBODY} if (spec.get("securityContext") or {}).get("runAsUser") == 0 else {}),
        },
        "volumeMounts": [
            {"name": CREDENTIALS, "mountPath": MOUNT, "readOnly": True},
            {"name": TOKEN, "mountPath": TOKEN_MOUNT},
        ],
    }


def _probe(path: str, **details: int) -> Json:
    return {"httpGet": {"path": path, "port": HEALTH_PORT}, **details}
