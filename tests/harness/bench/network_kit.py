"""A network of a test's own, which goes when the test does: two interfaces with a cable between them."""

import ctypes
import functools
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

CLONE_NEWNET = 0x40000000
QUIET = Path("/proc/sys/net/ipv6/conf")


def own_network(test):
    """The test runs in a thread of its own, and that in a network of its own: unshare(2). Skips without root."""

    @functools.wraps(test)
    def run(*arguments, **settings):
        problems = []

        def work():
            try:
                _leave_network()
                test(*arguments, **settings)
            except BaseException as problem:
                problems.append(problem)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if problems:
            raise problems[0]

    return run


def _leave_network():
    if os.geteuid():
        pytest.skip("needs root for a network of its own")
    if shutil.which("ip") is None:
        pytest.skip("ip is missing (apt install iproute2)")
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        pytest.skip("this machine does not allow network namespaces")
    for name in ("all", "default"):  # or interfaces speak by themselves when they come up
        if (QUIET / name).is_dir():
            (QUIET / name / "disable_ipv6").write_text("1")


def this_network():
    """What `enter_network` takes, of this thread."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


def enter_network(network):
    """Another thread joins; network interfaces are looked up in that of the thread that asks."""
    if ctypes.CDLL(None, use_errno=True).setns(network, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
    os.close(network)


def ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=30).stdout


def cable(near="near0", far="far0", mtu=9500):
    """Two interfaces with a cable between them; both are up."""
    try:
        ip("link", "add", near, "mtu", str(mtu), "type", "veth", "peer", "name", far, "mtu", str(mtu))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this kernel has no veth: {error.stderr.strip()}")
    for name in (near, far):
        ip("link", "set", name, "up")
    return near, far
