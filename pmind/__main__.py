"""python -m pmind, as under torchrun: ``torchrun --nproc-per-node 2 -m pmind evaluate …``."""

from pmind.cli import run

run()
