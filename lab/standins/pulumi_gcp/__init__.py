"""A stand-in for Pulumi's `gcp` provider: disks are sparse files, policies live in Pulumi's state only.

fields      which properties there are, and what changing one does (pure)
diff        what differs (pure)
disks       the files
services    one class a kind of resource: create, read, update, delete
provider    Pulumi's calls
"""
