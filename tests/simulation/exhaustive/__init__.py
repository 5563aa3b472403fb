"""An exhaustive search through a small world: two migrations, two hosts, two domain controllers.

Theory of operation
-------------------
A state is a whole world: the directory's two copies and what is on its way between them, the hosts, the journal, and
the process with its calls in the air. Engine, conductor, deck, agenda, run log, journal, steps, guards and estate are
the product's own, and so are the invariants; the process is forked between two steps of its loop, and the search takes
every way on.

``far_side`` and ``process`` make the product's estate and conductor forkable; ``world`` is one state; ``happenings`` is
what may happen next; ``laws`` is what must hold; ``form`` says which worlds are one state; ``search`` visits them all.

What may go wrong is bounded by a number of faults in one history, and what an operator says by a number of words; the
world is otherwise finite, so the search ends. Time is a whole number of ticks: every wait of the plan is one of them,
or as many as ``looks`` says. Windows, reboots, tasks, and calls that hang while time passes are left to the simulation.

Run it with ``python -m tests.simulation.exhaustive``.
"""
