"""Runs one exported network in one Python runtime, and prints one line of JSON: what `peers.py` starts,
a process a measurement.

    ort                   ONNX Runtime, CPU provider, every graph optimisation    WORK/<source>-<arch>.onnx
    torch                 PyTorch, eager, NCHW                                    WORK/timm-<arch>.pth
    torch-channels-last   the same, weights and images channels last
    tf                    TensorFlow, Keras's network in a tf.function, NHWC      WORK/keras-xception.h5

IMAGES.npy holds the images cropped and normalised, f32, in the layout that the file takes. One batch is
run beforehand (its seconds are `warm_up_s`), then all images, whose seconds are `seconds`. `top1` and
`logit1` are every image's best class and its logit, so that whoever compares speeds can see that the
same was computed. `versions` says of what.

usage: python peer_process.py RUNTIME FILE IMAGES.npy [--batch N] [--threads N] [--limit N]
needs: numpy and the runtime: see requirements-peers.txt
"""
import argparse
import json
import platform
from pathlib import Path
from time import perf_counter

import numpy as np


def ort(file, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0], {"onnxruntime": onnxruntime.__version__}


def torch(file, threads, channels_last=False):
    import timm
    import torch

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    net = timm.create_model(file.stem.removeprefix("timm-"))
    net.load_state_dict(torch.load(file, weights_only=True))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net = net.eval().to(memory_format=layout)

    def run(x):
        with torch.inference_mode():
            return net(torch.from_numpy(x).to(memory_format=layout)).numpy()

    return run, {"torch": torch.__version__, "timm": timm.__version__}


def tf(file, threads):
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    net = tensorflow.keras.applications.Xception(weights=None, classifier_activation=None)
    net.load_weights(str(file))
    call = tensorflow.function(lambda x: net(x, training=False))
    return lambda x: call(tensorflow.constant(x)).numpy(), {"tensorflow": tensorflow.__version__}


RUNTIMES = {
    "ort": ort,
    "torch": torch,
    "torch-channels-last": lambda file, threads: torch(file, threads, channels_last=True),
    "tf": tf,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runtime", choices=RUNTIMES)
    parser.add_argument("file", type=Path)
    parser.add_argument("images", type=Path, metavar="IMAGES.npy")
    for option in ("batch", "threads", "limit"):
        parser.add_argument(f"--{option}", type=int, metavar="N", default=None if option == "limit" else 1)
    args = parser.parse_args()
    images = np.load(args.images)[:args.limit]
    batches = [images[i : i + args.batch] for i in range(0, len(images), args.batch)]
    run, versions = RUNTIMES[args.runtime](args.file, args.threads)
    start = perf_counter()
    run(batches[0])
    warm_up_s = perf_counter() - start
    start = perf_counter()
    logits = [run(batch) for batch in batches]
    seconds = perf_counter() - start
    logits = np.concatenate(logits)
    print(json.dumps({
        "images": len(images), "warm_up_s": warm_up_s, "seconds": seconds,
        "top1": logits.argmax(1).tolist(), "logit1": logits.max(1).astype(float).tolist(),
        "versions": {"python": platform.python_version(), "numpy": np.__version__, **versions},
    }))


if __name__ == "__main__":
    main()
