"""Several machines: the broker that rings, and who may ring and hear there. Nothing here is needed on one machine."""
