"""The Kubernetes API, as little of it as the sidecar needs; the only module that speaks HTTP.

Written on urllib3 rather than on a Kubernetes client package: the official one costs more memory
by itself than the whole sidecar may take (40 MB). urllib3's errors end here.
"""

from __future__ import annotations

import json
import logging
import random
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import urllib3

from .contract import FIELD_MANAGER
from .errors import ApiError, Conflict

log = logging.getLogger(__name__)

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
ANSWER_SECONDS: Final = 10
WATCH_SECONDS: Final = 240
"""The API server ends a watch after this long."""
SILENCE_SECONDS: Final = 90
"""A watch that has said nothing for so long is given up, for its connection may have died unseen. The server
sends a bookmark about every minute, but promises none: for pods that did not change it sent none for twelve
minutes (seen on 1.34)."""

Object = dict[str, Any]


class Silence(ApiError):
    """A watch said nothing for `SILENCE_SECONDS`: nothing happened, or its connection has died."""


class Api:
    """A caller of one API server with the pod's own token."""

    def __init__(self, server: str, *, token_file: Path | None, context: ssl.SSLContext | None) -> None:
        self._server = server
        self._token_file = token_file
        self.tally: Counter[str] = Counter()
        """Counts the requests (`metrics.HELP`)."""
        self._pool = urllib3.PoolManager(ssl_context=context, retries=False, maxsize=6)

    @classmethod
    def in_cluster(cls, environ: Mapping[str, str]) -> Api:
        """From what kubelet puts into every pod. Raises ApiError outside of one."""
        try:
            host, port = environ["KUBERNETES_SERVICE_HOST"], environ["KUBERNETES_SERVICE_PORT"]
            context = ssl.create_default_context(cafile=str(SERVICE_ACCOUNT / "ca.crt"))
        except (KeyError, OSError) as error:
            raise ApiError(f"not in a pod of Kubernetes with a service account: {error}") from error
        # Python 3.13 asks more of certificates than Kubernetes' own clients do, such as a key identifier
        # that the authorities of older clusters do not write.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        host = f"[{host}]" if ":" in host else host
        return cls(f"https://{host}:{port}", token_file=SERVICE_ACCOUNT / "token", context=context)

    def _open(
        self, method: str, path: str, *, body: object, content: str, query: Mapping[str, str], seconds: float
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json", "Content-Type": content}
        if self._token_file is not None:
            # Read anew for each request: bound tokens are replaced within the hour (mistake 5).
            try:
                headers["Authorization"] = f"Bearer {self._token_file.read_text().strip()}"
            except (OSError, ValueError) as error:
                raise ApiError(f"the token of this pod cannot be read: {error}") from error
        self.tally[f'api_requests_total{{verb="{"WATCH" if "watch" in query else method}"}}'] += 1
        url = f"{self._server}{path}?{urlencode(query)}" if query else self._server + path
        try:
            answer = self._pool.request(
                method,
                url,
                body=None if body is None else json.dumps(body),
                headers=headers,
                timeout=urllib3.Timeout(connect=5, read=seconds),
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ApiError(f"Kubernetes does not answer {method} {path}: {error}") from error
        if answer.status >= 400:
            text = ""
            try:
                text = answer.read().decode(errors="replace")
                text = json.loads(text)["message"]
            except (urllib3.exceptions.HTTPError, OSError, ValueError, KeyError, TypeError):
                text = text[:200]
            kind = Conflict if answer.status == 409 else ApiError
            raise kind(f"{method} {path}: {text}", answer.status)
        return answer

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Object:
        """One call, its answer decoded. Raises ApiError, Conflict for 409."""
        answer = self._open(
            method, path, body=body, content=content, query=query or {}, seconds=ANSWER_SECONDS
        )
        try:
            decoded: Object = json.loads(answer.read())
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ApiError(f"{method} {path}: no whole answer: {error}") from error
        return decoded

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Object:
        return self.request("GET", path, query=query)

    def merge(self, path: str, change: object) -> Object:
        """A JSON merge patch under our field manager."""
        return self.request(
            "PATCH",
            path,
            change,
            content="application/merge-patch+json",
            query={"fieldManager": FIELD_MANAGER},
        )

    def create(self, path: str, body: object) -> Object:
        return self.request("POST", path, body, query={"fieldManager": FIELD_MANAGER})

    def replace(self, path: str, body: object) -> Object:
        """PUT; with the resourceVersion in `body` a compare-and-swap."""
        return self.request("PUT", path, body, query={"fieldManager": FIELD_MANAGER})

    def delete(self, path: str, options: Object) -> Object:
        """`options`: of a DeleteOptions, such as preconditions."""
        return self.request("DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions", **options})

    def watch(self, path: str, query: Mapping[str, str]) -> Iterator[Object]:
        """The events of a watch until the server ends it. Raises ApiError, or Silence."""
        answer = self._open(
            "GET",
            path,
            body=None,
            content="application/json",
            query={
                **query,
                "watch": "true",
                "allowWatchBookmarks": "true",
                "timeoutSeconds": str(WATCH_SECONDS),
            },
            seconds=SILENCE_SECONDS,
        )
        rest = b""
        try:
            for chunk in answer.stream(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield json.loads(line)
        except urllib3.exceptions.ReadTimeoutError as error:
            raise Silence(f"watch of {path}: nothing for {SILENCE_SECONDS} s") from error
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ApiError(f"watch of {path} broke: {error}") from error
        finally:
            answer.close()


class Mirror:
    """A local copy of one list of objects, kept up by a watch in a thread of its own.

    Kubernetes is asked once and then only told us what changes, so its load does not grow with
    the square of the nodes (design.md, section 5).
    """

    def __init__(
        self,
        api: Api,
        path: str,
        query: Mapping[str, str],
        changed: Callable[[], None],
        retry_seconds: float = 2,
    ) -> None:
        self._api, self._path, self._query = api, path, dict(query)
        self._changed = changed
        self._retry_seconds = retry_seconds
        self._objects: dict[str, Object] = {}
        self._error: str | None = "not listed yet"
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.started = False

    def start(self) -> None:
        self.started = True
        self._thread = threading.Thread(target=self._follow, name=f"watch {self._path}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def objects(self) -> list[Object]:
        """All objects as last seen. Raises ApiError while the copy cannot be trusted."""
        with self._lock:
            if self._error is not None:
                raise ApiError(f"{self._path}: {self._error}")
            if self._thread is None or not self._thread.is_alive():
                raise ApiError(f"{self._path}: nobody follows it any more")
            return list(self._objects.values())

    def known(self) -> list[Object] | None:
        """As `objects`, but None while the copy cannot be trusted. The first call starts the watch."""
        if not self.started:
            self.start()
        try:
            return self.objects()
        except ApiError:
            return None

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                self._list_and_watch()
            except Silence as silence:
                log.info("%s: lists again", silence)  # at once, and believed until that has failed
                continue
            except ApiError as error:
                self._distrust(str(error))
            except Exception as error:
                # A copy that nobody keeps up must not be believed, whatever ended this: an object of a shape
                # that nobody thought of, no file handles, no memory.
                log.exception("watch of %s", self._path)
                self._distrust(f"{type(error).__name__}: {error}")
            # Not all sidecars at once, and not at once: thousands of them may have lost the same server.
            self._stop.wait(self._retry_seconds * (0.5 + random.random()))

    def _distrust(self, why: str) -> None:
        with self._lock:
            self._error = why
        self._changed()

    def _list_and_watch(self) -> None:
        listed = self._api.get(self._path, self._query)
        version = listed["metadata"]["resourceVersion"]
        with self._lock:
            self._objects = {item["metadata"]["name"]: item for item in listed["items"]}
            self._error = None
        self._changed()
        while not self._stop.is_set():
            before = version
            for event in self._api.watch(self._path, {**self._query, "resourceVersion": version}):
                if event["type"] == "ERROR":
                    return  # most often "too old resource version": list again
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._take(event)
            if version == before:  # ended without a word: not to be asked again at once
                self._stop.wait(self._retry_seconds)

    def _take(self, event: Object) -> None:
        name = event["object"]["metadata"]["name"]
        with self._lock:
            if event["type"] == "DELETED":
                self._objects.pop(name, None)
            else:
                self._objects[name] = event["object"]
        self._changed()
