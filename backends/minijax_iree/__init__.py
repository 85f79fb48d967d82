"""The IREE backend of minijax: StableHLO in, machine code out, for CPUs and GPUs.

`backend.py` joins the parts and is the place to start reading.
"""

from .backend import IreeBackend

__all__ = ["IreeBackend"]
