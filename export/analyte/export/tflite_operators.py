"""Which operators a TFLite file holds."""

from __future__ import annotations

from ai_edge_litert.interpreter import Interpreter, OpResolverType


def operators(data: bytes) -> list[str]:
    """Return the operators' names in the order of execution, without a delegate's stand-ins."""
    interpreter = Interpreter(
        model_content=data,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    return [str(entry["op_name"]) for entry in interpreter._get_ops_details()]
