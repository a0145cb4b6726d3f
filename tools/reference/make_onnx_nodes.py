"""Writes the ONNX standard's own tests of single nodes, which the Python package `onnx` computes: a folder each, as
crates/models/examples/onnx_node_tests reads them. A test of a later opset than is read is made one of that, where the checker agrees. With
--zip, the small ones of NAMES alone, in one archive: what the tests run.

usage: python make_onnx_nodes.py FOLDER [--zip FILE]
needs: requirements-onnx.txt
"""
import argparse
import re
import struct
import warnings
import zipfile
from pathlib import Path

import onnx
from onnx.backend.test.case.node import collect_testcases

warnings.filterwarnings("ignore")
# A few of each operation that a classifier has.
NAMES = re.compile(
    r"test_(add|averagepool_2d|basic_conv|batchnorm|cast_|celu|clip|concat|constant|constantofshape|conv_with|convinteger|depthtospace"
    r"|dequantizelinear|div|dynamicquantizelinear|edge_pad|einsum|elu|erf|expand|flatten|gather_|gelu|gemm|globalaveragepool|globalmaxpool"
    r"|group_normalization|hardsigmoid|hardswish|instancenorm|layer_normalization_4d|leakyrelu|logsoftmax|lrn|matmul|matmulinteger|max_|maxpool_2d"
    r"|mean_|min_|mish|mul|pow|prelu|qlinearconv|qlinearmatmul|quantizelinear|range|reciprocal|reduce_l2|reduce_max|reduce_mean|reduce_sum"
    r"|reflect_pad|reshape|resize|round|scatternd|shape|sigmoid|slice|softmax|softplus|spacetodepth|split_|sqrt|squeeze|sub|tile|transpose"
    r"|unsqueeze|where|wrap)(_|$|[a-z0-9])"
)
MOST_BYTES = 700


# The last opset that is read.
LAST = 22


def lowered(model: onnx.ModelProto) -> None:
    """Most operations are of a later opset because of types that they take since."""
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx") and opset.version > LAST:
            before, opset.version = opset.version, LAST
            try:
                onnx.checker.check_model(model, full_check=True)
            except Exception:
                opset.version = before


def files(case) -> dict:
    lowered(case.model)
    out = {"model.onnx": case.model.SerializeToString(deterministic=True)}
    inputs, outputs = case.data_sets[0]
    for kind, values, declared in (("input", inputs, case.model.graph.input), ("output", outputs, case.model.graph.output)):
        for number, (value, info) in enumerate(zip(values, declared)):
            tensor = value if isinstance(value, onnx.TensorProto) else onnx.numpy_helper.from_array(value, info.name)
            out[f"test_data_set_0/{kind}_{number}.pb"] = tensor.SerializeToString(deterministic=True)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--zip", type=Path)
    args = parser.parse_args()
    chosen = {}
    for case in collect_testcases(None):
        try:
            made = files(case)
        except Exception:
            # Sequences, maps and texts are no tensors.
            continue
        for name, data in made.items():
            path = args.folder / case.name / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        if NAMES.match(case.name) and "_expanded" not in case.name and sum(map(len, made.values())) <= MOST_BYTES:
            chosen[case.name] = made
    if args.zip:
        # One member: the directory of an archive of so many small files would be larger than they are.
        whole = b""
        for case, made in sorted(chosen.items()):
            for name, data in made.items():
                path = f"{case}/{name}".encode()
                whole += struct.pack("<II", len(path), len(data)) + path + data
        with zipfile.ZipFile(args.zip, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo("tests", (1980, 1, 1, 0, 0, 0)), whole, zipfile.ZIP_DEFLATED)
        print(f"{len(chosen)} tests in {args.zip.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
