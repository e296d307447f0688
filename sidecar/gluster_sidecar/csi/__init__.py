"""A node-only CSI driver: any pod of the cluster may name a claim and gets the GlusterFS volume.

Two pods on every machine, apart because of what people hated most about all predecessors: mounts that
died with the driver.

- The *plugin* (`plugin`, `node`, `serve`) speaks gRPC with the kubelet and mounts nothing. It may be
  restarted, upgraded or crash at any time.
- The *holder* (`hold`, `holder`, `clients`, `client`, `targets`, `show`, `layers`, `mounts`, `record`,
  `names`) is the parent of the FUSE processes and makes every mount. Nothing rolls it; a person deletes its
  pod when it suits.

They talk over a socket (`link`). `options`, `request` and `errors` decide and touch nothing.

A volume may hang, and a process whose request it has taken does not die. So the holder itself never looks
into a mount: a child does (`show`, and `gluster_sidecar.filesystem`), one at a time for each client, and
`patience` keeps calls that wait for it from using up the plugin's workers.
"""
