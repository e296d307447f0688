"""`make mutants`: each mistake of the original put into the code, and the test that must then fail.

A mutant is a copy of the product and its tests with one text replaced; the file at hand is never touched.
Prints a line for each and ends with 1 if a test passed all the same, or if the text is no longer there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
COPIED: Final = ("gluster_stack", "sidecar", "lab", "tests", "pyproject.toml", "Pulumi.yaml", "__main__.py")
SIDECAR: Final = "sidecar/gluster_sidecar"
SECONDS: Final = 600


@dataclass(frozen=True)
class Mutant:
    row: str
    """Of `MISTAKES.md`, or the law that it breaks."""
    file: str
    was: str
    """Stands in the file, or in the package, exactly once."""
    becomes: str
    test: str
    """As pytest names it, below `tests/`."""


def mutant(row: str, module: str, was: str, becomes: str, test: str) -> Mutant:
    """Of a module of the sidecar, or of whichever module of a package of it has the text."""
    return Mutant(row, f"{SIDECAR}/{module}", was, becomes, f"sidecar/{test}")


def file_of(one: Mutant, folder: Path) -> Path | str:
    """The file that has the mutant's text; else why there is none."""
    place = folder / one.file
    files = [place] if place.is_file() else sorted(place.glob("*.py")) or [place.with_suffix(".py")]
    counts = {file: file.read_text().count(one.was) for file in files}
    if sum(counts.values()) != 1:
        return f"its text stands {sum(counts.values())} times in {one.file}"
    return max(files, key=lambda file: counts[file])


MISTAKES: Final = (
    mutant(
        "1",
        "settings",
        'text = environ.get(variable, "")',
        "text = environ[variable]",
        "test_settings.py::test_without_an_environment_the_originals_defaults_hold",
    ),
    mutant(
        "2",
        "settings",
        "        return int(text)\n\n    return read",
        "        return text  # type: ignore[return-value]\n\n    return read",
        "test_settings.py::test_numbers_are_numbers",
    ),
    mutant(
        "3",
        "settings",
        'node: int = field(metadata={"variable": PREFIX + "NODE_NUMBER", "read": _integer(1, 100_000)})',
        'node: int = field(kw_only=True, default=1, metadata={"variable": PREFIX + "NODE_NUMBER",'
        ' "read": _integer(1, 100_000)})',
        "test_settings.py::test_a_sidecar_must_be_told_which_node_it_is",
    ),
    mutant(
        "4",
        "settings",
        'pod_name: str = field(metadata={"variable": PREFIX + "POD_NAME", "read": _SET})',
        'pod_name: str = _setting("POD_NAME", _SET, "the-machine")',
        "test_settings.py::test_a_sidecar_must_be_told_which_node_it_is",
    ),
    mutant(
        "5",
        "kubernetes",
        'f"Bearer {self._token_file.read_text().strip()}"',
        'self.__dict__.setdefault("kept", f"Bearer {self._token_file.read_text().strip()}")',
        "test_kubernetes.py::test_a_token_that_was_replaced_is_read_anew",
    ),
    mutant(
        "6",
        "gluster",
        '"--mode=script", f"--timeout={seconds}", *words]',
        "*words]",
        "test_gluster.py::test_no_command_asks_a_question_or_waits_for_ever",
    ),
    mutant(
        "7",
        "model",
        "not pod.ready, blank, node in leaving)",
        "False, blank, node in leaving)",
        "test_planner.py::test_a_dead_server1_is_followed_by_the_next_though_its_pod_still_runs",
    ),
    mutant(
        "8",
        "planner",
        "return cluster.server1 == cluster.me and cluster.holds_lease",
        "return cluster.server1 == cluster.me or cluster.holds_lease",
        "test_planner.py::test_only_the_holder_of_the_lease_acts_and_only_as_server1",
    ),
    mutant(
        "9",
        "planner",
        "    know_the_pool,\n    guard.hold_data,\n",
        "    guard.hold_data,\n",
        "test_planner.py::test_a_blank_pool_is_not_built_anew_over_nodes_that_remember_one",
    ),
    mutant(
        "10",
        "gluster",
        'if root.findtext("opRet", "0") != "0":',
        'if root.findtext("opRet", "0") != "0" and "exist" not in (root.findtext("opErrstr") or "exist"):',
        "test_gluster.py::test_a_refusal_is_an_error_in_glusters_own_words",
    ),
    mutant(
        "11",
        "parse",
        'if _text(element, "name") != name:',
        'if name not in _text(element, "name"):',
        "test_parse.py::test_a_volume_is_found_by_its_whole_name",
    ),
    mutant(
        "12",
        "planner",
        "elif bricks := bricks_on(cluster, sets_of(cluster, candidates, settings.replication)):",
        "elif bricks := bricks_on(cluster, sets_of(cluster, candidates, 2)[:2]):",
        "test_planner.py::test_all_nodes_at_once_become_one_volume_in_full_sets",
    ),
    mutant(
        "13",
        "planner",
        "return peer.connected and peer.in_cluster",
        "return peer.connected",
        "test_mistakes.py::test_a_peer_is_well_only_if_connected_and_in_the_cluster",
    ),
    mutant(
        "14",
        "planner",
        "misnamed = member.uuid is not None and member.uuid in known",
        "misnamed = False",
        "test_planner_failures.py::test_a_peer_under_a_wrong_name_gets_its_own",
    ),
    mutant(
        "15",
        "planner",
        "= (join_again, dissolve, take_out, revive_bricks, restart_by_leave)",
        "= (join_again, dissolve, take_out, restart_by_leave)",
        "test_planner_failures.py::test_a_dead_brick_is_brought_back_by_its_own_node_without_force",
    ),
    Mutant(
        "16",
        "gluster_stack/client.py",
        'cluster_ip="None",',
        'cluster_ip="None",\n            selector=labels,',
        "stack/test_cluster.py::test_the_clients_entry_is_filled_by_the_sidecars_alone",
    ),
    mutant(
        "17",
        "planner",
        "    sets = {(node - 1) // replication for node in candidates}\n",
        "    return candidates[: -(-len(candidates) // replication) * replication]\n"
        "    sets = {(node - 1) // replication for node in candidates}\n",
        "test_planner.py::test_one_node_of_a_pair_waits_for_the_other",
    ),
    mutant(
        "18",
        "planner",
        "    if bricks == notes.balanced:\n        return\n",
        "    if bricks == notes.balanced or bricks == notes.rebalance_bricks:\n        return\n",
        "test_planner.py::test_a_rebalance_that_never_started_is_started_by_the_next_actor",
    ),
    mutant(
        "19",
        "planner",
        "    if volume.replica != settings.replication:\n        return []  #",
        "    if False:\n        return []  #",
        "test_mistakes.py::test_another_replication_changes_no_volume_that_exists",
    ),
    mutant(
        "20",
        "planner",
        "if node == cluster.me or node in cluster.leaving or cluster.host(node) in pool.peers:",
        "if node in cluster.leaving or cluster.host(node) in pool.peers:",
        "test_mistakes.py::test_nobody_probes_itself",
    ),
    mutant(
        "21",
        "planner",
        "over = cluster.at - since >= timedelta(seconds=plan.grace_seconds)",
        "over = True",
        "test_planner_failures.py::test_a_node_within_its_grace_is_waited_for",
    ),
    mutant(
        "22",
        "planner",
        "if node == cluster.me or (peer and is_well(peer)):\n            found.append(node)",
        "if node == cluster.me or peer is None:\n            found.append(node)",
        "test_planner_failures.py::test_a_spare_takes_the_place_of_one_that_stays_away",
    ),
    mutant(
        "23",
        "planner",
        "if unknown := [other.id for other in others if other.id not in cluster.notes.whole]:",
        "if unknown := [other.id for other in others if not other.online]:",
        "test_planner_failures.py::test_the_last_good_copy_is_never_left_alone",
    ),
    mutant(
        "24",
        "parse",
        "int(count) if count.isdecimal() else None",
        "int(count) if count.isdecimal() else 0",
        "test_parse.py::test_heals_of_a_brick_that_does_not_answer_are_unknown_not_zero",
    ),
    mutant(
        "25",
        "planner",
        "    if pool.brick_running is False and sound and _may_restart(cluster):\n",
        "    if not all(peer.connected for peer in pool.peers.values()):\n"
        '        yield RestartGlusterd("a peer is gone")\n'
        "    if pool.brick_running is False and sound and _may_restart(cluster):\n",
        "test_mistakes.py::test_a_peer_that_is_gone_and_comes_back_takes_no_command",
    ),
    mutant(
        "26",
        "planner",
        "    pool = pool_of(cluster)\n    known = ",
        "    pool = pool_of(cluster)\n"
        "    if not all(map(_well, pool.peers.values())):\n"
        '        yield Wait("a peer is gone")\n'
        "    known = ",
        "test_mistakes.py::test_a_dead_node_without_a_spare_keeps_nobody_from_being_invited",
    ),
    mutant(
        "27",
        "parse",
        "host = next((name for name in names if node_of_host(name) is not None), names[0])",
        "host = names[0]",
        "test_parse.py::test_a_peer_has_its_nodes_name_whichever_name_comes_first",
    ),
    Mutant(
        "28",
        "gluster_stack/membership.py",
        "depends_on=[*after], custom_timeouts",
        "depends_on=[], custom_timeouts",
        "stack/test_cluster.py::test_deletion_goes_plan_member_controller_claim_disk",
    ),
)

LAWS: Final = (
    mutant(
        "guard: proof before a node goes",
        "planner",
        "    if why_kept(cluster, node, in_sync=in_sync):\n        return",
        "    if False:\n        return",
        "test_guard.py::test_a_node_goes_when_its_walk_found_nothing_or_its_copies_are_in_sync",
    ),
    mutant(
        "guard: guarded before a brick is made",
        "planner",
        "        yield from guard.hold(cluster, bricks)\n        yield CreateVolume",
        "        yield CreateVolume",
        "test_planner.py::test_all_nodes_at_once_become_one_volume_in_full_sets",
    ),
    mutant(
        "guard: a member that is wanted again is not released",
        "model",
        "return frozenset(self.members) - self.plan.named if self.plan else frozenset()",
        "return frozenset(n for n, m in self.members.items() if m.terminating) if self.plan else frozenset()",
        "test_planner.py::test_who_changes_their_mind_keeps_the_nodes",
    ),
    mutant(
        "guard: a walk under an earlier plan",
        "planner",
        "member.left_plan == cluster.plan.version",
        "bool(member)",
        "test_guard.py::test_a_walk_under_another_plan_is_no_proof",
    ),
    mutant(
        "guard: settled while bricks of nodes without a member are in the volume",
        "report",
        "sorted(cluster.unnamed) if why_stays",
        "sorted(cluster.leaving) if why_stays",
        "test_guard.py::test_up_waits_for_bricks_of_nodes_that_have_no_member_any_more",
    ),
    mutant(
        "guard: a late release",
        "execute",
        "if expected is not None and not bricks_guarded(found) <= proven:",
        "if False:",
        "test_guard_writes.py::test_a_late_release_does_not_take_off_a_newer_guard",
    ),
    mutant(
        "guard: a leftover member keeps a destroy for ever",
        "model",
        "if not m.terminating and (self.guarded(n) or not known)]",
        "if not m.terminating]",
        "test_guard.py::test_a_member_that_pulumi_does_not_know_goes_and_keeps_no_destroy",
    ),
    mutant(
        "guard: one that is going leaves the other open",
        "execute",
        '                going.append(path.split("/")[-2])',
        "                raise ActionError(f\"{path.split('/')[-2]} of node {node} are going\")",
        "test_guard_writes.py::test_a_claim_that_is_going_leaves_no_controller_unguarded",
    ),
    mutant(
        "scope: one that waits silences the others",
        "planner",
        "if takes or not all(isinstance(step, Wait) and step.alone for step in steps):",
        "if True:",
        "test_scopes.py::test_a_step_that_was_refused_rests_and_what_is_below_goes_on",
    ),
    mutant(
        "scope: a refused step is tried at every look",
        "planner",
        "if resting := [s for s in steps if not isinstance(s, Wait) and rests(cluster, s)]:",
        "if resting := [s for s in steps if not isinstance(s, Wait) and False]:",
        "test_scopes.py::test_a_step_that_was_refused_rests_and_what_is_below_goes_on",
    ),
    mutant(
        "scope: a refused replacement keeps the others",
        "planner",
        'if rests(cluster, ReplaceBrick(volume.name, brick.id, "")):',
        "if False:",
        "test_scopes.py::test_a_replacement_that_glusterd_refuses_keeps_no_other_from_being_made",
    ),
    mutant(
        "scope: a lost brick waits for the end of a rebalance",
        "planner",
        "        if can_replace(cluster, volume):\n            yield StopRebalance",
        "        if False:\n            yield StopRebalance",
        "test_scopes.py::test_a_rebalance_that_runs_is_stopped_for_a_lost_brick_and_begun_again_after_it",
    ),
    mutant(
        "heal: nobody launches it",
        "planner",
        "if volume is None or since is None or cluster.at - since < PATIENCE:",
        "if True:",
        "test_memory.py::test_entries_that_nobody_heals_are_healed_again_and_again_with_pauses",
    ),
    mutant(
        "guard: a plan that somebody deleted is no teardown",
        "model",
        "return self.plan is None and not living",
        "return self.plan is None",
        "test_planner.py::test_without_a_plan_a_member_is_released_and_what_it_depends_on_stays_guarded",
    ),
    mutant(
        "guard: what took a brick's place must be in sync",
        "planner",
        "            if not in_sync:\n",
        "            if False:\n",
        "test_guard.py::test_a_node_that_handed_its_brick_over_stays_until_the_new_copy_is_in_sync",
    ),
    mutant(
        "roll: one deletion in flight",
        "planner",
        "    if young := _successors(cluster, stay):",
        "    if young := []:",
        "test_planner_failures.py::test_pods_that_do_not_serve_are_replaced_one_at_a_time_with_a_pause_after_one_that_is_not_ready",
    ),
    mutant(
        "law 1: the lease",
        "lease",
        "return now - self._renewed_at < DURATION_SECONDS - RENEW_SECONDS / 2",
        "return now - self._renewed_at < 2 * DURATION_SECONDS",
        "test_lease.py::test_who_does_not_renew_loses_it_before_anybody_can_take_it",
    ),
    mutant(
        "law 2: a disk of another life",
        "planner",
        'if cluster.members[n].place != f"{settings.disk}/brick"]',
        "if cluster.members[n].place is None]",
        "test_planner_failures.py::test_no_volume_is_made_over_a_disk_that_was_a_brick",
    ),
    mutant(
        "law 2: blank nodes that met take themselves for the pool",
        "report",
        "if cluster.pool.volume is None and remember_a_volume(cluster):",
        "if cluster.pool.volume is None and not cluster.pool.peers:",
        "test_planner_gaps.py::test_blank_nodes_that_met_do_not_write_down_that_they_are_the_pool",
    ),
    mutant(
        "law 2: a pool with a volume is dissolved",
        "planner",
        "if pool is None or not cluster.outcast or pool.volume is not None:",
        "if pool is None or not cluster.outcast:",
        "test_planner_gaps.py::test_a_pool_that_was_begun_and_not_said_is_dissolved_by_its_nodes",
    ),
    mutant(
        "law 4: a look that is old stands for ever",
        "rest",
        "return now - self.began < LOOK_SECONDS and mark == self.mark",
        "return mark == self.mark",
        "test_rest.py::test_a_sidecar_rests_until_something_changes_or_its_look_is_old",
    ),
    mutant(
        "law 1: who rests does not see that it acts no more",
        "loop",
        "and self._hold(known.rank) == known.acts:",
        "and (not self._hold(known.rank) or known.acts):",
        "test_rest.py::test_the_one_that_acts_keeps_the_lease_while_it_rests",
    ),
    mutant(
        "law 4: rest while a peer is away",
        "rest",
        "and all(peer.connected and peer.in_cluster for peer in pool.peers.values())",
        "and all(peer.in_cluster for peer in pool.peers.values())",
        "test_rest.py::test_one_thing_that_is_not_well_or_not_known_keeps_them_looking",
    ),
    mutant(
        "law 11: a brick is ended though nobody else serves",
        "planner",
        "if others if len(one) == 2 else 2 * others > len(one):",
        "if True:",
        "test_hung_parts.py::test_a_brick_on_a_disk_that_hangs_is_ended_if_the_other_copy_serves",
    ),
    mutant(
        "law 11: what waits for a disk that hangs is ended",
        "service",
        "if long and not self.disk.wrong():",
        "if long:",
        "test_service.py::test_on_a_disk_that_hangs_nothing_is_ended_unless_the_sidecar_says_so",
    ),
    mutant(
        "law 11: what stood still with its machine is ended",
        "service",
        "long = asked > since and self.clock() - since",
        "long = self.clock() - since",
        "test_service.py::test_a_machine_that_stood_still_is_asked_once_more",
    ),
    mutant(
        "law 11: a brick that answers nobody serves",
        "service",
        "part for part in bricks if part.process in self._started",
        "part for part in bricks",
        "test_service.py::test_a_brick_that_has_just_been_started_is_waited_for",
    ),
    mutant(
        "law 11: of disks that hang together all bricks are ended",
        "planner",
        "member.brick != brick.id or member.disk:",
        "member.brick != brick.id:",
        "test_hung_parts.py::test_a_brick_on_a_disk_that_hangs_is_ended_if_the_other_copy_serves",
    ),
    mutant(
        "law 3: a heal daemon is started without leave",
        "planner",
        "if asked and member and member.start_granted == asked:",
        "if asked and member:",
        "test_hung_parts.py::test_a_heal_daemon_that_does_not_run_is_started",
    ),
    mutant(
        "law 3: what was left dirty blames nobody",
        "evidence",
        "if _left_dirty(brick):",
        "if False:",
        "test_evidence.py::test_an_entry_that_a_dead_client_left_dirty_blames_anybody",
    ),
    mutant(
        "law 11: a cycle that hangs leaves its pod Ready",
        "health",
        "if not self.is_fresh():",
        "if False:",
        "test_health.py::test_what_was_found_long_ago_says_nothing_of_now",
    ),
    mutant(
        "law 1: a long step lets the lease run out",
        "lease",
        "self._lease.renew(self._clock())",
        "pass",
        "test_lease.py::test_while_a_step_takes_long_nobody_else_takes_it",
    ),
    mutant(
        "telemetry wakes every sidecar",
        "rest",
        "if key not in telemetry}",
        "if key}",
        "test_rest.py::test_numbers_for_people_wake_nobody_and_what_rules_read_does",
    ),
    mutant(
        "spread: data is moved before clients know where to",
        "planner",
        "elif late := late_clients(cluster, volume):",
        "elif late := '':",
        "test_spread.py::test_data_is_not_moved_before_clients_know_where",
    ),
    mutant(
        "spread: a client that does nothing keeps data from being moved for ever",
        "planner",
        "if waited >= LATE_MACHINES:",
        "if False:",
        "test_spread.py::test_data_is_not_moved_before_clients_know_where",
    ),
    mutant(
        "law 3: quorum",
        "planner",
        "if 2 * connected <= 1 + len(peers):",
        "if connected < 1:",
        "test_planner_failures.py::test_no_quorum_no_replacement",
    ),
    mutant(
        "law 3: between two actors",
        "planner",
        "[b.id for b in others if not answered(cluster, b)]",
        "[b.id for b in others if not b.online]",
        "test_planner_gaps.py::test_a_survivor_is_relied_on_once_its_node_has_answered_in_this_watch",
    ),
    mutant(
        "law 3: the last word of one that is gone",
        "planner",
        "accusers = {b.id for b in gone if _accuses(cluster, b)}",
        "accusers = set[str]()",
        "test_planner_gaps.py::test_the_last_word_of_a_brick_that_is_gone_counts",
    ),
    mutant(
        "law 3: has not caught up",
        "planner",
        "stayed = [b for b in one if b.online is True and _has_caught_up(cluster, b)]",
        "stayed = [b for b in one if b.online is True]",
        "test_planner_gaps.py::test_nor_is_it_for_a_spare",
    ),
    mutant(
        "law 3: an operator's word about another start",
        "planner",
        "return bool(member.copy) and member.override == member.copy",
        "return bool(member.override)",
        "test_evidence.py::test_an_operators_word_about_another_copy_is_told_and_not_used",
    ),
    mutant(
        "law 3: an operator's word is used for ever",
        "planner",
        "if other != brick and other.node is not None and is_taken_as_right(cluster, other):",
        "if False:",
        "test_evidence.py::test_an_operators_word_is_enough_and_is_used_once",
    ),
    mutant(
        "law 3: evidence of a majority that blames one of its own",
        "planner",
        "return all(_clears(cluster, one, other) for one in others for other in others if one != other)",
        "return True",
        "test_evidence.py::test_of_three_it_is_not_enough",
    ),
    mutant(
        "law 3: evidence of an earlier start",
        "planner",
        "return blame.blamed if blame is not None and blame.process == process else None",
        "return blame.blamed if blame is not None else None",
        "test_evidence.py::test_of_three_it_is_not_enough",
    ),
    mutant(
        "law 3: evidence without quorum",
        "planner",
        'return volume.replica > 2 and volume.options.get(QUORUM_TYPE, "auto") == "auto"',
        "return volume.replica > 2",
        "test_evidence.py::test_of_three_it_is_not_enough",
    ),
    mutant(
        "law 4: nobody has told what it lacks, so Ready",
        "report",
        "if behind is None:",
        "if False:",
        "test_planner_gaps.py::test_what_a_brick_lacks_is_told_by_the_others_of_its_set",
    ),
    mutant(
        "law 4: one of two is a majority",
        "planner",
        "if clear == len(others) or (",
        "if clear or True or (",
        "test_planner_gaps.py::test_of_two_copies_only_the_other_can_tell",
    ),
    mutant(
        "law 3: evidence beside a brick that is unproven",
        "planner",
        "if cluster.notes.unproven & {brick.id for brick in others}:",
        "if False:",
        "test_evidence.py::test_of_three_it_is_not_enough",
    ),
    mutant(
        "law 3: the last report of one that is away",
        "planner",
        "return len(others) == 1 and said_lost(cluster, gone) and _last_report_clears(",
        "return _last_report_clears(",
        "test_evidence.py::test_of_two_the_last_report_of_one_that_is_away_clears_nobody",
    ),
    mutant(
        "law 3: the last report blames the survivor",
        "planner",
        "b.id in last and not last[b.id].blamed for b in others",
        "b.id in last for b in others",
        "test_evidence.py::test_of_two_the_last_report_blames_the_other",
    ),
    mutant(
        "law 3: clear by a scan from before",
        "evidence",
        "elif told.scanned > since:",
        "elif told:",
        "test_evidence.py::test_a_brick_clears_another_by_a_scan_that_began_when_it_was_known_to_run",
    ),
    mutant(
        "law 3: the scan of another process",
        "evidence",
        "if process != cluster.own.processes[mine[0].path]:",
        "if not process:",
        "test_evidence.py::test_what_is_not_known_of_a_brick",
    ),
    mutant(
        "law 4: a scan that was not ended",
        "evidence",
        "if error.errno != errno.ENOENT:",
        "if False:",
        "test_evidence.py::test_a_scan_that_cannot_be_ended_is_not_known",
    ),
    mutant(
        "law 3: the last copy's glusterd is started anew without leave",
        "planner",
        "if asked and member and member.start_granted == asked:",
        "if asked and member:",
        "test_starts.py::test_a_peer_that_stays_halfway_in_the_pool_is_taken_in_by_a_start_by_leave_of_the_actor",
    ),
    mutant(
        "law 3: a change while a glusterd is started anew",
        "planner",
        "    await_starts,\n",
        "",
        "test_starts.py::test_nothing_is_done_while_a_glusterd_has_leave_to_start_anew",
    ),
    mutant(
        "law 3: two starts at once",
        "planner",
        "if asking and not nodes_starting(cluster):",
        "if asking:",
        "test_starts.py::test_nothing_is_done_while_a_glusterd_has_leave_to_start_anew",
    ),
    mutant(
        "a start of one that died is waited for for ever",
        "planner",
        "    note_health,\n    await_starts,\n",
        "    await_starts,\n    note_health,\n",
        "test_starts.py::test_the_start_of_one_that_stays_away_is_not_waited_for",
    ),
    mutant(
        "law 3: a change that the glusterd of another set misses",
        "planner",
        "if b != brick and _misses_changes(cluster, b)]:",
        "if False and _misses_changes(cluster, b)]:",
        "test_starts.py::test_no_brick_is_replaced_while_the_glusterd_of_another_set_would_miss_it",
    ),
    mutant(
        "law 3: leave for every start",
        "planner",
        "    return max(time for time in times if time is not None).isoformat()",
        "    return str(times[0])",
        "test_starts.py::test_leave_is_for_one_start",
    ),
    mutant(
        "law 3: the old glusterd's answer is taken for the new one's",
        "report",
        "    if not cluster.own.ending:\n",
        "    if True:\n",
        "test_starts.py::test_what_it_asked_stands_until_the_glusterd_that_was_started_answers",
    ),
    mutant(
        "law 3: the daemon answers before glusterd has ended",
        "daemon",
        "            asked = restart_file.exists()\n",
        "            asked = restart_file.exists()\n            note_ended(restart_file)\n",
        "test_starts.py::test_the_daemon_answers_when_what_ran_has_ended",
    ),
    mutant(
        "law 3: the actor goes on as its own glusterd is about to end",
        "loop",
        "return acted or self._carry_out(seen, decision)",
        "return self._carry_out(seen, decision) or acted",
        "test_starts.py::test_the_actors_own_start_ends_its_cycle",
    ),
    mutant(
        "law 3: a look that began before glusterd ended",
        "observe",
        "        cluster = replace(cluster, own=replace(self._own(cluster, served), ending=ending))\n",
        "        ending = self._restart_note().exists()\n"
        "        cluster = replace(cluster, own=replace(self._own(cluster, served), ending=ending))\n",
        "test_starts.py::test_a_look_that_began_before_glusterd_ended_says_so",
    ),
    mutant(
        "law 3: a word about another brick",
        "planner",
        "if brick.id not in member.lost | cluster.notes.unproven:",
        "if not member.lost | cluster.notes.unproven:",
        "test_planner_failures.py::test_a_brick_that_was_just_made_is_not_replaced_on_a_word_about_the_one_before",
    ),
    mutant(
        "law 3: an empty brick that looks whole",
        "planner",
        "found |= {brick.id for brick in one} - unproven",
        "found |= {brick.id for brick in one}",
        "test_unproven.py::test_a_brick_that_is_not_known_to_be_put_in_to_the_end_is_replaced_though_it_looks_well",
    ),
    mutant(
        "law 3: an empty brick is forgotten by who dies before it is replaced",
        "planner",
        "yield NoteUnproven(unproven | {new})",
        "yield NoteUnproven((unproven - {brick.id}) | {new})",
        "test_unproven.py::test_it_stays_noted_until_it_has_been_replaced",
    ),
    mutant(
        "law 3: the others of an empty brick are never whole again",
        "planner",
        "if volume.heals_of(one) == 0 and not not_up(one):",
        "if volume.heals_of(one) == 0 and not not_up(one) and not unproven:",
        "test_unproven.py::test_the_others_of_its_set_are_whole_again_after_a_start_of_theirs",
    ),
    mutant(
        "law 3: a peer without a brick stays halfway for ever",
        "planner",
        "meant = holders_of_bricks(cluster) if patient else cluster.members.keys()",
        "meant = holders_of_bricks(cluster)",
        "test_starts.py::test_a_peer_without_a_brick_is_given_time_to_join_by_itself",
    ),
    mutant(
        "law 3: an empty brick that looks whole, over thousands of histories",
        "planner",
        "    yield NoteUnproven(unproven | {new})  # and the old one: it may yet not be replaced\n",
        "",
        "../simulation/test_histories.py::test_no_acknowledged_write_is_lost_and_the_plan_comes_to_hold",
    ),
    mutant(
        "law 3: pods are rolled beside an empty brick",
        "planner",
        "    if unproven := cluster.notes.unproven & {brick.id for brick in volume.bricks}:",
        "    if unproven := cluster.notes.unproven & set[str]():",
        "test_unproven.py::test_nothing_that_could_cost_a_copy_is_done_beside_it",
    ),
    mutant(
        "law 3: an empty brick is started",
        "planner",
        "not own.service.disk and not own.lost and not mine & cluster.notes.unproven",
        "not own.service.disk and not own.lost",
        "test_unproven.py::test_its_node_does_not_start_it_and_is_not_ready",
    ),
    mutant(
        "law 3: glusterd is started anew in the middle of a replacement",
        "memory",
        "        if cluster.unwell != self._unwell:",
        "        if bool(cluster.unwell) != bool(self._unwell):",
        "test_unproven.py::test_a_new_brick_has_not_been_down_for_as_long_as_the_one_that_was_lost",
    ),
    mutant(
        "law 4: a brick of unknown state is replaced",
        "planner",
        "in cluster.notes.unproven and brick.online is not None",
        "in cluster.notes.unproven",
        "test_unproven.py::test_one_whose_state_is_not_known_is_left_alone",
    ),
    mutant(
        "law 3: a slow actor",
        "memory",
        "if self._watched is None or cluster.at - self._watched > self.gap:",
        "if self._watched is None:",
        "test_planner_gaps.py::test_a_watch_is_one_run_of_looks_by_one_actor",
    ),
    mutant(
        "law 3: every state of six nodes",
        "planner",
        "if unknown := [other.id for other in others if other.id not in cluster.notes.whole]:",
        "if unknown := [other.id for other in others if not other.online]:",
        "test_planner_states.py::test_no_state_of_six_nodes_breaks_a_law",
    ),
    mutant(
        "law 4: a removal's failures",
        "planner",
        "moved = removal.state is TaskState.DONE and removal.failures == 0",
        "moved = removal.state is TaskState.DONE and not removal.failures",
        "test_planner.py::test_a_removal_with_files_that_did_not_move_is_never_committed",
    ),
    mutant(
        "law 5: a blank disk gets back half of who it was",
        "daemon",
        'if version else ""',
        'if version is None else ""',
        "test_daemon.py::test_a_blank_disk_waits_for_the_sidecar_and_takes_the_old_uuid",
    ),
    mutant(
        "law 6: an unmounted disk",
        "daemon",
        'if mount_type(mountinfo, str(disk)) in (None, "overlay", "tmpfs"):',
        'if mount_type(mountinfo, str(disk)) == "tmpfs":',
        "test_daemon.py::test_a_folder_that_is_no_mount_is_refused",
    ),
    mutant(
        "law 7: an outcast leads",
        "model",
        "knows = 2 if self.outcast else 0 if self.pool.volume",
        "knows = 0 if self.pool.volume",
        "test_planner_gaps.py::test_an_outcast_does_not_lead_and_says_that_it_waits",
    ),
    mutant(
        "law 7: two blank nodes stay among themselves",
        "planner",
        "if pool.blank or 0 < len(strangers) == len(knowing):",
        "if pool.blank:",
        "test_planner_gaps.py::test_two_that_lost_their_disks_at_once_ask_one_that_has_the_volume",
    ),
    mutant(
        "Ready waits for one that is away",
        "planner",
        "(_needs_quorum(volume) and 2 * (1 + clear) > volume.replica)",
        "False",
        "test_planner_gaps.py::test_what_a_brick_lacks_is_told_by_the_others_of_its_set",
    ),
)

CLIENTS: Final = (
    mutant(
        "a file system that hangs is asked by one process",
        "filesystem",
        "holds=[held])",
        "holds=[])",
        "test_filesystem.py::test_one_that_hangs_is_asked_by_one_process_only",
    ),
    Mutant(
        "a place is given back when the wait is over",
        f"{SIDECAR}/csi/patience.py",
        "            self._free.release()",
        "            pass",
        "csi/test_patience.py::test_a_call_waits_long_while_there_are_workers_to_spare",
    ),
    Mutant(
        "no second client beside one that does not end",
        f"{SIDECAR}/csi/client.py",
        "self._left = None if _killed(process) else process",
        "_killed(process)",
        "csi/test_client.py::test_no_second_client_is_started_beside_one_that_does_not_end",
    ),
    Mutant(
        "an odd entry of the record is kept as it is",
        f"{SIDECAR}/csi/record.py",
        "json.dump({**aside, **",
        "json.dump({**",
        "csi/test_record.py::test_an_entry_that_does_not_parse_is_set_aside_and_the_others_go_on",
    ),
    Mutant(
        "clients are spread over those that serve",
        f"{SIDECAR}/csi/names.py",
        "self._lot.sample(nodes, min(len(nodes), MOST_ASKED - 1))",
        "nodes[: MOST_ASKED - 1]",
        "csi/test_names.py::test_of_a_thousand_members_a_start_asks_few_and_starts_are_spread",
    ),
    Mutant(
        "a mount that a container hangs on stays",
        f"{SIDECAR}/csi/layers.py",
        "or one.shared in followed]",
        "]",
        "csi/test_layers.py::test_the_lowest_and_those_that_somebody_follows_stay",
    ),
)
"""Of the clients' side: what hangs, grows or does not parse."""


def survives(one: Mutant, folder: Path) -> str:
    """Why the mutant is not caught; empty if its test fails, as it must."""
    file = file_of(one, folder)
    if isinstance(file, str):
        return file
    before = file.read_text()
    file.write_text(before.replace(one.was, one.becomes))
    try:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"tests/{one.test}"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    finally:
        file.write_text(before)
    # 1: tests ran and some failed. Anything else, such as a test that is not found, proves nothing.
    return "" if done.returncode == 1 else f"pytest ended with {done.returncode}: {done.stdout[-300:]}"


def main(rows: list[str]) -> int:
    """`rows`: only those, by the beginning of their names."""
    chosen = [
        m for m in (*MISTAKES, *LAWS, *CLIENTS) if not rows or any(m.row.startswith(row) for row in rows)
    ]
    failed = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        for part in COPIED:
            ignored = shutil.ignore_patterns("__pycache__")
            source, target = ROOT / part, folder / part
            if source.is_dir():
                shutil.copytree(source, target, ignore=ignored)
            else:
                shutil.copy(source, target)
        for one in chosen:
            why = survives(one, folder)
            failed += bool(why)
            line = f"SURVIVES {one.row}: {one.test}: {why}" if why else f"caught {one.row}: {one.test}"
            print(line, flush=True)
    print(f"{len(chosen) - failed} of {len(chosen)} caught")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
