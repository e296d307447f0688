"""A stand-in for Pulumi's Python language host: it starts programs through the SDK's own runner.

environment   which Python runs a project, from the runtime options of Pulumi.yaml
children      the processes that it starts, and their end
host          Pulumi's calls
"""
