"""A Kubernetes and a Google Cloud for one machine: real parts, in network namespaces.

`python -m lab up` starts it, `python -m lab down` leaves nothing but caches. Product code never
imports this package. It is a test bed and no security boundary: pods of a lab can write to the
machine's files through hostPath volumes.
"""
