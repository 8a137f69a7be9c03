"""What a kernel's process does with a real GPU between its cells: `just gpu`, on a machine with an NVIDIA GPU.

Two kernel processes (the replica's end of their side channels is this script) take turns on device 0: one fills it with 1, 8 and
32 GiB of tensors, gives it back, the other takes all of it, then the first goes on where it was. Memory is read from
nvidia-smi, outside the processes. Writes docs/results/gpu.md; without a GPU it says so and ends with 0.
"""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SHIM = ROOT / "actors" / "kernel" / "python"
PYTHON = ROOT / "target" / "python-tests" / "bin" / "python"
RESULT = ROOT / "docs" / "results" / "gpu.md"
SIZES_GIB = (1, 8, 32)
# What the process keeps of the device as long as it lives (CUDA's context and loaded kernels) is some hundred MiB.
CONTEXT_MIB = 1500
GIB = 1 << 30


def smi(query: str, kind: str = "gpu") -> list[list[str]]:
    out = subprocess.run(["nvidia-smi", f"--query-{kind}={query}", "--format=csv,noheader,nounits"],
                         check=True, capture_output=True, text=True, timeout=60).stdout
    return [[part.strip() for part in line.split(",")] for line in out.splitlines() if line.strip()]


def has_gpu() -> bool:
    if shutil.which("nvidia-smi") is None:
        return False
    try:
        return bool(smi("uuid"))
    except (subprocess.SubprocessError, OSError):
        return False


def used_mib() -> int:
    return int(smi("memory.used")[0][0])


def ok(result: Any) -> str:
    if result.status != "ok":
        raise SystemExit(f"a cell failed: {result.ename}: {result.evalue}\n{result.text}")
    return str(result.text)


def main() -> int:
    if not has_gpu():
        print("skipped: this machine has no NVIDIA GPU (nvidia-smi lists none)")
        return 0
    if "--inside" not in sys.argv:
        subprocess.run([ROOT / ".ci" / "python", "--version"], check=True)
        os.execv(PYTHON, [str(PYTHON), str(Path(__file__).resolve()), "--inside"])
    sys.path[:0] = [str(SHIM), str(SHIM / "tests")]
    from replica import Child, Store

    # The sessions go nowhere: their bytes are read from the side channel and dropped.
    Store.put = classmethod(lambda cls, header, body: None)  # type: ignore[method-assign]
    (name, uuid, total, driver), *_ = smi("name,uuid,memory.total,driver_version")
    device = [{"index": 0, "uuid": uuid}]
    idle = used_mib()
    # Not forked: a process that uses CUDA must not be.
    first, second = (Child(host, fork=False, deadline=1800).ready() for host in ("h1", "h2"))
    rows: list[str] = []
    try:
        for child in (first, second):
            version = ok(child.lend("import torch, time\ntorch.ones(8, device='cuda').sum().item(); torch.__version__, torch.version.cuda", device))
            if child.released[-1]["left"]:
                raise SystemExit(f"a first small cell left {child.released[-1]['left']}")
        contexts = used_mib() - idle
        for gib in SIZES_GIB:
            if gib * 1024 > int(total) - idle - 2 * CONTEXT_MIB or 2 * gib * GIB > available():
                rows.append(f"| {gib} GiB | not run: the device has {int(total) // 1024} GiB, the host {available() // GIB} GiB free | | | | | |")
                continue
            rows.append(turn(first, second, device, gib, idle, int(total)))
            print(rows[-1], flush=True)
    finally:
        first.end()
        second.end()
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "?")
    RESULT.write_text(f"""# GPU memory between cells, on a real device

{datetime.date.today().isoformat()}, {name}, driver {driver}, torch and its CUDA {version}, {os.cpu_count()} × {cpu}. Repeat with `just gpu`.

Two kernel processes take turns on one device. *Give back*: from the cell's end until the device is free, as the process tells its replica.
*Bring back*: from the request until the cell's code runs. *Second kernel*: what it could allocate meanwhile, of {int(total)} MiB. Memory is what
nvidia-smi shows above the idle device; {contexts} MiB of it are the CUDA contexts of the two processes, which stay as long as they live.

| session | during the cell, MiB | after it, MiB | give back, s | bring back, s | capture, s | second kernel, GiB |
|---|---|---|---|---|---|---|
""" + "\n".join(rows) + "\n")
    print(f"written: {RESULT.relative_to(ROOT)}")
    return 0


def turn(first: Any, second: Any, device: list[dict[str, Any]], gib: int, idle: int, total: int) -> str:
    """One size: fill, give back, let the other have the device, come back and find everything as it was."""
    code = (f"data = [torch.arange({gib} * 2**27, dtype=torch.float64, device='cuda') for _ in range(1)]; view = data[0][1000:]\n"
            "import subprocess\ntorch.cuda.synchronize()\n"
            "during = int(subprocess.run(['nvidia-smi', '--query-gpu=memory.used', '--format=csv,noheader,nounits'], capture_output=True, text=True)"
            ".stdout.splitlines()[0])\nprint(during, data[0].sum().item())")
    made = first.lend(code, device)
    during, checksum = ok(made).split()
    gave = first.released[-1]
    if gave["left"]:
        raise SystemExit(f"{gib} GiB: left on the device: {gave['left']}")
    after = used_mib() - idle
    if after > 2 * CONTEXT_MIB:
        raise SystemExit(f"{gib} GiB: nvidia-smi still shows {after} MiB in use")
    wanted = max(1, (total - idle - after) // 1024 - 1)
    taken = ok(second.lend(f"other = torch.empty({wanted} * 2**30, dtype=torch.uint8, device='cuda').fill_(1); print(other[-1].item()); del other", device))
    if taken.strip() != "1":
        raise SystemExit("the second kernel could not use the device")
    asked = time.time()
    began, again, shared = ok(first.lend(
        "print(time.time(), data[0].sum().item(), data[0].is_cuda and view.data_ptr() == data[0].data_ptr() + 8000)", device)).split()
    if again != checksum or shared != "True":
        raise SystemExit(f"{gib} GiB: the tensors are not what they were")
    ok(first.execute("del data, view"))
    return (f"| {gib} GiB | {int(during) - idle} | {after} | {gave['took_us'] / 1e6:.2f} | {float(began) - asked:.2f} "
            f"| {made.delta['took_us'] / 1e6:.2f} | {wanted} |")


def available() -> int:
    """Bytes of host memory that are free to use."""
    line = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    raise SystemExit(main())
