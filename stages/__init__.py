"""One command per stage; see dvc.yaml for how they hang together."""

import os

# Threads that spin while they wait made a step ten times slower whenever another process ran. They
# save microseconds where a machine is quiet, so the benchmark sets GOMP_SPINCOUNT (dvc.yaml).
if "GOMP_SPINCOUNT" not in os.environ:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is first imported
