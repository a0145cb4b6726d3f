"""Seeded weights: a deterministic stand-in for pretrained weights.

Every value depends only on (seed, tensor name, index), so the same network can be
filled identically in any language and its outputs compared with frozen ones.

    key   = fnv1a64(name) XOR seed
    z(i)  = splitmix64 finaliser of (key + (i + 1) * 0x9E3779B97F4A7C15)   (mod 2**64)
    u(i)  = (z(i) >> 40) * 2**-24          in [0, 1), exact in f32
    v(i)  = 2 * u(i) - 1                   in [-1, 1), exact in f32

`i` runs over the tensor in row-major order *in the framework's own layout*
(PyTorch and Paddle conv: O,I/g,H,W; Keras conv: H,W,I,O; Keras depthwise: H,W,C,1;
PyTorch linear: out,in; Paddle and Keras linear: in,out).

Roles (all arithmetic after v is one f32 multiply and at most one f32 add):

    conv kernel     v * f32(sqrt(3 / fan_in)),  fan_in = in_channels / groups * kh * kw
    linear weight   v * f32(32 * sqrt(3 / fan_in))     (32: logits with a natural spread)
    linear bias     `<arch>.fc_bias` in <source>.safetensors (it centres the logits over the sample)
    BN gamma        1 + 0.25 * v
    conv bias       0.25 * v
    BN beta         0.25 * v
    BN mean         0.25 * v
    BN variance     1 + 0.5 * v
"""
import numpy as np

M64 = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def fnv1a64(text: str) -> int:
    h = 0xCBF29CE484222325
    for b in text.encode():
        h = ((h ^ b) * 0x100000001B3) & M64
    return h


def unit(name: str, count: int, seed: int) -> np.ndarray:
    """v(0..count) as f32 in [-1, 1)."""
    key = np.uint64(fnv1a64(name) ^ seed)
    with np.errstate(over="ignore"):
        z = key + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(GOLDEN)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    u = (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
    return np.float32(2) * u - np.float32(1)


def tensor(name: str, shape, role: str, seed: int, fan_in: int = 0) -> np.ndarray:
    v = unit(name, int(np.prod(shape)), seed).reshape(shape)
    if role in ("conv", "linear"):
        gain = 32 if role == "linear" else 1
        return v * np.float32(gain * np.sqrt(3.0 / fan_in))
    if role == "gamma":
        return np.float32(1) + np.float32(0.25) * v
    if role in ("conv_bias", "beta", "mean"):
        return np.float32(0.25) * v
    if role == "var":
        return np.float32(1) + np.float32(0.5) * v
    raise ValueError(role)
