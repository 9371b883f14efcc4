"""The sidecar: gives a mounted Secret to the SDKs of its pod. It runs in every pod, so it imports little."""
