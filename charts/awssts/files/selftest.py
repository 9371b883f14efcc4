"""What `helm test` runs, in the operator's own image: would the cluster take a request?

It is a dry run: nothing is stored. That the request is taken shows that the CRDs are there and the API server reaches
the webhooks and trusts them; that it comes back with the stamp of who applied it shows that they answered.
"""

import json
import os
import pathlib
import ssl
import sys
import urllib.error
import urllib.request

ACCOUNT = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
SERVER = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
STAMP = "awssts.dev/authentication"


def main() -> None:
    namespace = os.environ["NAMESPACE"]
    body = {
        "apiVersion": "awssts.dev/v1alpha1",
        "kind": "AwsStsRequest",
        "metadata": {"name": "helm-test"},
        "spec": {"credentialsSecretRef": {"name": "helm-test-keys"}},
    }
    request = urllib.request.Request(
        f"{SERVER}/apis/awssts.dev/v1alpha1/namespaces/{namespace}/awsstsrequests?dryRun=All",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}", "Content-Type": "application/json"},
    )
    trusted = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    try:
        with urllib.request.urlopen(request, context=trusted, timeout=30) as answer:
            taken = json.load(answer)
    except urllib.error.HTTPError as refusal:
        sys.exit(f"The API server refuses a request: {refusal.read().decode(errors='replace')}")
    print("A request would be taken.")
    if os.environ["WEBHOOKS"] == "true":
        if STAMP not in taken["metadata"].get("annotations", {}):
            sys.exit("It was not stamped: the admission webhook was not asked.")
        print("The admission webhook has stamped it.")


main()
