"""From scenes to pixels: a ray tracer in Warp."""
