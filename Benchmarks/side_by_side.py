"""What the benchmarks of this folder share: find the binary, run a command that ends with JSON, summarise ratios."""
import json
import os
import platform
import resource
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = Path(__file__).resolve().parent / "peers"


def find_minke(path=None):
    """The `minke` binary: the one given, otherwise the release build of this package (which must exist already)."""
    if path is None:
        command = ["swift", "build", "-c", "release", "--show-bin-path"]
        try:
            folder = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError) as error:
            raise SystemExit(f"cannot ask Swift where the release build is ({error}); give the binary with --minke PATH")
        path = Path(folder.splitlines()[-1]) / "minke"
    path = Path(path)
    if not path.is_file():
        raise SystemExit(f"no binary at {path}; run `swift build -c release --product minke` first, or give --minke PATH")
    return str(path.resolve())


def run_json(command):
    """Run a command and return the JSON object that ends its standard output; its failure ends the benchmark.

    `others` is added to it: the cores that the rest of the machine kept busy meanwhile (None where the system does not say).
    """
    command = [str(part) for part in command]
    start = (machine_cpu_seconds(), children_cpu_seconds(), time.monotonic())
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except OSError as error:
        raise SystemExit(f"cannot run {command[0]}: {error}")
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\nended with code {done.returncode}:\n{done.stderr.strip()[-2000:]}")
    others = None
    if start[0] is not None:
        theirs = machine_cpu_seconds() - start[0] - (children_cpu_seconds() - start[1])
        others = round(max(0.0, theirs) / (time.monotonic() - start[2]), 2)
    output = done.stdout.strip()
    for text in (output, output.rpartition("\n")[2]):  # the whole output, or its last line
        try:
            value = json.loads(text)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value | {"others": others}
    raise SystemExit(f"{' '.join(command)}\nprinted no JSON object at its end:\n{output[-500:]}")


def field(result, name, command):
    """A field that must be there."""
    if result.get(name) is None:
        raise SystemExit(f"the JSON of {command} lacks `{name}`")
    return result[name]


def spread(values):
    """Median, least and greatest of some ratios."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "count": len(values)}


def text_of(s, digits=2):
    """`1.52 (1.40–1.61, 3 pairs)`"""
    pairs = "1 pair" if s["count"] == 1 else f"{s['count']} pairs"
    return f"{s['median']:.{digits}f} ({s['min']:.{digits}f}–{s['max']:.{digits}f}, {pairs})"


def machine_cpu_seconds():
    """CPU seconds that the whole machine has spent, time stolen by its host included (None where there is no /proc/stat)."""
    try:
        user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split(None, 9)[1:9])
    except (OSError, ValueError):
        return None
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def children_cpu_seconds():
    """CPU seconds, user + system, of this process's finished children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cores():
    """Cores that this process, and so every run, may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def quiet_or_warn(say, results):
    """Say so when other work kept more than a tenth of the cores busy during any run."""
    most = max((r["others"] for r in results if r["others"] is not None), default=0.0)
    if most > 0.1 * cores():
        say(f"warning: other work kept up to {most:.1f} cores busy during these runs; take the figures again on a quiet machine")


def shown(others):
    """The column `others` of a table."""
    return "-" if others is None else f"{others:.2f}"


def machine():
    """What the figures were taken on."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                cpu = line.partition(":")[2].strip()
                break
    return {"cpu": cpu, "cores": cores(), "system": platform.platform(), "date": time.strftime("%Y-%m-%d")}


def introduction(facts):
    """`machine()` as one line."""
    return f"{facts['cpu']}, {facts['cores']} cores, {facts['system']}, {facts['date']}"
