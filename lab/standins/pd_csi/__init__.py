"""Google's driver of persistent disks, `pd.csi.storage.gke.io`, over loop devices.

A controller for the hub and a driver for each machine, behind Kubernetes' own external-attacher,
external-resizer and kubelet. Disks are files that the stand-in of the Pulumi provider `gcp` makes.

Not imitated: the loss of caches at a power cut (what was written to the page cache stays); encryption
keys; regional disks, snapshots, clones and disks on demand (disks come from Pulumi, volumes are static);
raw block volumes; attachment to many machines, read-only or not; limits of throughput and of IOPS; the
seconds that Google takes to attach; fsck before mounting.
"""
