"""A registry behind an MLflow tracking server, asked over its REST API."""

import os
from collections.abc import Iterator
from typing import Any

import httpx

from serving.follow.state import Version
from serving.follow.stores import WANTED, Unreachable

API = "/api/2.0/mlflow"
PAGE = 1000


def client(address: str) -> httpx.Client:
    """A client with the credentials that MLflow's own would use."""
    user, word = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_PASSWORD", "")
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if workspace := os.environ.get("MLFLOW_WORKSPACE"):
        headers["X-MLFLOW-WORKSPACE"] = workspace
    verify = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() not in ("1", "true")
    return httpx.Client(
        base_url=address.rstrip("/"), auth=(user, word) if user else None, headers=headers, timeout=5, verify=verify
    )


class TrackingServer:
    """An MLflow tracking server."""

    def __init__(self, address: str) -> None:
        self.client = client(address)
        self.locations: dict[tuple[str, int], str] = {}

    def versions(self) -> tuple[Version, ...]:
        """All versions of all registered models."""
        try:
            return self._read()
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise Unreachable(" ".join(f"{type(error).__name__}: {error}".split())[:300]) from None

    def _read(self) -> tuple[Version, ...]:
        aliases: dict[tuple[str, int], list[str]] = {}
        names = []
        for model in self._pages("registered-models/search", "registered_models"):
            names.append(model["name"])
            for one in model.get("aliases", ()):
                aliases.setdefault((model["name"], int(one["version"])), []).append(one["alias"])
        found = []
        for one in self._pages("model-versions/search", "model_versions"):
            name, number = one["name"], int(one["version"])
            tags = {tag["key"]: tag.get("value", "") for tag in one.get("tags", ())}
            stage = one.get("current_stage", "")
            found.append(
                Version(
                    name,
                    number,
                    "" if stage == "None" else stage,
                    tuple(sorted(aliases.get((name, number), ()))),
                    self._location(name, number),
                    one.get("run_id", ""),
                    {key: value for key, value in tags.items() if key in WANTED},
                )
            )
        return tuple(one for one in found if one.name in names)

    def _pages(self, path: str, items: str) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            answer = self.client.get(f"{API}/{path}", params={"max_results": PAGE, "page_token": token})
            answer.raise_for_status()
            content = answer.json()
            yield from content.get(items, ())
            token = content.get("next_page_token", "")
            if not token:
                return

    def _location(self, name: str, number: int) -> str:
        """Where a version's files lie, which never changes."""
        if (name, number) not in self.locations:
            answer = self.client.get(
                f"{API}/model-versions/get-download-uri", params={"name": name, "version": str(number)}
            )
            answer.raise_for_status()
            self.locations[name, number] = answer.json()["artifact_uri"]
        return self.locations[name, number]
