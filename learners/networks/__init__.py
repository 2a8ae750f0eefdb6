"""CNNs as blocks with heads, and how an error crosses a layer."""

from learners.networks.network import Network, Spec

__all__ = ["Network", "Spec"]
