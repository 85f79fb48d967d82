"""Which forms of a program does IREE 3.13 make faster code of?

minijax emits canonical StableHLO. `tune` returns an equivalent program in the forms that IREE's
code generator does best with. `safety/` comes after it and is about right and wrong; the rules here
are about time only, and each names the ratio that was measured with it.
"""

from __future__ import annotations

from minijax.stablehlo.ir import Block, Module

from ..safety.rewriter import Rewriter
from .products import ProductForms
from .reductions import ExponentialForms, reduce_in_vectors
from .updates import updates_last
from .users import Users

__all__ = ["tune"]


def tune(module: Module) -> Module:
    """Return a module that computes the same and that IREE makes faster.

    The module given is not changed.
    """
    users = Users(module)
    products, exponentials = ProductForms(users), ExponentialForms(users)
    rules = {
        "stablehlo.dot_general": (products.product,),
        "stablehlo.exponential": (exponentials.exponential,),
        "stablehlo.reduce": (reduce_in_vectors,),
        "stablehlo.transpose": (products.transpose,),
    }
    tuned = Rewriter(rules).module(module)
    for function in tuned.functions:
        tune_block(function.body)
    return tuned


def tune_block(block: Block) -> None:
    """Order the operations of a block and of the regions in it."""
    for op in block.operations:
        for region in op.regions:
            tune_block(region)
    updates_last(block)
