"""A stand-in for Pulumi's `kubernetes` provider, over a real API server.

What it does is what was read in, and measured on, the real one (pulumi/pulumi-kubernetes, July 2026).

    values and paths   paths, objects          what the engine sends, what the API serves
    decisions (pure)   diff, replacing, fields, naming, jsonpath, readiness, state
    the world          kubeconfig, api, kinds  one API server
    work               waiting, operations     create, read, update, delete
    the plugin         provider                Pulumi's calls
"""
