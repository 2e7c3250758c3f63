"""The parts of the one gate to the network; `backend.core.http` is its face, import from there."""
