"""Snapshots of the disks, made and thrown away by Google on a schedule.

Each disk's is consistent in itself, as after a power cut; those of different disks are of moments apart.
"""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from gluster_stack import layout
from gluster_stack.args import GlusterClusterArgs

START = "04:00"
"""UTC; Google wants a full hour."""


def declare_schedule(
    name: str, args: GlusterClusterArgs, opts: pulumi.ResourceOptions
) -> gcp.compute.ResourcePolicy | None:
    """None where no snapshots are asked for."""
    if not args.snapshot_hours:
        return None
    # A policy by itself, attached: one that is named in a disk's own properties would replace the disk.
    return gcp.compute.ResourcePolicy(
        f"{name}-snapshots",
        name=f"{args.disk_prefix}-snapshots",
        project=args.project,
        region=layout.region(args.nodes()[0].zone),
        snapshot_schedule_policy=gcp.compute.ResourcePolicySnapshotSchedulePolicyArgs(
            schedule=_schedule(args.snapshot_hours),
            retention_policy=gcp.compute.ResourcePolicySnapshotSchedulePolicyRetentionPolicyArgs(
                max_retention_days=args.snapshot_days,
                # A disk that is deleted by mistake is what a snapshot is for.
                on_source_disk_delete="KEEP_AUTO_SNAPSHOTS",
            ),
            snapshot_properties=gcp.compute.ResourcePolicySnapshotSchedulePolicySnapshotPropertiesArgs(
                labels={"gluster-cluster": args.cluster_name}
            ),
        ),
        opts=opts,
    )


def _schedule(hours: int) -> gcp.compute.ResourcePolicySnapshotSchedulePolicyScheduleArgs:
    """Google counts hours up to 23 and then days."""
    if hours == 24:
        daily = gcp.compute.ResourcePolicySnapshotSchedulePolicyScheduleDailyScheduleArgs(
            days_in_cycle=1, start_time=START
        )
        return gcp.compute.ResourcePolicySnapshotSchedulePolicyScheduleArgs(daily_schedule=daily)
    hourly = gcp.compute.ResourcePolicySnapshotSchedulePolicyScheduleHourlyScheduleArgs(
        hours_in_cycle=hours, start_time=START
    )
    return gcp.compute.ResourcePolicySnapshotSchedulePolicyScheduleArgs(hourly_schedule=hourly)


def attach_schedule(
    name: str,
    args: GlusterClusterArgs,
    node: layout.Node,
    disk: gcp.compute.Disk,
    schedule: gcp.compute.ResourcePolicy,
    opts: pulumi.ResourceOptions,
) -> pulumi.Resource:
    return gcp.compute.DiskResourcePolicyAttachment(
        f"{name}-snapshots",
        name=schedule.name,
        disk=disk.name,
        project=args.project,
        zone=node.zone,
        # Another schedule is another policy, attached anew; that endangers no data.
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(protect=False)),
    )
