"""What every session of a load defines first. Its cells call `nbos_load_cell`: a training that holds its GPUs and their memory, and a
state that grows by a step each time and that the next cell checks, wherever it runs."""

import hashlib
import json
import os
import time

try:
    from nbos_kernel.simulated import train as nbos_load_train
except ImportError:

    def nbos_load_train(seconds, bytes):
        time.sleep(seconds)


def nbos_load_weights(seed, step):
    blocks = (hashlib.sha256(f"{seed} {step} {block}".encode()).digest() for block in range(NBOS_LOAD_BLOCKS))
    return b"".join(blocks)


def nbos_load_loss(seed, step):
    return hashlib.sha256(f"{seed} {step}".encode()).digest()[0] / (1 + step)


def nbos_load_check(seed, step):
    """What of the state is not as the cell before left it."""
    model, wrong = nbos_load_model, []
    if model["step"] != step:
        wrong.append(f"step {model['step']}, not {step}")
    if model["weights"] != nbos_load_weights(seed, step):
        wrong.append("other weights")
    if nbos_load_losses != [nbos_load_loss(seed, done) for done in range(step)]:
        wrong.append(f"{len(nbos_load_losses)} losses, or others")
    if model["losses"] is not nbos_load_losses:
        wrong.append("two lists of losses where there was one")
    return wrong


def nbos_load_cell(seed, step, seconds, gpu_bytes):
    wrong = nbos_load_check(seed, step)
    began = time.monotonic()
    nbos_load_train(seconds, gpu_bytes)
    trained = time.monotonic() - began
    nbos_load_model["weights"][:] = nbos_load_weights(seed, step + 1)
    nbos_load_losses.append(nbos_load_loss(seed, step))
    nbos_load_model["step"] = step + 1
    gpus = [uuid for uuid in os.environ.get("NBOS_GPUS", "").split(",") if uuid]
    print("nbos-load " + json.dumps({"trained": trained, "wrong": wrong, "gpus": len(gpus)}))


# 16 KiB: a small head of a model, all of it changed by every cell.
NBOS_LOAD_BLOCKS = 512
nbos_load_losses = []
nbos_load_model = {"step": 0, "losses": nbos_load_losses, "weights": bytearray(nbos_load_weights(NBOS_LOAD_SEED, 0))}
