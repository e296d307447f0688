"""Create, read, update and delete one object, and wait for what follows from it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from lab.standins.pulumi_kubernetes import fields
from lab.standins.pulumi_kubernetes.api import APPLY, JSON_PATCH, MERGE_PATCH, Api, ApiError, Unreachable
from lab.standins.pulumi_kubernetes.kinds import Kinds, NoSuchKind
from lab.standins.pulumi_kubernetes.objects import (
    annotation,
    is_true,
    kind_of,
    merge_patch,
    name_of,
    namespace_of,
    pluck,
    text_at,
    without_read_only,
)
from lab.standins.pulumi_kubernetes.paths import Path
from lab.standins.pulumi_kubernetes.readiness import DEFAULT_SECONDS, Progress, Rule, built_in, rule_for
from lab.standins.pulumi_kubernetes.waiting import WaitFailed, wait
from lab.standins.pulumi_plugin.engine import Messages
from lab.standins.pulumi_plugin.values import Object

SKIP_AWAIT: Final = "pulumi.com/skipAwait"
TIMEOUT: Final = "pulumi.com/timeoutSeconds"
PROPAGATION: Final = "pulumi.com/deletionPropagationPolicy"
PATCH_FORCE: Final = "pulumi.com/patchForce"

_GUIDE: Final = (
    "https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/"
    "managing-resources-with-server-side-apply/#handle-field-conflicts-on-existing-resources"
)
_SKIPS_DELETION: Final = frozenset(
    {
        *("v1/Namespace", "v1/Pod", "v1/ReplicationController", "apps/v1/DaemonSet"),
        *("apps/v1/Deployment", "apps/v1/StatefulSet", "batch/v1/Job"),
    }
)
"""Kinds of which `skipAwait` also skips the wait for their end."""
_RETRIES: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each further attempt at a create whose namespace or kind is not there yet."""


class NotLive(Exception):
    """The object is there, but the wait for it failed, or its update."""

    def __init__(self, live: Object, message: str, reasons: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.live, self.reasons = live, reasons


@dataclass(frozen=True)
class Options:
    force: bool = False
    """Take fields from whoever has them."""
    upsert: bool = False
    warnings: bool = True


@dataclass(frozen=True)
class Task:
    """One call of the engine's."""

    messages: Messages
    manager: str
    seconds: float = 0
    """The resource's own timeout; 0 where it has none."""
    preview: bool = False


class Operations:
    """Thread-safe. Methods raise ApiError, Unreachable, NoSuchKind, and NotLive where they say so."""

    def __init__(self, api: Api, kinds: Kinds, options: Options, cancelled: threading.Event) -> None:
        self._api, self._kinds, self._options, self._cancelled = api, kinds, options, cancelled

    # What the rules of readiness ask of other objects.

    def binding_mode(self, storage_class: str) -> str:
        if not storage_class:
            return ""
        try:
            found = self._api.get(f"/apis/storage.k8s.io/v1/storageclasses/{storage_class}")
        except ApiError:
            return ""
        return text_at(found, "volumeBindingMode")

    def endpoints(self, service: Object) -> int:
        path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace_of(service)}/endpointslices"
        listed, _ = self._api.send(
            "GET", path, query={"labelSelector": f"kubernetes.io/service-name%3D{name_of(service)}"}
        )
        all_ = [e for slice_ in listed.get("items") or [] for e in slice_.get("endpoints") or []]
        return sum(pluck(endpoint, "conditions", "ready") is not False for endpoint in all_)

    # The four operations.

    def create(self, inputs: Object, task: Task) -> Object:
        """The live object. Raises NotLive once it exists."""
        obj = without_read_only(inputs)
        if task.preview:
            return self._post(obj, task)
        live = self._post_with_patience(obj, task)
        return self._await(inputs, live, task)

    def read(self, obj: Object, task: Task) -> Object:
        """Raises NotLive for an object that is not ready, of kinds where a refresh looks."""
        live = self.live(obj)
        rule = built_in(obj)
        if rule is None or not rule.reads or is_true(obj, SKIP_AWAIT):
            return live
        progress = rule.look(live, self)
        if not progress.done:
            raise NotLive(live, progress.message, progress.reasons)
        return live

    def update(self, old: Object, inputs: Object, ignored: list[Path], task: Task) -> Object:
        """`old`: the inputs until now. Raises NotLive where the object was there before."""
        live = self.live(inputs)
        try:
            change = self._preview_update if task.preview else self._update
            applied = change(without_read_only(old), without_read_only(inputs), live, ignored, task)
        except ApiError as error:
            raise NotLive(live, _explained(error, task.manager)) from error
        return applied if task.preview else self._await(inputs, applied, task)

    def live(self, obj: Object) -> Object:
        return self._api.get(self._kinds.item(obj))

    def delete(self, inputs: Object, live: Object, task: Task) -> None:
        """Returns once the object is gone. Raises NotLive."""
        path, uid = self._kinds.item(live), ""
        policy = annotation(inputs, PROPAGATION).capitalize()
        options = {"kind": "DeleteOptions", "apiVersion": "v1"}
        try:
            uid = text_at(self._api.get(path), "metadata", "uid")
            propagation = policy if policy in ("Orphan", "Background") else "Foreground"
            self._api.send("DELETE", path, {**options, "propagationPolicy": propagation})
        except ApiError as error:
            if error.code == 404:
                return
            raise
        if not (is_true(inputs, SKIP_AWAIT) and kind_of(inputs) in _SKIPS_DELETION):
            self._await_end(path, uid, inputs, live, task)

    # How.

    def _post_with_patience(self, obj: Object, task: Task) -> Object:
        for attempt, pause in enumerate(_RETRIES, 1):
            try:
                return self._post(obj, task)
            except (ApiError, NoSuchKind) as error:
                if isinstance(error, ApiError) and error.code != 404:
                    raise
                task.messages.status(f"Retry #{attempt}; creation failed: {error}")
                if self._cancelled.wait(pause):
                    raise
        return self._post(obj, task)

    def _post(self, obj: Object, task: Task) -> Object:
        if self._options.upsert:
            return self._apply(obj, task, force=self._force(obj))
        query = {"fieldManager": fields.CREATOR, "fieldValidation": "Ignore"}
        if task.preview:
            query["dryRun"] = "All"
        live, warnings = self._api.send("POST", self._kinds.collection(obj), obj, query=query)
        self._warn(warnings, task)
        return live

    def _update(self, old: Object, obj: Object, live: Object, ignored: list[Path], task: Task) -> Object:
        live = self._take_over(live, task.manager)
        return self._apply(fields.send(obj, live, ignored, task.manager), task, self._force(obj))

    def _preview_update(
        self, old: Object, obj: Object, live: Object, ignored: list[Path], task: Task
    ) -> Object:
        sent = fields.send(obj, live, ignored, task.manager)
        if not fields.created_by_us(live):
            return self._apply(sent, task, self._force(obj))
        # Its fields are still the creator's: to apply others would add to its lists, not change them.
        patch, query = merge_patch(old, sent), {"fieldManager": task.manager, "dryRun": "All"}
        found, warnings = self._api.send(
            "PATCH", self._kinds.item(obj), patch, query=query, content=MERGE_PATCH
        )
        self._warn(warnings, task)
        return found

    def _take_over(self, live: Object, manager: str) -> Object:
        path, attempts = self._kinds.item(live), 5
        while (managed := fields.taken_over(live, manager)) is not None:
            version = text_at(live, "metadata", "resourceVersion")
            patch = [
                {"op": "replace", "path": "/metadata/managedFields", "value": managed},
                {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
            ]
            try:
                live, _ = self._api.send("PATCH", path, patch, content=JSON_PATCH)
            except ApiError as error:
                attempts -= 1
                # Somebody wrote between our look and our patch.
                if error.code != 409 or not attempts:
                    raise
                live = self._api.get(path)
        return live

    def _apply(self, obj: Object, task: Task, force: bool) -> Object:
        query = {"fieldManager": task.manager, "force": str(force).lower()}
        if task.preview:
            query["dryRun"] = "All"
        path = self._kinds.item(obj)
        live, warnings = self._api.send("PATCH", path, obj, query=query, content=APPLY)
        self._warn(warnings, task)
        return live

    def _force(self, obj: Object) -> bool:
        return self._options.force or is_true(obj, PATCH_FORCE)

    def _warn(self, warnings: list[str], task: Task) -> None:
        if self._options.warnings:
            for warning in warnings:
                task.messages.warn(warning)

    def _await(self, inputs: Object, live: Object, task: Task) -> Object:
        rule = None if is_true(inputs, SKIP_AWAIT) else rule_for(inputs)
        if rule is None:
            task.messages.status("")
            return live
        path, seen = self._kinds.item(live), [live]
        seconds = rule.fixed_seconds or timeout(inputs, task.seconds)
        try:
            wait(lambda: self._look(path, rule, seen), seconds, self._cancelled, task.messages)
        except WaitFailed as error:
            raise NotLive(seen[0], str(error), error.reasons) from error
        task.messages.status("")
        return seen[0]

    def _look(self, path: str, rule: Rule, seen: list[Object]) -> Progress:
        seen[0] = self._api.get(path)
        try:
            return rule.look(seen[0], self)
        except ValueError as error:
            return Progress(False, str(error), (str(error),))

    def _await_end(self, path: str, uid: str, inputs: Object, live: Object, task: Task) -> None:
        seen = [live]
        try:
            wait(
                lambda: self._look_for_end(path, uid, seen),
                timeout(inputs, task.seconds),
                self._cancelled,
                task.messages,
            )
        except WaitFailed as error:
            if self._has_ended(path, uid, seen, task):
                return
            finalizers = pluck(seen[0], "metadata", "finalizers") or []
            task.messages.warn(f"finalizers might be preventing deletion ({', '.join(finalizers)})")
            raise NotLive(seen[0], str(error), error.reasons) from error
        task.messages.status("")

    def _has_ended(self, path: str, uid: str, seen: list[Object], task: Task) -> bool:
        """One last look, which Ctrl-C does not hinder (refreshClusterState in the real one's deleted.go)."""
        try:
            return self._look_for_end(path, uid, seen, even_cancelled=True).done
        except (ApiError, Unreachable) as error:
            task.messages.status(f"unexpected error while checking cluster state: {error}")
            return False

    def _look_for_end(
        self, path: str, uid: str, seen: list[Object], even_cancelled: bool = False
    ) -> Progress:
        try:
            found = self._api.get(path, even_cancelled=even_cancelled)
        except ApiError as error:
            if error.code == 404:
                return Progress(True)
            raise
        # An object of the same name is another one: ours ended between two looks.
        if text_at(found, "metadata", "uid") != uid:
            return Progress(True)
        seen[0] = found
        return Progress(False, "Resource scheduled for deletion")


def timeout(inputs: Object, own: float) -> float:
    """Seconds: the resource's option, else its annotation, else ten minutes."""
    text: Any = annotation(inputs, TIMEOUT)
    return own or (float(text) if text.isdecimal() else 0) or DEFAULT_SECONDS


def _explained(error: ApiError, manager: str) -> str:
    if error.code != 409 or "conflict" not in str(error):
        return str(error)
    return (
        f"Server-Side Apply field conflict detected. See {_GUIDE} for troubleshooting help.\n"
        f'The resource managed by field manager "{manager}" had an apply conflict: {error}'
    )
