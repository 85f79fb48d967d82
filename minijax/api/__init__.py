"""Which functions transform functions?

The public transformations on functions of pytrees. Each flattens arguments, checks them with
messages that name the argument, hands flat functions to the layer of transformations, and puts
the structure back.
"""
