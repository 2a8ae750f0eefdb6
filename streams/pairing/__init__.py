"""From frames to pairs of views, with replay buffers and augmentation."""
