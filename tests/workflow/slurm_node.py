"""A SLURM of one node with two false GPUs: its own folder and ports, nothing in /etc, run by any user."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import debian

PACKAGES = ("slurm-wlm", "munge")
CLIENTS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "sacct", "sacctmgr", "sshare")
DAEMONS = ("munged", "slurmctld", "slurmd")
SEARCHED = f"{os.environ['PATH']}:/usr/sbin:/sbin"
# No control group confines a job: one that is over its memory is found by a look every second.
SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/run/munged.sock
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_min_interval=100000,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
SlurmdParameters=config_overrides
MinJobAge=600
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs=16 CoresPerSocket=16 RealMemory=60000 Gres=gpu:2
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def install():
    """Debian's SLURM, where it is not there."""
    if not all(shutil.which(daemon, path=SEARCHED) for daemon in DAEMONS):
        debian.install("--no-install-recommends", *PACKAGES)


class SlurmNode:
    """Controller, node and clients of a cluster in `folder`."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("etc", "run", "log", "state", "spool", "bin"):
            (folder / name).mkdir(parents=True)
        (folder / "etc").chmod(0o700)
        key = folder / "etc/munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        host = socket.gethostname().split(".")[0]
        # slurmd asks no more of a GPU than that it is a device
        gpus = f"AutoDetect=off\nNodeName={host} Name=gpu File=/dev/tty[0-1]\n"
        (folder / "etc/gres.conf").write_text(gpus)
        user = subprocess.check_output(["id", "-un"], text=True).strip()
        ports = {"controller_port": free_port(), "node_port": free_port()}
        self.conf = folder / "etc/slurm.conf"
        self.conf.write_text(SLURM_CONF.format(host=host, user=user, folder=folder, **ports))
        self._wrap_clients()
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SLURM_")}
        self.environment = clean | {"PATH": f"{folder}/bin:{SEARCHED}"}

    def _wrap_clients(self):
        """The executor removes SLURM_CONF before it calls srun, so each client carries it."""
        for client in CLIENTS:
            if program := shutil.which(client, path=SEARCHED):
                wrapper = self.folder / "bin" / client
                wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={self.conf} exec {program} "$@"\n')
                wrapper.chmod(0o755)

    def start(self):
        run, etc = self.folder / "run", self.folder / "etc"
        munge = [f"--key-file={etc}/munge.key", f"--socket={run}/munged.sock", f"--pid-file={run}/munged.pid"]
        munge += [f"--log-file={self.folder}/log/munged.log", f"--seed-file={run}/munge.seed"]
        self._daemon("munged", "--force", *munge)
        self.start_controller()
        self._daemon("slurmd", "-f", self.conf)
        self._wait(lambda: self("sinfo", "-h", "-o", "%t").strip() == "idle")

    def start_controller(self):
        self._daemon("slurmctld", "-f", self.conf)

    def stop(self, daemons=DAEMONS[::-1]):
        for daemon in daemons:
            file = self.folder / f"run/{daemon}.pid"
            if file.exists() and (pid := file.read_text().strip()):
                if Path(f"/proc/{pid}").exists():
                    os.kill(int(pid), 15)
                self._wait(lambda pid=pid: not Path(f"/proc/{pid}").exists())

    def jobs(self):
        """Every job that the controller remembers: field to value, as `scontrol show job` names them."""
        printed = self("scontrol", "--details", "--oneliner", "show", "job")
        return [
            dict(word.split("=", 1) for word in line.split() if "=" in word)
            for line in printed.splitlines()
            if line.startswith("JobId=")
        ]

    def _daemon(self, name, *arguments):
        environment = os.environ | {"PATH": SEARCHED, "SLURM_CONF": str(self.conf)}
        subprocess.run([name, *arguments], env=environment, check=True, capture_output=True)

    def _wait(self, is_done, seconds=60):
        end = time.monotonic() + seconds
        while not is_done():
            assert time.monotonic() < end, (self.folder / "log/slurmctld.log").read_text()[-3000:]
            time.sleep(0.2)

    def __call__(self, *command):
        done = subprocess.run(command, env=self.environment, text=True, capture_output=True, check=False)
        return done.stdout


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]
