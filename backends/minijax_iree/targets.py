"""What does IREE have to be told about each kind of device?

One `Target` per platform: data only, no behaviour. A target names the IREE *HAL backend* (which
code the compiler generates), the *drivers* that run this code, the compiler flags, and the flag
variants worth a second try when a compilation fails in a way that other flags are known to avoid.
`compiler.py` and `runtime.py` read these descriptions; a further platform is a further entry here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

INPUT_FLAGS = (
    "--iree-input-type=stablehlo",
    # IREE turns f64 into f32 by default, even in the signature of the program.
    "--iree-input-demote-f64-to-f32=false",
    "--iree-opt-level=O2",
    # Evaluating constants at compile time costs a second compilation inside the first one.
    "--iree-opt-const-eval=false",
)

CPU_FLAGS = (
    "--iree-hal-target-backends=llvm-cpu",
    "--iree-llvmcpu-target-cpu=host",
    *INPUT_FLAGS,
    "--iree-opt-data-tiling",
    "--iree-llvmcpu-enable-ukernels=none",
    "--iree-llvmcpu-loop-vectorization",
    "--iree-llvmcpu-loop-unrolling",
    "--iree-llvmcpu-debug-symbols=false",
    "--iree-llvmcpu-stack-allocation-limit=1048576",
)


# Makes gathers of rows four times as fast, but gathers by two and more indices fail to compile
# (IREE 3.13), so that only programs which gain from it get it.
ROW_GATHER_FLAGS = ("--iree-llvmcpu-experimental-vectorize-to-transfer-gather",)


# Programs with loops whose number of rounds depends on computed values end in "ref is null" or
# "indirect buffer reference out of range" when they run, unless kernels are formed with less fusion
# (IREE 3.13). Loops that count are not affected.
CONDITIONAL_LOOP_FLAGS = ("--iree-dispatch-creation-opt-level=O1",)


@dataclass(frozen=True, slots=True)
class FlagVariant:
    """A change of flags that cures one kind of compilation failure.

    Attributes
    ----------
    name
        What the change is called in messages.
    pattern
        Regular expression searched in the diagnostics; the variant is tried if it matches.
    on_crash
        Whether the variant is also tried after the compiler process has died.
    remove
        Flags (up to their ``=``) taken away.
    add
        Flags appended; IREE lets the last occurrence of a flag win.
    """

    name: str
    pattern: str
    on_crash: bool
    remove: tuple[str, ...] = ()
    add: tuple[str, ...] = ()

    def cures(self, diagnostics: str) -> bool:
        """Whether a failure with these diagnostics is one that this variant is meant for."""
        return re.search(self.pattern, diagnostics) is not None

    def apply(self, flags: tuple[str, ...]) -> tuple[str, ...]:
        """Return `flags` with the change made."""
        kept = tuple(flag for flag in flags if flag.split("=")[0] not in self.remove)
        return kept + self.add


@dataclass(frozen=True, slots=True)
class Target:
    """How one platform is compiled for and run on.

    Attributes
    ----------
    platform
        The name the user knows: "cpu", "cuda", "vulkan", "rocm", "metal".
    hal_backend
        IREE's name of the code generator.
    driver
        IREE's name of the driver that runs programs.
    parallel_driver
        Driver for programs with enough work to use several cores, or None where
        `driver` takes care of that itself.
    flags
        Compiler flags.
    variants
        Changes of flags tried, in order, after a failed compilation.
    host_memory
        Whether device buffers are ordinary host memory that NumPy can view.
    row_gather_flags
        Further flags for programs whose gathers all take whole rows.
    """

    platform: str
    hal_backend: str
    driver: str
    flags: tuple[str, ...]
    parallel_driver: str | None = None
    variants: tuple[FlagVariant, ...] = ()
    host_memory: bool = False
    row_gather_flags: tuple[str, ...] = ()


WITHOUT_ROW_GATHER = FlagVariant(
    name="without vectorized gathers",
    pattern=r"unrealized_conversion_cast",
    on_crash=False,
    remove=ROW_GATHER_FLAGS,
)

# Data tiling may need more stack than a worker thread has, or vectors larger than the code
# generator accepts (IREE 3.13).
WITHOUT_DATA_TILING = FlagVariant(
    name="without data tiling",
    pattern=r"large vector sizes|stack allocation|exceeded stack|unrealized_conversion_cast",
    on_crash=True,
    remove=("--iree-opt-data-tiling",),
    add=("--iree-opt-data-tiling=false",),
)

# The embedded linker has no C mathematics library to offer; the system's linker finds one.
WITH_SYSTEM_LINKER = FlagVariant(
    name="with the system's linker and libm",
    pattern=r"undefined symbol",
    on_crash=False,
    add=("--iree-llvmcpu-link-embedded=false",),
)

# Fusing a value into several kernels that use it can make two kernels wait for each other.
WITHOUT_AGGRESSIVE_FUSION = FlagVariant(
    name="without aggressive fusion",
    pattern=r"without cyclic dependencies",
    on_crash=False,
    add=("--iree-dispatch-creation-enable-aggressive-fusion=false",),
)

# Hoisting constants out of a program does not come to an end where a loop with constant carries
# feeds another operation (IREE 3.13).
WITHOUT_HOISTING = FlagVariant(
    name="without hoisting of constants",
    pattern=r"maximum iteration count exceeded",
    on_crash=False,
    add=("--iree-opt-const-expr-hoisting=false",),
)

LOW_OPTIMIZATION = FlagVariant(
    name="at optimization level 1",
    pattern=r"failed to bufferize|failed to apply fusion|unrealized_conversion_cast"
    r"|large vector sizes|stack allocation|exceeded stack",
    on_crash=True,
    remove=("--iree-opt-data-tiling",),
    add=("--iree-opt-data-tiling=false", "--iree-opt-level=O1"),
)

CPU = Target(
    platform="cpu",
    hal_backend="llvm-cpu",
    driver="local-sync",
    parallel_driver="local-task",
    flags=CPU_FLAGS,
    variants=(
        WITHOUT_ROW_GATHER,
        WITH_SYSTEM_LINKER,
        WITHOUT_DATA_TILING,
        WITHOUT_HOISTING,
        WITHOUT_AGGRESSIVE_FUSION,
        LOW_OPTIMIZATION,
    ),
    host_memory=True,
    row_gather_flags=ROW_GATHER_FLAGS,
)

CUDA = Target(
    platform="cuda",
    hal_backend="cuda",
    driver="cuda",
    # IREE 3.13 does not know sm_90 and later; such GPUs run code for an older one through PTX.
    flags=("--iree-hal-target-backends=cuda", "--iree-cuda-target=sm_80", *INPUT_FLAGS),
    variants=(WITHOUT_HOISTING, WITHOUT_AGGRESSIVE_FUSION, LOW_OPTIMIZATION),
)

VULKAN = Target(
    platform="vulkan",
    hal_backend="vulkan-spirv",
    driver="vulkan",
    flags=("--iree-hal-target-backends=vulkan-spirv", *INPUT_FLAGS),
    variants=(WITHOUT_HOISTING, WITHOUT_AGGRESSIVE_FUSION, LOW_OPTIMIZATION),
)

ROCM = Target(
    platform="rocm",
    hal_backend="rocm",
    driver="hip",
    flags=("--iree-hal-target-backends=rocm", "--iree-rocm-target=gfx942", *INPUT_FLAGS),
    variants=(WITHOUT_HOISTING, WITHOUT_AGGRESSIVE_FUSION, LOW_OPTIMIZATION),
)

METAL = Target(
    platform="metal",
    hal_backend="metal-spirv",
    driver="metal",
    flags=("--iree-hal-target-backends=metal-spirv", *INPUT_FLAGS),
    variants=(WITHOUT_HOISTING, WITHOUT_AGGRESSIVE_FUSION, LOW_OPTIMIZATION),
)

TARGETS: dict[str, Target] = {
    target.platform: target for target in (CPU, CUDA, VULKAN, ROCM, METAL)
}

# In the order in which "gpu" looks for a device.
GPU_PLATFORMS = ("cuda", "rocm", "metal", "vulkan")
