"""The CSI and the kubelet's plugin registration protocols, and Python made from them.

`csi.proto` is that of container-storage-interface/spec v1.12.0; `pluginregistration.proto` is
`pkg/apis/pluginregistration/v1/api.proto` of k8s.io/kubelet v0.34.4 without the options for Go's
generator. `*_pb2.py` and `*_pb2.pyi` are made by the protoc of grpcio-tools 1.51.1 (3.21), the one that
Debian's python3-protobuf 3.21 understands; newer runtimes do too:

    python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. csi.proto pluginregistration.proto

Service stubs are not made: `serve` needs a table of seven methods instead.
"""
