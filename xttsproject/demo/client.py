"""The portal's API as a program uses it: a base address and a token."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import requests

Json = dict[str, Any]


class ApiError(Exception):
    """An answer of 400 or above, with the portal's own sentence."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message


class JobEnded(Exception):
    """A job that was followed did not succeed."""


class Portal:
    """One person's access."""

    def __init__(self, address: str, token: str):
        self.address = address
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"
        # A proxy set for the way outside is not asked for this machine.
        self._session.trust_env = False

    def get(self, path: str, **query: Any) -> Any:
        return self._json("GET", path, params=query)

    def post(self, path: str, body: Json | None = None, **options: Any) -> Any:
        return self._json("POST", path, json=body, **options)

    def patch(self, path: str, body: Json) -> Any:
        return self._json("PATCH", path, json=body)

    def all(self, path: str, **query: Any) -> list[Json]:
        """Every row of a list, page by page."""
        rows: list[Json] = []
        page = 1
        while True:
            answer = self.get(path, page=page, page_size=200, **query)
            rows += answer["results"]
            if not answer["next"]:
                return rows
            page += 1

    def bytes(self, method: str, path: str, **options: Any) -> requests.Response:
        """An answer that is no JSON: sound, a file."""
        response = self._session.request(method, self._url(path), timeout=600, **options)
        _raise(response)
        return response

    def follow(self, job_id: str, report: Callable[[Json], None]) -> Json:
        """Watch a job until it ends; ``report`` is called with each look. JobEnded unless it succeeded."""
        while True:
            job: Json = self.get(f"/api/v1/jobs/{job_id}/")
            report(job)
            if job["state"] == "succeeded":
                return job
            if job["state"] in ("failed", "cancelled"):
                raise JobEnded(f"“{job['title']}” {job['state']}: {job['error'] or 'stopped'}")
            time.sleep(0.5)

    def _json(self, method: str, path: str, **options: Any) -> Any:
        response = self._session.request(method, self._url(path), timeout=120, **options)
        _raise(response)
        return response.json() if response.content else None

    def _url(self, path: str) -> str:
        return path if "://" in path else f"{self.address}{path}"


def _raise(response: requests.Response) -> None:
    if response.status_code < 400:
        return
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        raise ApiError(response.status_code, "http", response.reason) from None
    raise ApiError(response.status_code, str(error["code"]), error["message"])
