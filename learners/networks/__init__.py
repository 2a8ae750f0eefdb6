"""CNNs as blocks with heads, and how an error crosses a layer."""
