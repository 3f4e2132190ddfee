"""Which operators a TFLite file holds."""

from __future__ import annotations

from ai_edge_litert.interpreter import Interpreter, OpResolverType


def operators(data: bytes) -> list[str]:
    """Return the operators' names in the order of execution, without a delegate's stand-ins."""
    return [str(entry["op_name"]) for entry in _plain_interpreter(data)._get_ops_details()]


def first_output(data: bytes, operator: str) -> str | None:
    """Return the name of the tensor that the first operator of a kind writes; None where there is none."""
    interpreter = _plain_interpreter(data)
    for entry in interpreter._get_ops_details():
        if entry["op_name"] == operator:
            names = {tensor["index"]: tensor["name"] for tensor in interpreter.get_tensor_details()}
            return str(names[entry["outputs"][0]])
    return None


def _plain_interpreter(data: bytes) -> Interpreter:
    return Interpreter(
        model_content=data,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
