"""Runs one exported network in one Python runtime, and prints one line of JSON: what `peers.py` starts,
a process a measurement.

    ort                   ONNX Runtime, CPU provider, every graph optimisation    WORK/<source>-<arch>.onnx
    openvino              OpenVINO's CPU plugin, one stream, f32 unless --dtype says bf16
                                                                                  WORK/<source>-<arch>.onnx
    torch                 PyTorch, eager, NCHW                                    WORK/timm-<arch>.pth
    torch-channels-last   the same, weights and images channels last
    torch-tf32            the same, f32 rounded to TF32 where a GPU multiplies
    tf                    TensorFlow, Keras's network in a tf.function, NHWC      WORK/keras-xception.h5

IMAGES.npy holds the images cropped and normalised, f32, in the layout that the file takes. One batch is
run beforehand (its seconds are `warm_up_s`), then all images, whose seconds are `seconds`. OpenVINO knows --dtype bf16, PyTorch
also f16 and --device cuda, where batches are handed over without waiting for the last one's logits, and --dtype, which weights and
images are rounded to. `top1` and
`logit1` are every image's best class and its logit, so that whoever compares speeds can see that the
same was computed. `versions` says of what.

usage: python peer_process.py RUNTIME FILE IMAGES.npy [--batch N] [--threads N] [--limit N]
                              [--device cpu|cuda] [--dtype f32|f16|bf16]
needs: numpy and the runtime: see requirements-peers.txt
"""
import argparse
import json
import platform
from pathlib import Path
from time import perf_counter

import numpy as np


def ort(file, images, args):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(first, last):
        return session.run(None, {name: images[first:last]})[0]

    return run, np.concatenate, {"onnxruntime": onnxruntime.__version__}


def openvino(file, images, args):
    import openvino

    core = openvino.Core()
    # By itself it computes in bf16 where the CPU has it.
    settings = {"INFERENCE_NUM_THREADS": args.threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": args.dtype}
    model = core.read_model(str(file))
    model.reshape([args.batch, *images.shape[1:]])
    network = core.compile_model(model, "CPU", settings)
    request = network.create_infer_request()

    def run(first, last):
        return request.infer([images[first:last]])[network.output(0)].copy()

    return run, np.concatenate, {"openvino": openvino.__version__.split("-")[0]}


def torch(file, images, args, channels_last=False, tf32=False):
    import timm
    import torch

    torch.set_num_threads(args.threads)
    torch.set_num_interop_threads(1)
    net = timm.create_model(file.stem.removeprefix("timm-"))
    net.load_state_dict(torch.load(file, weights_only=True))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    dtype = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}[args.dtype]
    net = net.eval().to(args.device, dtype, memory_format=layout)
    versions = {"torch": torch.__version__, "timm": timm.__version__}
    images = torch.from_numpy(images)
    if args.device == "cuda":
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32  # the first is on by itself
        torch.backends.cudnn.benchmark = True
        images = images.pin_memory()
        versions |= {"CUDA": torch.version.cuda, "GPU": torch.cuda.get_device_name()}

    def run(first, last):
        with torch.inference_mode():
            x = images[first:last].to(args.device, non_blocking=True)
            return net(x.to(dtype, memory_format=layout))

    return run, lambda logits: torch.cat(logits).float().cpu().numpy(), versions


def tf(file, images, args):
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(args.threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    net = tensorflow.keras.applications.Xception(weights=None, classifier_activation=None)
    net.load_weights(str(file))
    call = tensorflow.function(lambda x: net(x, training=False))

    def run(first, last):
        return call(tensorflow.constant(images[first:last])).numpy()

    return run, np.concatenate, {"tensorflow": tensorflow.__version__}


RUNTIMES = {
    "ort": ort,
    "openvino": openvino,
    "torch": torch,
    "torch-channels-last": lambda *a: torch(*a, channels_last=True),
    "torch-tf32": lambda *a: torch(*a, channels_last=True, tf32=True),
    "tf": tf,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runtime", choices=RUNTIMES)
    parser.add_argument("file", type=Path)
    parser.add_argument("images", type=Path, metavar="IMAGES.npy")
    for option in ("batch", "threads", "limit"):
        parser.add_argument(f"--{option}", type=int, metavar="N", default=None if option == "limit" else 1)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("f32", "f16", "bf16"), default="f32")
    args = parser.parse_args()
    known = {"torch": ("cpu cuda", "f32 f16 bf16"), "openvino": ("cpu", "f32 bf16")}
    devices, dtypes = known.get(args.runtime.split("-")[0], ("cpu", "f32"))
    if args.device not in devices.split() or args.dtype not in dtypes.split():
        parser.error(f"{args.runtime} runs on {devices} and in {dtypes} here")
    images = np.load(args.images)[:args.limit]
    run, logits_of, versions = RUNTIMES[args.runtime](args.file, images, args)
    start = perf_counter()
    logits_of([run(0, args.batch)])
    warm_up_s = perf_counter() - start
    start = perf_counter()
    logits = logits_of([run(first, first + args.batch) for first in range(0, len(images), args.batch)])
    seconds = perf_counter() - start
    print(json.dumps({
        "images": len(images), "warm_up_s": warm_up_s, "seconds": seconds,
        "top1": logits.argmax(1).tolist(), "logit1": logits.max(1).astype(float).tolist(),
        "versions": {"python": platform.python_version(), "numpy": np.__version__, **versions},
    }))


if __name__ == "__main__":
    main()
