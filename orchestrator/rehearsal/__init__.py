"""A plan played through on a simulated estate in one process: what one seed decides, and what must hold at every step.

The conductor, the engine, the steps, the guards and the estate are the product's own; only wire, threads and disk are
replaced. Rehearsals and the simulation tests share this room.
"""
