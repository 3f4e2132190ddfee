# Ships no usable types: what its source suggests to a type checker is often wrong.
from typing import Any

def __getattr__(name: str) -> Any: ...
