"""What becomes of the server when its surroundings fail: a full disk, no descriptors, a clock set wrong."""
