"""Which programs does IREE 3.13 get wrong, and what is put in their place?

minijax emits canonical StableHLO. `make_safe` returns an equivalent program that avoids the faults
of the installed IREE. Every workaround is one rule, a small function whose docstring names the
fault; `RULES` says which operations it is asked about, and ``tests/backends/iree`` holds for each a
test that fails when the fault is gone, so that the rule can be deleted then.
"""

from __future__ import annotations

from minijax.stablehlo.ir import Module

from .complex_functions import COMPLEX_RULES
from .control_flow import while_plain_carries
from .conversion import convert_saturate
from .convolution import convolution_in_fast_form
from .dispatch import FUSED, InputCounter, reverse_after_barrier
from .element_types import convert_float8_by_f32, refuse_unsupported, return_filled_complex
from .elementary import (
    cbrt_refine,
    expm1_small_arguments,
    log1p_small_arguments,
    power_all_cases,
    remainder_by_division,
    tanh_by_expm1,
)
from .gather import gather_clamp_indices
from .hyperbolic import (
    asinh_by_log1p,
    atanh_by_log1p,
    digamma_by_reflection,
    sinh_by_expm1,
)
from .memory import update_protect_operand
from .products import product_of_nothing, product_separate_conversion
from .random_bits import random_bits_carry
from .rewriter import Rewriter, Rule
from .scatter import scatter_drop_outside
from .sorting import sort_stably
from .top_k import top_k_by_sort
from .trigonometry import (
    acos_by_angle,
    asin_by_angle,
    atan2_all_quadrants,
    atan_by_angle,
    cosine_reduce_range,
    sine_reduce_range,
    tangent_reduce_range,
)
from .windows import select_and_scatter_by_steps, window_signed

# The rules for one operation are asked in this order until one replaces the operation.
RULES: dict[str, tuple[Rule, ...]] = {
    "chlo.acos": (acos_by_angle,),
    "chlo.asin": (asin_by_angle,),
    "chlo.asinh": (asinh_by_log1p,),
    "chlo.atan": (atan_by_angle,),
    "chlo.atanh": (atanh_by_log1p,),
    "chlo.digamma": (digamma_by_reflection,),
    "chlo.sinh": (sinh_by_expm1,),
    "chlo.tan": (tangent_reduce_range,),
    "chlo.top_k": (top_k_by_sort,),
    "func.return": (return_filled_complex,),
    "stablehlo.atan2": (atan2_all_quadrants,),
    "stablehlo.cbrt": (cbrt_refine,),
    "stablehlo.convert": (convert_saturate, convert_float8_by_f32),
    "stablehlo.convolution": (
        product_of_nothing,
        product_separate_conversion,
        convolution_in_fast_form,
    ),
    "stablehlo.cosine": (cosine_reduce_range,),
    "stablehlo.dot_general": (product_of_nothing, product_separate_conversion),
    "stablehlo.dynamic_update_slice": (update_protect_operand,),
    "stablehlo.exponential_minus_one": (expm1_small_arguments,),
    "stablehlo.gather": (gather_clamp_indices,),
    "stablehlo.log_plus_one": (log1p_small_arguments,),
    "stablehlo.power": (power_all_cases,),
    "stablehlo.reduce_window": (window_signed,),
    "stablehlo.remainder": (remainder_by_division,),
    "stablehlo.reverse": (reverse_after_barrier,),
    "stablehlo.rng_bit_generator": (random_bits_carry,),
    "stablehlo.scatter": (scatter_drop_outside,),
    "stablehlo.select_and_scatter": (select_and_scatter_by_steps,),
    "stablehlo.sine": (sine_reduce_range,),
    "stablehlo.sort": (sort_stably,),
    "stablehlo.tan": (tangent_reduce_range,),
    "stablehlo.tanh": (tanh_by_expm1,),
    "stablehlo.while": (while_plain_carries,),
}


def make_safe(module: Module) -> Module:
    """Return a module that computes the same and that IREE compiles correctly.

    The module given is not changed.

    Raises
    ------
    NotImplementedError
        For dtypes that IREE cannot compute with.
    """
    refuse_unsupported(module)
    count_inputs = InputCounter()
    rules = dict(RULES)
    for name, rule in COMPLEX_RULES.items():
        rules[name] = (*rules.get(name, ()), rule)
    for name in FUSED:
        rules[name] = (*rules.get(name, ()), count_inputs)
    return Rewriter(rules).module(module)
